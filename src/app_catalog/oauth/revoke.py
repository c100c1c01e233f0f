"""``/oauth/revoke`` (RFC 7009): a client gives back a token. A refresh token takes its whole grant with it."""

from typing import Any

from authlib.oauth2.rfc7009 import RevocationEndpoint
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import app_by_client
from app_catalog.clients.proof import prove
from app_catalog.events import EventName
from app_catalog.form import Malformed, read_body
from app_catalog.oauth import client_authentication
from app_catalog.oauth.client_authentication import Presented
from app_catalog.oauth.decision import Decision, deciding
from app_catalog.oauth.endpoint import settle
from app_catalog.oauth.failure import Refused, refusal
from app_catalog.oauth.look import OPEN_TOKEN
from app_catalog.oauth.models import Client, Token
from app_catalog.oauth.profiles import METHODS
from app_catalog.oauth.server import Request as OAuthRequest
from app_catalog.oauth.server import Server
from app_catalog.oauth.token import not_bearer
from app_catalog.oauth.writes import REVOKE_TOKEN
from app_catalog.wiring import Wiring

PATH = "/oauth/revoke"
CHECKS = (*client_authentication.CHECKS, not_bearer, client_authentication.token_is_there)
GIVEN_BACK = "The app gave its tokens back."


class Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib publishes no types
    CLIENT_AUTH_METHODS = METHODS

    def check_params(self, request: OAuthRequest, client: Client) -> None:
        """Nothing: `token_is_there`, and an unknown hint about its kind is no error (RFC 7009 §2.1)."""

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002
        row = deciding().row
        return Token(row) if row is not None else None

    def revoke_token(self, token: Token, request: Any) -> None:  # noqa: ARG002  Authlib's signature
        decision, row = deciding(), token.row
        if row.grant_revoked_at is not None:
            return
        if row.kind == "refresh":
            decision.revoke, decision.tells_vendor = GIVEN_BACK, False
            decision.note(EventName.GRANT_REVOKED, reason=GIVEN_BACK)
        elif row.revoked_at is None:
            decision.always.append((REVOKE_TOKEN, {"hash": row.hash, "now": decision.now}))
            decision.note(EventName.TOKEN_REVOKED, reason=GIVEN_BACK)


async def revoke(wiring: Wiring, server: Server, request: Request) -> Response:
    """200 for a token that is dead afterwards, whether it was alive before or not."""
    try:
        presented = Presented(await read_body(request), request.headers)
        for check in CHECKS:
            check(presented)
        proof = await prove(wiring, request, presented)
    except Malformed as error:
        return refusal(Refused("invalid_request", str(error)))
    except Refused as refused:
        return refusal(refused)
    oauth_request = OAuthRequest("POST", wiring.issuer + PATH, request.headers, presented.fields)
    async with wiring.pool.connection() as connection, connection.transaction():
        app = await app_by_client(connection, presented.client_id)
        row = await OPEN_TOKEN.at(connection, presented.fields.text("token"), wiring.clock())
        decision = Decision(app, row, wiring.clock(), proof)
        return await settle(
            wiring, connection, decision, lambda: server.create_endpoint_response("revocation", oauth_request)
        )
