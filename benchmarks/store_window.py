"""The last 14 days of one patient among 10,000, against the same rows alone in a table of the same kind.

``DEVICE_GATEWAY_BENCH_READINGS`` sets how many readings there are; the aim is for 50 million (9 GB, some minutes). They
are stored as they come: at each time one of every patient, so that no two of one patient are neighbours on the disk.
Ours is `reading_back.oldest` in the patient's scope, limit a SELECT of the same columns. Both fetch into Python.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection

from benchmarks.figure import Figure
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import connect, open_pool
from device_gateway.database.scoping import space_scope
from device_gateway.readings.queries import COLUMNS
from device_gateway.readings.reading_back import oldest
from device_gateway.readings.reading_id import microseconds
from device_gateway.readings.windows import Interval, windows

READINGS = int(os.environ.get("DEVICE_GATEWAY_BENCH_READINGS", "10_000_000"))
PATIENTS = 10_000
EVERY = timedelta(minutes=5)
MEASURED = 20  # patients whose 14 days are read
MOST_RATIO = 2.0
START = datetime(2026, 3, 1, tzinfo=UTC)
SERIES = """WITH p AS (INSERT INTO gateway.space SELECT FROM generate_series(1, %s) RETURNING id)
  INSERT INTO gateway.series (space_id, metric, source_id) SELECT id, 'interstitial-glucose', id FROM p"""
# Made apart, without index and log, and then attached: as ensure_partition does it, only faster.
FILL = """
CREATE UNLOGGED TABLE gateway.reading_202603 (LIKE gateway.reading INCLUDING DEFAULTS);
INSERT INTO gateway.reading_202603 (series, time, seq, value, decimals, offset_min, flags)
  SELECT s, timestamptz '2026-03-01 00:00Z' + n * interval '5 minutes' + s * interval '20 milliseconds', n,
    80 + (n + s) % 100, 0, 60, 1
  FROM generate_series(0, {each} - 1) n, generate_series(1, {patients}) s;
ALTER TABLE gateway.reading ATTACH PARTITION gateway.reading_202603
  FOR VALUES FROM ('2026-03-01 00:00Z') TO ('2026-04-01 00:00Z');
ANALYZE gateway.reading_202603;
"""
ALONE = """
CREATE TABLE gateway.alone_{series} AS SELECT * FROM gateway.reading WHERE series = {series} AND time >= '{since}';
CREATE UNIQUE INDEX ON gateway.alone_{series} (series, time, seq) INCLUDE (value, decimals, offset_min, flags, version);
ANALYZE gateway.alone_{series};
GRANT SELECT ON gateway.alone_{series} TO gateway_app;
"""
SELECT = f"""SELECT {COLUMNS} FROM gateway.alone_{{series}} r
  WHERE r.series = %s AND r.time >= %s AND r.time < %s ORDER BY r.time, r.seq"""


def run() -> list[Figure]:
    with TemporaryDirectory(prefix="dg-bench-") as directory:
        server = EmbeddedPostgres(Path(directory))
        server.start()
        try:
            migrate(server.url("gateway_owner"))
            each = min(READINGS // PATIENTS, int(timedelta(days=31) / EVERY))
            with connect(server.url("gateway_owner"), "gateway_owner") as owner:
                patients = _fill(owner, each)
            return asyncio.run(_measure(server.url("gateway_app"), patients, each))
        finally:
            server.stop()


def _fill(owner: Connection[Any], each: int) -> list[tuple[int, UUID]]:
    """(series, space) of those who are measured."""
    owner.execute("SET maintenance_work_mem = '1GB'")
    owner.execute(SERIES, (PATIENTS,))
    owner.execute(FILL.format(each=each, patients=PATIENTS).encode())
    query = "SELECT id, space_id FROM gateway.series WHERE mod(id, %s) = 7 ORDER BY id"
    patients = [(row.id, row.space_id) for row in owner.execute(query, (PATIENTS // MEASURED,))]
    for series, _ in patients:
        owner.execute(ALONE.format(series=series, since=_since(each).isoformat()).encode())
    return patients


async def _measure(url: str, patients: Sequence[tuple[int, UUID]], each: int) -> list[Figure]:
    """The first look at a patient, and the next one."""
    first: list[tuple[float, float]] = []
    again: list[tuple[float, float]] = []
    since, until = _since(each), START + each * EVERY + timedelta(hours=1)
    interval = Interval(microseconds(since), microseconds(until))
    async with open_pool(url, "gateway_app") as pool, pool.connection() as connection:
        for series, space in patients:

            async def ours(series: int = series, space: UUID = space) -> int:
                async with space_scope(connection, space):
                    return len(await oldest(connection, windows([series], [interval]), 100_000))

            async def alone(series: int = series) -> int:
                return await _alone(connection, series, since, until)

            assert await alone() > 0
            for kept in (first, again):
                kept.append((await _seconds(ours), await _seconds(alone)))
            assert await ours() == await alone()
    of = f"14 days of one of {PATIENTS:,} patients with {each * PATIENTS:,} readings"
    limit = f"limit: the same rows alone in a table, at most {MOST_RATIO:.0f} times"
    return [
        _figure("last-14-days", again, f"{of}, as soon as they were read once; {limit}"),
        _figure("last-14-days-first-look", first, f"{of}, for the first time; limit: as before"),
    ]


async def _alone(connection: AsyncConnection[Any], series: int, since: datetime, until: datetime) -> int:
    async with connection.transaction():
        cursor = await connection.execute(SELECT.format(series=series).encode(), (series, since, until), binary=True)
        return len(await cursor.fetchall())


def _since(each: int) -> datetime:
    return START + each * EVERY - timedelta(days=14)


async def _seconds(work: Callable[[], Awaitable[int]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def _figure(name: str, times: Sequence[tuple[float, float]], how: str) -> Figure:
    ours, limit = (statistics.median(column) * 1000 for column in zip(*times, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in times)
    return Figure(name, round(ours, 1), round(limit, 1), round(ratio, 2), "ms", how)
