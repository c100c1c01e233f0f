"""What is due about apps and vendors: what is over its date, keys that rotate, agreements, corrections, simulated
patients that nobody uses, scenarios of which time has shown the result."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog
from psycopg import AsyncConnection

import app_catalog
from device_gateway.catalogue_key import catalogue_key
from device_gateway.catalogue_wiring import MeasurementPlane, SpaceJournal
from device_gateway.database.pool import AsyncPool, Row
from device_gateway.mail.outbox import Outbox
from device_gateway.sandbox.patients import SimulatedPatients
from device_gateway.settings import Settings

Step = Callable[[AsyncConnection[Row]], Awaitable[object]]

log = structlog.get_logger(__name__)


async def keep_catalogue(settings: Settings, pool: AsyncPool, now: datetime) -> None:
    """Each part whatever becomes of the others; what was done is not done again, however many processes do this."""
    key = catalogue_key(settings)
    mail, journal = Outbox(key), SpaceJournal()

    async def keep_keys(connection: AsyncConnection[Row]) -> None:
        if key is not None:
            await app_catalog.keep_signing_keys(connection, key, now)

    steps: dict[str, Step] = {
        "sweep": lambda connection: app_catalog.sweep(connection, now),
        "signing keys": keep_keys,
        "agreements": lambda connection: app_catalog.keep_agreements(connection, mail, journal, now),
        "simulated patients": lambda connection: app_catalog.end_unused(
            connection, SimulatedPatients(), MeasurementPlane(), mail, journal, settings.sandbox_days, now
        ),
        "corrections": lambda connection: app_catalog.remind_of_corrections(connection, mail, journal, now),
        "scenarios": lambda connection: app_catalog.settle_runs(connection, mail, now),
    }
    await each_alone(pool, steps)


async def each_alone(pool: AsyncPool, steps: Mapping[str, Step]) -> None:
    """Take every step, on a connection of its own; one that fails is logged, and does not hold up those after it."""
    for name, step in steps.items():
        try:
            async with pool.connection() as connection:
                await step(connection)
        except Exception as error:  # whatever it is: its next turn comes
            log.warning("upkeep failed", step=name, error=type(error).__name__)
