"""What a job does from time to time: forget what no answer needs any more."""

from datetime import datetime, timedelta

from app_catalog.documents.content import sweep_contents
from app_catalog.oauth import lifetimes
from app_catalog.wiring import Connection

SWEEP = "SELECT catalogue.sweep(%s, %s)"
SWEEP_LAUNCHES = "SELECT catalogue.sweep_launches(%s)"
SWEEP_CLIENTS = "SELECT catalogue.sweep_clients(%s)"
KEEP_REQUESTS = timedelta(days=1)  # after their end, for whoever asks why a page was closed


async def sweep(connection: Connection, now: datetime) -> None:
    """Forget sealed answers after the grace, authorization requests a day after their end, and files of no use."""
    await connection.execute(SWEEP, (now - lifetimes.ROTATION_GRACE, now - KEEP_REQUESTS))
    await connection.execute(SWEEP_CLIENTS, (now,))
    await connection.execute(SWEEP_LAUNCHES, (now - KEEP_REQUESTS,))
    await sweep_contents(connection, now)
