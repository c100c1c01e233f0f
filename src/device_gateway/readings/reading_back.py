"""Reading back: the newest values, a stretch of time, pages of a long history, one reading by its id.

Every function takes a connection inside `space_scope`: the space of that transaction is the only one there is.
`metrics` are keys of the catalogue.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import LiteralString
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.metrics import METRICS
from device_gateway.readings import queries
from device_gateway.readings.reading_id import ReadingId, microseconds
from device_gateway.readings.rows import KeptReading, Series, StoredRow, kept_reading
from device_gateway.readings.windows import Interval, Window, just_at, timestamp, windows

Connection = AsyncConnection[Row]

MOST_READINGS = 100_000  # of one call: two months of a value a minute; more is read by pages


async def series_of_space(connection: Connection) -> list[Series]:
    """All series of the space, oldest first. A metric that the catalogue no longer has cannot be shown: left out."""
    cursor = await connection.execute(queries.SERIES)
    return [
        Series(row.id, row.uuid, METRICS[row.metric], row.device_id, row.source_id, row.source_name)
        for row in await cursor.fetchall()
        if row.metric in METRICS
    ]


async def zone_of_space(connection: Connection) -> ZoneInfo:
    row = await (await connection.execute(queries.ZONE)).fetchone()
    return ZoneInfo(row.zone if row else "UTC")


async def newest(connection: Connection, among: Sequence[Window], limit: int) -> list[StoredRow]:
    """At most `limit` rows of the windows, newest first; ties by series and sequence, the higher first."""
    return await _newest(connection, among, each=limit, limit=limit)


async def oldest(connection: Connection, among: Sequence[Window], limit: int) -> list[StoredRow]:
    """At most `limit` rows of the windows, oldest first; ties by series and sequence, the lower first."""
    starts = ([timestamp(w.low) for w in among], [w.low_seq for w in among])
    parameters = (*starts, [timestamp(w.high) for w in among], limit, limit)
    return await _rows(connection, queries.OLDEST, [w.series for w in among], *parameters)


async def count(connection: Connection, among: Sequence[Window]) -> int:
    """How many readings the windows of `windows()` hold."""
    lows, highs = [timestamp(w.low + 1) for w in among], [timestamp(w.high) for w in among]
    row = await (await connection.execute(queries.COUNT, ([w.series for w in among], lows, highs))).fetchone()
    return int(row.readings) if row else 0


async def identified(connection: Connection, wanted: Collection[tuple[Series, ReadingId]]) -> list[StoredRow]:
    """The rows of those of `wanted` that exist, newest first."""
    keys = {(series.id, identity.at_us, identity.seq) for series, identity in wanted}
    among = [just_at(*key) for key in keys]
    rows = await _newest(connection, among, each=1, limit=len(among))
    return [row for row in rows if (row.series, microseconds(row.time), row.seq) in keys]


async def holding_readings(connection: Connection, among: Iterable[Series]) -> frozenset[int]:
    """Keys of the series that hold at least one reading."""
    whole = windows(series.id for series in among)
    return frozenset(row.series for row in await _newest(connection, whole, each=1, limit=len(whole)))


async def latest(connection: Connection, metrics: Collection[str] | None = None) -> list[KeptReading]:
    """The newest reading of each metric, in the catalogue's order; of all metrics when none are named."""
    series = {item.id: item for item in await _series(connection, metrics)}
    found: dict[str, KeptReading] = {}
    for row in await _newest(connection, windows(series), each=1, limit=len(series)):
        reading = kept_reading(row, series[row.series])
        found.setdefault(reading.metric.key, reading)
    return [found[key] for key in METRICS if key in found]


async def by_id(connection: Connection, identity: ReadingId) -> KeptReading | None:
    """The reading that `identity` names, or None where this space has none."""
    series = next((item for item in await series_of_space(connection) if item.uuid == identity.series), None)
    rows = await identified(connection, [(series, identity)]) if series else []
    return kept_reading(rows[0], series) if series and rows else None


async def between(
    connection: Connection, metrics: Collection[str], since: datetime, until: datetime, limit: int = MOST_READINGS
) -> list[KeptReading]:
    """Readings of `metrics` from `since` up to and without `until` (aware), oldest first, at most `limit`."""
    series = {item.id: item for item in await _series(connection, metrics)}
    interval = Interval(microseconds(since), microseconds(until))
    rows = await oldest(connection, windows(series, [interval]), limit)
    return [kept_reading(row, series[row.series]) for row in rows]


async def series_keys(connection: Connection, metric: str) -> list[int]:
    """The store's keys of the series of one metric: the parameter of what is summed up in the database."""
    return [item.id for item in await _series(connection, [metric])]


async def _series(connection: Connection, metrics: Collection[str] | None) -> list[Series]:
    return [item for item in await series_of_space(connection) if metrics is None or item.metric.key in metrics]


async def _newest(connection: Connection, among: Sequence[Window], *, each: int, limit: int) -> list[StoredRow]:
    highs, high_seqs = [timestamp(w.high) for w in among], [w.high_seq for w in among]
    lows = [timestamp(w.low + 1) for w in among]
    return await _rows(connection, queries.NEWEST, [w.series for w in among], lows, highs, high_seqs, each, limit)


async def _rows(connection: Connection, query: LiteralString, series: Sequence[int], *more: object) -> list[StoredRow]:
    if not series:
        return []
    cursor = await connection.execute(query, (series, *more), binary=True)  # binary: float8 arrives as it is stored
    return await cursor.fetchall()
