"""What a reading costs on disk: with its index in a partition, and compressed in columns.

A sensor's reading every five minutes; the values wander as glucose does, so that compression has something to do.
Compressed needs TimescaleDB under its own licence: PGlite from npm, installed into a directory of its own.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from psycopg import Connection

from benchmarks.figure import Figure
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import connect
from device_gateway.store.compression import compress_older_than
from device_gateway.store.index import rebuild_loose

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from columnstore_server import columnstore_server  # it is beside the tests

SENSORS, DAYS = 50, 28
COLUMN_SENSORS = 10  # PGlite is slow; a segment is a series, so more of them change nothing
PLAIN_AIM, COMPRESSED_AIM = 170, 12  # bytes
# As the readings come: all sensors at one time, then at the next. A wave a day, a smaller one, a little noise.
# Times are the start of the session and whole minutes, as they are stored; one in fifty is lost on the way.
FILL = """INSERT INTO gateway.reading (series, time, seq, value, decimals, offset_min, flags)
  SELECT s, t, n, round(120 + 40 * sin(n / 45.8 + s) + 25 * sin(n / 9.3 + 2 * s) + 3 * (random() - 0.5)), 0, 60, 1
  FROM generate_series(0, %(days)s * 288 - 1) n, generate_series(1, %(sensors)s) s,
    LATERAL (SELECT timestamptz '2026-02-01' + n * interval '5 minutes' + s * interval '13 seconds' AS t) x
  WHERE random() + 0 * n > 0.02 ORDER BY n, s"""
PLAIN_BYTES = """SELECT sum(pg_total_relation_size(inhrelid))::float8 AS bytes FROM pg_inherits
  WHERE inhparent = 'gateway.reading'::regclass"""
COMPRESSED_BYTES = """SELECT sum(after_compression_total_bytes)::float8 AS bytes
  FROM hypertable_compression_stats('gateway.reading')"""


def run() -> list[Figure]:
    with TemporaryDirectory(prefix="dg-bench-") as directory:
        return [*_plain(Path(directory)), _compressed(Path(directory) / "pglite")]


def _plain(directory: Path) -> list[Figure]:
    """As it is after the month, and as it was while the month was written."""
    server = EmbeddedPostgres(directory)
    server.start()
    try:
        migrate(server.url("gateway_owner"))
        with connect(server.url("gateway_owner"), "gateway_owner") as owner:
            owner.execute("SELECT gateway.ensure_partition(ARRAY[timestamptz '2026-02-01', '2026-03-01'])")
            _fill(owner, SENSORS)
            rows = _count(owner)
            [written] = owner.execute(PLAIN_BYTES).fetchall()
            owner.execute("VACUUM ANALYZE gateway.reading")
            rebuild_loose(owner, datetime.now(UTC))
            [kept] = owner.execute(PLAIN_BYTES).fetchall()
    finally:
        server.stop()
    how = f"{SENSORS} sensors for {DAYS} days as they come, native partition with its index, {{}}; limit: the aim"
    return [
        Figure(name, round(size / rows, 1), PLAIN_AIM, round(size / rows / PLAIN_AIM, 2), "bytes", how.format(when))
        for name, size, when in (
            ("bytes-per-reading", kept.bytes, "once the month is over and kept up"),
            ("bytes-per-reading-written", written.bytes, "while the month is written"),
        )
    ]


def _compressed(directory: Path) -> Figure:
    with columnstore_server(directory) as url, connect(url, "gateway_owner") as owner:
        _fill(owner, COLUMN_SENSORS)
        compress_older_than(owner, timedelta(0), datetime.now(UTC) + timedelta(days=3650))
        [size] = owner.execute(COMPRESSED_BYTES).fetchall()
        rows = _count(owner)
    each = size.bytes / rows
    how = f"{COLUMN_SENSORS} sensors for {DAYS} days, chunks of a week in the columnstore (PGlite); limit: the aim"
    return Figure(
        "bytes-per-reading-compressed", round(each, 1), COMPRESSED_AIM, round(each / COMPRESSED_AIM, 2), "bytes", how
    )


def _count(owner: Connection[Any]) -> int:
    [row] = owner.execute("SELECT count(*) AS rows FROM gateway.reading").fetchall()
    return int(row.rows)


def _fill(owner: Connection[Any], sensors: int) -> None:
    owner.execute(FILL, {"days": DAYS, "sensors": sensors})
