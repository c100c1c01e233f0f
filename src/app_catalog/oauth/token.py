"""``/oauth/token``: a code or a refresh token for new tokens (RFC 6749 §3.2)."""

from functools import partial

from psycopg.errors import LockNotAvailable
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import app_by_client, tested_app
from app_catalog.clients.proof import Proof, prove
from app_catalog.form import Malformed, read_body
from app_catalog.interoperability.watch import before_exchange, note_exchange
from app_catalog.oauth import client_authentication
from app_catalog.oauth.client_authentication import Presented
from app_catalog.oauth.decision import Decision
from app_catalog.oauth.endpoint import in_turn, settle
from app_catalog.oauth.failure import Refused, answer, refusal
from app_catalog.oauth.id_token import with_id_token
from app_catalog.oauth.look import OPEN_CODE, OPEN_TOKEN
from app_catalog.oauth.refresh import Refreshes
from app_catalog.oauth.server import Request as OAuthRequest
from app_catalog.oauth.server import Server
from app_catalog.wiring import Connection, Wiring

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


async def token(wiring: Wiring, server: Server, refreshes: Refreshes, request: Request) -> Response:
    """Tokens, or the error that RFC 6749 §5.2 names for it. Everything that is written is written together."""
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
    serve = partial(_serve, wiring, server, refreshes, presented, proof)
    return await in_turn(wiring, PATH, presented.client_id, serve)


async def _serve(
    wiring: Wiring, server: Server, refreshes: Refreshes, presented: Presented, proof: Proof | None
) -> Response:
    try:
        if presented.fields.get("grant_type") == "refresh_token":
            response = await refreshes.answer(presented, _oauth_request(wiring, presented), proof)
            if response is not None:
                return response
        async with wiring.pool.connection() as connection, connection.transaction():
            return await _exchange(wiring, server, connection, presented, proof)
    except LockNotAvailable:
        return answer(503, {"error": "temporarily_unavailable"}, {"Retry-After": "1"})


async def _exchange(
    wiring: Wiring, server: Server, connection: Connection, presented: Presented, proof: Proof | None
) -> Response:
    """In one transaction that locks what is exchanged."""
    name, opened = PRESENTED[presented.fields.text("grant_type")]
    exchanged = presented.fields.text(name)
    app = await app_by_client(connection, presented.client_id)
    row = await opened.at(connection, exchanged, wiring.clock())
    if row is not None and row.in_sandbox:
        app = await tested_app(connection, app.id) if app is not None and not app.tested else app
        held = await before_exchange(connection, row, wiring.clock(), code=name == "code")
        if held is not None:
            return held
    decision = Decision(app, row, wiring.clock(), proof)
    oauth_request = _oauth_request(wiring, presented)
    response = await settle(wiring, connection, decision, lambda: server.create_token_response(oauth_request))
    if row is not None and row.in_sandbox:
        await note_exchange(connection, row, presented.fields, response, decision.now)
    if name == "code" and response.status_code == 200:
        return await with_id_token(wiring, connection, decision, exchanged, response)
    return response


def _oauth_request(wiring: Wiring, presented: Presented) -> OAuthRequest:
    return OAuthRequest("POST", wiring.issuer + PATH, presented.headers, presented.fields)


def _resource_is_our_data(presented: Presented, fhir_url: str) -> None:
    resource = presented.fields.get("resource")
    if resource is not None and resource.rstrip("/") != fhir_url.rstrip("/"):
        raise Refused("invalid_target", "The resource is not the base URL of this FHIR server.")
