"""Which patients may connect an app, beside what its status says."""

from typing import Final
from uuid import UUID

from app_catalog.catalogue.apps import App
from app_catalog.catalogue.circle import is_in_circle
from app_catalog.catalogue.status import Status
from app_catalog.sandbox.tested import is_simulated
from app_catalog.wiring import Connection

CONNECTED: Final = """SELECT EXISTS (SELECT FROM catalogue.pairing p JOIN catalogue.consent c ON c.pairing_id = p.id
  WHERE p.app_id = %s AND p.subject = %s AND c.withdrawn_at IS NULL) AS found"""


async def may_connect(connection: Connection, app: App, subject: UUID) -> bool:
    """Whether the patient of the space `subject` may connect `app` now. Inside `space` of the patient.

    `app` is what `sandbox.tested.app_for` gave for that space.
    """
    if app.tested:
        return True
    if await is_simulated(connection, subject):
        return False
    if app.status is Status.PRE_SERIES:
        return await is_in_circle(connection, app.id, subject) or await _is_connected(connection, app.id, subject)
    return app.effect.pairs


async def _is_connected(connection: Connection, app_id: UUID, subject: UUID) -> bool:
    """Whoever connected the app while it was in the list goes on with it: a new grant follows one that has ended."""
    row = await (await connection.execute(CONNECTED, (app_id, subject))).fetchone()
    return row is not None and bool(row.found)
