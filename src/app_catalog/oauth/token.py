"""``/oauth/token``: a code or a refresh token for new tokens (RFC 6749 §3.2)."""

from psycopg.errors import LockNotAvailable
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import app_by_client, tested_app
from app_catalog.clients.proof import prove
from app_catalog.form import Malformed, read_body
from app_catalog.oauth import client_authentication
from app_catalog.oauth.client_authentication import Presented
from app_catalog.oauth.decision import Decision
from app_catalog.oauth.endpoint import settle
from app_catalog.oauth.failure import Refused, answer, refusal
from app_catalog.oauth.id_token import with_id_token
from app_catalog.oauth.secret_text import sha256
from app_catalog.oauth.server import Request as OAuthRequest
from app_catalog.oauth.server import Server
from app_catalog.oauth.writes import OPEN_CODE, OPEN_TOKEN
from app_catalog.wiring import Wiring

PATH = "/oauth/token"
PRESENTED = {"authorization_code": ("code", OPEN_CODE), "refresh_token": ("refresh_token", OPEN_TOKEN)}


def not_bearer(presented: Presented) -> None:
    if presented.bearer is not None:
        raise Refused("invalid_client", "A bearer token does not authenticate a client.")


def grant_type_is_supported(presented: Presented) -> None:
    grant_type = presented.fields.get("grant_type")
    if grant_type is None:
        raise Refused("invalid_request", "The grant_type is missing.")
    if grant_type not in PRESENTED:
        raise Refused("unsupported_grant_type", "This grant_type is not supported.")


def what_is_exchanged_is_there(presented: Presented) -> None:
    name, _ = PRESENTED[presented.fields.text("grant_type")]
    if presented.fields.get(name) is None:
        raise Refused("invalid_request", f"The {name} is missing.")


CHECKS = (*client_authentication.CHECKS, not_bearer, grant_type_is_supported, what_is_exchanged_is_there)


async def token(wiring: Wiring, server: Server, request: Request) -> Response:
    """Tokens, or the error that RFC 6749 §5.2 names for it. Everything happens in one transaction."""
    try:
        presented = Presented(await read_body(request), request.headers)
        for check in CHECKS:
            check(presented)
        _resource_is_our_data(presented, wiring.fhir_url)
        proof = await prove(wiring, request, presented)
    except Malformed as error:
        return refusal(Refused("invalid_request", str(error)))
    except Refused as refused:
        return refusal(refused)
    fields = presented.fields
    name, open_it = PRESENTED[fields.text("grant_type")]
    oauth_request = OAuthRequest("POST", wiring.issuer + PATH, request.headers, fields)
    try:
        async with wiring.pool.connection() as connection, connection.transaction():
            app = await app_by_client(connection, presented.client_id)
            row = await (await connection.execute(open_it, {"hash": sha256(fields.text(name))})).fetchone()
            if row is not None and row.in_sandbox and app is not None and not app.tested:
                app = await tested_app(connection, app.id)
            decision = Decision(app, row, wiring.clock(), proof)
            response = await settle(wiring, connection, decision, lambda: server.create_token_response(oauth_request))
            if name == "code" and response.status_code == 200:
                return await with_id_token(wiring, connection, decision, fields.text(name), response)
            return response
    except LockNotAvailable:
        return answer(503, {"error": "temporarily_unavailable"}, {"Retry-After": "1"})


def _resource_is_our_data(presented: Presented, fhir_url: str) -> None:
    resource = presented.fields.get("resource")
    if resource is not None and resource.rstrip("/") != fhir_url.rstrip("/"):
        raise Refused("invalid_target", "The resource is not the base URL of this FHIR server.")
