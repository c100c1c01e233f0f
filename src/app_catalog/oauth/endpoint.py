"""Decide, then write: what the JSON endpoints have in common."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from app_catalog.consents.notices import Why
from app_catalog.consents.revocation import revoke_grant
from app_catalog.oauth.decision import Decision, decide
from app_catalog.oauth.failure import Refused, answer, refusal
from app_catalog.oauth.writes import REFRESH
from app_catalog.wiring import Connection, Wiring


async def in_turn(wiring: Wiring, endpoint: str, client_id: str, serve: Callable[[], Awaitable[Response]]) -> Response:
    """What `serve` answers; or 429, and when to come again, for a client that is served often enough (RFC 6585 §4)."""
    now = wiring.clock()
    if wait := wiring.rates.wait_s(endpoint, client_id, now):
        return answer(429, {"error": "temporarily_unavailable"}, {"Retry-After": str(wait)})
    response = await serve()
    if response.status_code < 300:
        wiring.rates.count(endpoint, client_id, now)
    return response


def decided(decision: Decision, authlib: Callable[[], Response]) -> Response:
    """What Authlib answers. What it wants written is in `decision` then."""
    with decide(decision):
        try:
            return authlib()
        except ValueError:  # Authlib puts the text of requests into error descriptions, which refuse some characters
            return refusal(Refused("invalid_request", "A parameter holds characters that are not allowed."))


async def settle(
    wiring: Wiring, connection: Connection, decision: Decision, authlib: Callable[[], Response]
) -> Response:
    """Run Authlib on `decision`, then write what it wants. The caller commits before it answers."""
    response = decided(decision, authlib)
    writes = decision.always + (decision.issue if response.status_code < 400 else [])
    if decision.refresh is not None and response.status_code < 400:
        writes.append((f"SELECT FROM {REFRESH.sql}", decision.refresh))
    for sql, parameters in writes:
        await connection.execute(sql, parameters)
    if decision.revoke is not None and decision.row is not None:
        why = Why.SECURITY if decision.tells_vendor else None
        await revoke_grant(connection, decision.row.grant_id, decision.revoke, wiring.data_plane, decision.now, why=why)
    for event in decision.events:
        await wiring.journal.write(connection, event)
    return response
