"""Archives: a piece of the table of readings as a file, with its history of corrections, to keep or to read in again.

A gzip file of CSV with a header: ``series`` (UUID), ``time``, ``seq``, ``version``, ``value``, ``value2``, ``value3``,
``decimals``, ``offset_min``, ``flags``, ``context`` (JSON), ``replaced_at`` (empty for what was current). Numbers are
in the canonical unit, exact. Beside it ``FILE.sha256``, as sha256sum writes and checks it.
"""

import gzip
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.errors import ArchiveUnreadable
from device_gateway.store.pieces import Piece

COLUMNS = "series, time, seq, version, value, value2, value3, decimals, offset_min, flags, context, replaced_at"
EXPORT = """COPY (
  SELECT s.uuid AS series, r.time, r.seq, r.version, r.value, r.value2, r.value3, r.decimals, r.offset_min, r.flags,
    r.context, r.replaced_at
  FROM (SELECT series, time, seq, version, value, value2, value3, decimals, offset_min, flags, context,
          NULL::timestamptz AS replaced_at FROM gateway.reading WHERE time >= '{since}' AND time < '{until}'
        UNION ALL
        SELECT series, time, seq, version, value, value2, value3, decimals, offset_min, flags, context, replaced_at
          FROM gateway.reading_version WHERE time >= '{since}' AND time < '{until}') r
    JOIN gateway.series s ON s.id = r.series
  ORDER BY s.uuid, r.time, r.seq, r.version) TO STDOUT (FORMAT csv, HEADER)"""
ARRIVING = """CREATE TABLE gateway.reading_arriving (series uuid, time timestamptz, seq int8, version int2,
  value float8, value2 float8, value3 float8, decimals int2, offset_min int2, flags int2, context jsonb,
  replaced_at timestamptz)"""
IMPORT = f"COPY gateway.reading_arriving ({COLUMNS}) FROM STDIN (FORMAT csv, HEADER MATCH)"
PARTITIONS = """SELECT gateway.ensure_partition(array_agg(month))
  FROM (SELECT DISTINCT date_trunc('month', time, 'UTC') AS month FROM gateway.reading_arriving) m"""
UNKNOWN = """SELECT count(*) AS rows FROM gateway.reading_arriving a
  WHERE NOT EXISTS (SELECT FROM gateway.series s WHERE s.uuid = a.series)"""
RESTORE = """WITH put AS (
    INSERT INTO gateway.reading
      (series, time, seq, version, value, value2, value3, decimals, offset_min, flags, context)
    SELECT s.id, a.time, a.seq, a.version, a.value, a.value2, a.value3, a.decimals, a.offset_min, a.flags, a.context
    FROM gateway.reading_arriving a JOIN gateway.series s ON s.uuid = a.series WHERE a.replaced_at IS NULL
    ON CONFLICT (series, time, seq) DO NOTHING RETURNING series, time)
  SELECT count(*) AS rows, gateway.reading_days_name(array_agg(series), array_agg(time)) AS named FROM put"""
RESTORE_VERSIONS = """INSERT INTO gateway.reading_version
    (series, time, seq, version, value, value2, value3, decimals, offset_min, flags, context, replaced_at)
  SELECT s.id, a.time, a.seq, a.version, a.value, a.value2, a.value3, a.decimals, a.offset_min, a.flags, a.context,
    a.replaced_at
  FROM gateway.reading_arriving a JOIN gateway.series s ON s.uuid = a.series WHERE a.replaced_at IS NOT NULL
  ON CONFLICT DO NOTHING"""
ROWS = """SELECT (SELECT count(*) FROM gateway.reading WHERE time >= %(since)s AND time < %(until)s)
  + (SELECT count(*) FROM gateway.reading_version WHERE time >= %(since)s AND time < %(until)s) AS rows"""
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """Rows of an archive: `stored` now; `known` already, left as they are; of a series that is `unknown` here."""

    stored: int
    known: int
    unknown: int


def write_archive(connection: Connection[Row], piece: Piece, directory: Path) -> tuple[Path, int]:
    """Write the piece into `directory`; returns the file and its rows. Readable by its owner only: it is health data.

    The file has its name once it is whole and on disk. Raises OSError. Role gateway_owner.
    """
    directory.mkdir(parents=True, exist_ok=True)
    since, until = (at.astimezone(UTC) for at in (piece.since, piece.until))
    path = directory / f"readings-{since:%Y%m%dT%H%M}-{until:%Y%m%dT%H%M}.csv.gz"
    unfinished = path.with_suffix(".part")
    query = EXPORT.format(since=since.isoformat(), until=until.isoformat())
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file, connection.cursor() as cursor:
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed, cursor.copy(query.encode()) as copy:
            for block in copy:
                packed.write(block)
        file.flush()
        os.fsync(file.fileno())
        rows = cursor.rowcount
    checksum = path.with_name(path.name + ".sha256")
    checksum.write_text(f"{_sha256(unfinished)}  {path.name}\n", "utf-8")
    unfinished.replace(path)
    return path, rows


def rows_of(connection: Connection[Row], piece: Piece) -> int:
    """Readings and past versions. Each new reading and each correction makes it more."""
    [row] = connection.execute(ROWS, {"since": piece.since, "until": piece.until}).fetchall()
    return int(row.rows)


def read_archive(connection: Connection[Row], path: Path, told: Callable[[int], None] = lambda _: None) -> Restored:
    """Put what an archive holds back into the store, in one transaction; what is there already is left as it is.

    `told` is given how many bytes of the file were read. Raises ArchiveUnreadable. Role gateway_owner.
    """
    _check(path)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(ARRIVING)
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as rows, cursor.copy(IMPORT) as copy:
            while block := rows.read(BLOCK_BYTES):
                copy.write(block)
                told(file.tell())
        total = cursor.rowcount
        cursor.execute(PARTITIONS)
        [unknown] = cursor.execute(UNKNOWN).fetchall()
        [readings] = cursor.execute(RESTORE).fetchall()
        stored = readings.rows + cursor.execute(RESTORE_VERSIONS).rowcount
        cursor.execute("DROP TABLE gateway.reading_arriving")
    return Restored(stored, total - unknown.rows - stored, unknown.rows)


def _check(path: Path) -> None:
    """Raises ArchiveUnreadable unless the file is what its checksum says."""
    checksum = path.with_name(path.name + ".sha256")
    try:
        expected, found = checksum.read_text("utf-8").split()[:1], _sha256(path)
    except OSError as error:
        raise ArchiveUnreadable(f"{error.filename}: {error.strerror}") from error
    if expected != [found]:
        raise ArchiveUnreadable(f"{path} is not what {checksum.name} says: it is damaged, or of another archive.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
