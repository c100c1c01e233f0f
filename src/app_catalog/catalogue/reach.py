"""Which patients may connect an app, beside what its status says."""

from uuid import UUID

from app_catalog.catalogue.apps import App
from app_catalog.catalogue.circle import is_in_circle
from app_catalog.catalogue.status import Status
from app_catalog.sandbox.tested import is_simulated
from app_catalog.wiring import Connection


async def may_connect(connection: Connection, app: App, subject: UUID) -> bool:
    """Whether the patient of the space `subject` may connect `app` now. Inside `space` of the patient.

    `app` is what `sandbox.tested.app_for` gave for that space.
    """
    if app.tested:
        return True
    if await is_simulated(connection, subject):
        return False
    if app.status is Status.PRE_SERIES:
        return await is_in_circle(connection, app.id, subject)
    return app.effect.pairs
