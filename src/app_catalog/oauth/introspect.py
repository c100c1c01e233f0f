"""``/oauth/introspect`` (RFC 7662, SMART 2.2 "Token Introspection").

A client with a secret or a key may ask about its own tokens. Whoever presents an access token that works may ask about
any (SMART 2.2 @282 @283); to ask about a token one has to hold it.
"""

from functools import partial
from typing import Any

from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App, app_by_client
from app_catalog.clients.certificate import BadCertificate, Certificate
from app_catalog.clients.proof import Proof, prove
from app_catalog.clients.registered import RegisteredClient, registered_client
from app_catalog.consents.effect import effective_scopes
from app_catalog.form import Malformed, read_body
from app_catalog.oauth import client_authentication
from app_catalog.oauth.client_authentication import Presented
from app_catalog.oauth.decision import Decision, deciding
from app_catalog.oauth.endpoint import decided, in_turn
from app_catalog.oauth.failure import Refused, answer, refusal
from app_catalog.oauth.grant import grant_of_token, refusal_of
from app_catalog.oauth.id_token import fhir_user
from app_catalog.oauth.launch_context import launch_context
from app_catalog.oauth.look import Tokens
from app_catalog.oauth.models import Client, Token
from app_catalog.oauth.profiles import ASYMMETRIC_METHODS, SECRET_METHODS
from app_catalog.oauth.secret_text import base64url, sha256
from app_catalog.oauth.server import Request as OAuthRequest
from app_catalog.oauth.server import Server
from app_catalog.scopes.grammar import FHIR_USER, OPENID
from app_catalog.wiring import Row, Wiring

PATH = "/oauth/introspect"

CHECKS_WITH_CLIENT = (*client_authentication.CHECKS, client_authentication.token_is_there)
CHECKS_WITH_BEARER = (
    client_authentication.nothing_is_repeated,
    client_authentication.one_authentication_only,
    client_authentication.token_is_there,
)


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib publishes no types
    CLIENT_AUTH_METHODS = [*SECRET_METHODS, *ASYMMETRIC_METHODS]  # noqa: RUF012  Authlib's attribute

    def __init__(self, issuer: str, fhir_url: str) -> None:
        super().__init__()
        self.issuer, self.fhir_url = issuer, fhir_url

    def check_params(self, request: OAuthRequest, client: Client) -> None:
        """Nothing: `token_is_there`, and an unknown hint about its kind is no error (RFC 7662 §2.1)."""

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002
        row = deciding().row
        return Token(row) if row is not None else None

    def check_permission(self, token: Token, client: Client, request: Any) -> bool:  # noqa: ARG002
        return token.check_client(client)

    def introspect_token(self, token: Token) -> dict[str, Any]:
        return describe(token.row, issuer=self.issuer, fhir_url=self.fhir_url)


def describe(row: Row, *, issuer: str, fhir_url: str) -> dict[str, Any]:
    """What is said of a token that works: the scopes are those that the patient consents to now."""
    scopes = effective_scopes(row.scope, row.consented)
    about: dict[str, Any] = {
        "active": True,
        "iss": issuer,
        "aud": fhir_url,
        "client_id": row.client_id,
        "scope": str(scopes),
        "iat": int(row.issued_at.timestamp()),
        "exp": int(min(row.expires_at, row.grant_expires_at).timestamp()),
    }
    if row.kind == "access":
        about["token_type"] = "Bearer"  # noqa: S105  RFC 6750's name
    if row.certificate is not None:
        about["cnf"] = {"x5t#S256": base64url(row.certificate)}
    if scopes.concerns_a_patient:
        about |= launch_context(row)
    if OPENID in scopes.context:
        about["sub"] = str(row.pairing_id)
        if FHIR_USER in scopes.context:
            about["fhirUser"] = fhir_user(fhir_url, about["sub"])
    return about


async def introspect(wiring: Wiring, server: Server, tokens: Tokens, request: Request) -> Response:
    """What a token is worth at this moment; ``{"active": false}`` for everything else."""
    try:
        presented = Presented(await read_body(request), request.headers)
        for check in CHECKS_WITH_BEARER if presented.bearer is not None else CHECKS_WITH_CLIENT:
            check(presented)
        proof = None if presented.bearer is not None else await prove(wiring, request, presented)
    except Malformed as error:
        return refusal(Refused("invalid_request", str(error)))
    except Refused as refused:
        return refusal(refused)
    if presented.bearer is not None:
        return await _for_bearer(wiring, tokens, request, presented, presented.bearer)
    serve = partial(_for_client, wiring, server, tokens, presented, proof)
    return await in_turn(wiring, PATH, presented.client_id, serve)


async def _for_client(
    wiring: Wiring, server: Server, tokens: Tokens, presented: Presented, proof: Proof | None
) -> Response:
    row = await tokens.answer(sha256(presented.fields.text("token")))
    client: App | RegisteredClient | None = registered_client(row, presented.client_id)
    if client is None:
        async with wiring.pool.connection() as connection:
            client = await app_by_client(connection, presented.client_id)
    decision = Decision(client, row, wiring.clock(), proof)
    oauth_request = OAuthRequest("POST", wiring.issuer + PATH, presented.headers, presented.fields)
    return decided(decision, lambda: server.create_endpoint_response("introspection", oauth_request))


async def _for_bearer(wiring: Wiring, tokens: Tokens, request: Request, presented: Presented, bearer: str) -> Response:
    now = wiring.clock()
    async with wiring.pool.connection() as connection:
        asking = await grant_of_token(connection, bearer, now)
    row = await tokens.answer(sha256(presented.fields.text("token")))
    if asking is None or asking.refusal is not None or not asking.is_borne_rightly(_certificate(wiring, request)):
        challenge = {"WWW-Authenticate": 'Bearer realm="oauth", error="invalid_token"'}
        return answer(
            401, {"error": "invalid_token", "error_description": "The access token does not work."}, challenge
        )

    async def told() -> Response:
        if row is None or refusal_of(row, now) is not None:
            return answer(200, {"active": False})
        return answer(200, describe(row, issuer=wiring.issuer, fhir_url=wiring.fhir_url))

    return await in_turn(wiring, PATH, asking.client_id, told)


def _certificate(wiring: Wiring, request: Request) -> Certificate | None:
    try:
        return wiring.certificates.of(request)
    except BadCertificate:
        return None
