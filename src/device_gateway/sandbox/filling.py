"""The job that puts a simulated patient's days into the store, the one way that readings have."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection

from device_gateway.database.pool import Row, connect
from device_gateway.imports.placing import FilePlacer
from device_gateway.imports.sources import Sources
from device_gateway.readings.model import Entry, Outcome
from device_gateway.readings.put import ReadingWriter
from device_gateway.sandbox.days import DAYS, days_of
from device_gateway.settings import Settings

FILL: Final = "sandbox:fill"  # job
SPACE: Final = "SELECT zone FROM gateway.space WHERE id = %s AND simulated AND closed_at IS NULL"
BATCH: Final = 1000  # rows: a patient is a handful of these
ENSURE_PARTITIONS: Final = "SELECT gateway.ensure_partition(%s::timestamptz[])"


@dataclass(frozen=True)
class Simulation:
    """What sources of simulated readings are called: an app that reads them sees it."""

    key: str = "simulation"
    name: str = "Device Gateway"


async def fill(settings: Settings, payload: dict[str, Any]) -> int:
    """How many readings were put; none where the patient has ended since."""
    return await asyncio.to_thread(_fill, settings, UUID(payload["space"]))


def _fill(settings: Settings, space: UUID) -> int:
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        row = connection.execute(SPACE, (space,)).fetchone()
        return _put(connection, space, ZoneInfo(row.zone)) if row else 0


def _put(connection: Connection[Row], space: UUID, zone: ZoneInfo) -> int:
    now = datetime.now(UTC)
    connection.execute(ENSURE_PARTITIONS, ([now, now - timedelta(days=DAYS + 1)],))
    placer = FilePlacer(Sources(connection, space, Simulation(), zone), now)
    entries = (Entry(0, "", reading, model=reading.device or "") for reading in days_of(space.int, zone, now))
    rows = [row for entry in entries if isinstance(row := placer.place(entry), tuple)]
    writer = ReadingWriter(connection)
    for start in range(0, len(rows), BATCH):
        writer.put([rows[start : start + BATCH]], _told_nobody)
    return len(rows)


def _told_nobody(_outcomes: Sequence[Outcome]) -> None:
    """No device waits for an answer."""
