"""Which app a space meets under one id: in the sandbox of its vendor its undecided application, or nothing.

Elsewhere it is the app as it was approved. No other vendor's app, and none that is in force, reaches a simulated
patient; and no candidate reaches a real one.
"""

from uuid import UUID

from app_catalog.catalogue.apps import App, app_by_id, tested_app
from app_catalog.catalogue.status import Status
from app_catalog.errors import NotAllowed
from app_catalog.wiring import Connection

SANDBOX = "SELECT vendor_id, ended_at FROM catalogue.sandbox_space WHERE subject = %s"


async def is_simulated(connection: Connection, subject: UUID) -> bool:
    """Whether the space is, or was, a simulated patient's."""
    return await (await connection.execute(SANDBOX, (subject,))).fetchone() is not None


async def is_met(connection: Connection, app: App, subject: UUID) -> bool:
    """Whether a space is shown the public page of `app`: a simulated patient's is shown those of its vendor only."""
    sandbox = await (await connection.execute(SANDBOX, (subject,))).fetchone()
    return sandbox is None or sandbox.vendor_id == app.vendor_id


async def app_for(connection: Connection, app_id: UUID, subject: UUID | None) -> App | None:
    """The app as the space `subject` meets it, or as everybody does; None for one that is not known.

    Raises NotAllowed for a candidate in a real space, and for what a simulated patient does not meet.
    """
    app = await app_by_id(connection, app_id)
    if app is None:
        return None
    sandbox = await (await connection.execute(SANDBOX, (subject,))).fetchone() if subject is not None else None
    if sandbox is None:
        if app.status is Status.CANDIDATE:
            raise NotAllowed("This app is not approved yet: it works for the simulated patients of its vendor only.")
        return app
    tested = await tested_app(connection, app_id)
    if tested is None or sandbox.ended_at is not None or sandbox.vendor_id != app.vendor_id:
        raise NotAllowed("A simulated patient is for the apps of its own vendor that wait for a decision.")
    return tested


async def app_connected(connection: Connection, app_id: UUID, subject: UUID) -> App | None:
    """The app behind a connection of the space `subject`, whatever has become of either."""
    try:
        return await app_for(connection, app_id, subject)
    except NotAllowed:
        return await app_by_id(connection, app_id)
