"""Roll-ups by day: which days a batch of readings makes stale, and the work that brings them up to date.

A reading older than `MARKED_AFTER` names its day in the transaction that writes it. Roll-ups end `ROLLED_AFTER` before
now, so a younger reading needs no mark. The time between the two is what clocks may differ and transactions may last.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg import AsyncConnection, Connection

from device_gateway.database.pool import Row
from device_gateway.readings.model import CORRECTED, DUPLICATE, Outcome
from device_gateway.readings.packed import Packed, PutRow, unpacked

MARKED_AFTER = timedelta(days=28)  # meters are read out once a month, or more often: most of what comes is younger
ROLLED_AFTER = timedelta(days=30)
MARKS = 500  # taken together: some 100 ms, during which no other process can mend
SERIES = 100  # rolled up together: ten years of a sensor are a million readings

DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000
PG_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # times of rows are microseconds since then
PG_EPOCH_DAY: Final = PG_EPOCH.date()

MARK = "INSERT INTO gateway.reading_day_dirty (series, day) SELECT * FROM unnest(%b::int4[], %b::date[])"
MEND = "SELECT gateway.reading_days_mend(%s) AS marks"
ADVANCE = "SELECT gateway.reading_days_advance(%s, %s) AS more"


def marked_before(now: datetime) -> int:
    """Readings before it name their days: microseconds since 2000-01-01T00:00:00Z."""
    return (now - MARKED_AFTER - PG_EPOCH) // timedelta(microseconds=1)


def older(blocks: Sequence[Packed], before: int) -> list[PutRow]:
    """All rows of `blocks` when one of them is older than `before`; nearly always none is."""
    return unpacked(blocks) if any(block.oldest < before for block in blocks) else []


def mark_days(connection: Connection[Row], rows: Sequence[PutRow], outcomes: Sequence[Outcome], before: int) -> None:
    """Inside the transaction that wrote `rows`: name the days of those older than `before` that changed something."""
    if not rows:
        return
    changed = [
        (row, outcome)
        for row, outcome in zip(rows, outcomes, strict=True)
        if row[1] < before and outcome is not DUPLICATE
    ]
    stale = {(row[0], (row[1] + (row[5] or 0) * MINUTE_US) // DAY_US) for row, _ in changed}
    # Without an offset the zone of the space decides; a correction may bring another one. Then it is one of three days.
    unsure = {(row[0], row[1] // DAY_US) for row, outcome in changed if row[5] is None or outcome is CORRECTED}
    stale |= {(series, day + near) for series, day in unsure for near in (-1, 0, 1)}
    if stale:
        days = [PG_EPOCH_DAY + timedelta(days=day) for _, day in stale]
        connection.execute(MARK, ([series for series, _ in stale], days))


async def roll_up(connection: AsyncConnection[Row], now: datetime) -> None:
    """Bring all roll-ups up to date (role gateway_app), in transactions of a moment each. Processes take turns."""
    until = (now.astimezone(UTC) - ROLLED_AFTER).date()
    while await _one(connection, ADVANCE, until, SERIES):
        pass
    while await _one(connection, MEND, MARKS):
        pass


async def _one(connection: AsyncConnection[Row], query: str, *parameters: object) -> int:
    [row] = await (await connection.execute(query.encode(), parameters)).fetchall()
    return int(row[0])
