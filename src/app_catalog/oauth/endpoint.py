"""Decide, then write: what the JSON endpoints have in common."""

from collections.abc import Callable

from starlette.responses import Response

from app_catalog.consents.notices import Why
from app_catalog.consents.revocation import revoke_grant
from app_catalog.oauth.decision import Decision, decide
from app_catalog.oauth.failure import Refused, refusal
from app_catalog.wiring import Connection, Wiring


async def settle(
    wiring: Wiring, connection: Connection, decision: Decision, authlib: Callable[[], Response]
) -> Response:
    """Run Authlib on `decision`, then write what it wants. The caller commits before it answers."""
    with decide(decision):
        try:
            response = authlib()
        except ValueError:  # Authlib puts the text of requests into error descriptions, which refuse some characters
            return refusal(Refused("invalid_request", "A parameter holds characters that are not allowed."))
    writes = decision.always + (decision.issue if response.status_code < 400 else [])
    for sql, parameters in writes:
        await connection.execute(sql, parameters)
    if decision.revoke is not None and decision.row is not None:
        why = Why.SECURITY if decision.tells_vendor else None
        await revoke_grant(connection, decision.row.grant_id, decision.revoke, wiring.data_plane, decision.now, why=why)
    for event in decision.events:
        await wiring.journal.write(connection, event)
    return response
