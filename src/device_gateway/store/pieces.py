"""The pieces that the table of readings consists of: monthly partitions, or chunks of a hypertable."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from device_gateway.database.pool import Row

UPKEEP_LOCK = "gateway.reading: upkeep"  # of one process at a time: what compresses, drops, moves or restores pieces

HYPERTABLE = """SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
  AND NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = 'gateway.reading'::regclass) AS yes"""
PARTITIONS = r"""
SELECT c.oid::regclass::text AS name, bounds[1]::timestamptz AS since, bounds[2]::timestamptz AS until,
  false AS compressed, false AS partial, greatest(c.reltuples, 0)::float8 AS rows,
  pg_total_relation_size(c.oid) AS bytes
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') AS bounds
WHERE i.inhparent = 'gateway.reading'::regclass ORDER BY since"""
# Status of a chunk: 1 is compressed, 8 that rows came since.
CHUNKS = """
SELECT format('%I.%I', n.chunk_schema, n.chunk_name) AS name, n.range_start AS since, n.range_end AS until,
  k.status & 1 = 1 AS compressed, k.status & 9 = 9 AS partial, greatest(c.reltuples, 0)::float8 AS rows,
  pg_total_relation_size(c.oid)
    + CASE WHEN z.id IS NULL THEN 0
      ELSE pg_total_relation_size(format('%I.%I', z.schema_name, z.table_name)::regclass) END AS bytes
FROM timescaledb_information.chunks n
  JOIN _timescaledb_catalog.chunk k ON k.schema_name = n.chunk_schema AND k.table_name = n.chunk_name
  LEFT JOIN _timescaledb_catalog.chunk z ON z.id = k.compressed_chunk_id
  JOIN pg_class c ON c.oid = format('%I.%I', n.chunk_schema, n.chunk_name)::regclass
WHERE n.hypertable_schema = 'gateway' AND n.hypertable_name = 'reading' ORDER BY since"""


@dataclass(frozen=True, slots=True)
class Piece:
    """Readings from `since` up to and without `until`.

    name        of the relation, quoted for SQL
    compressed  kept in columns; `partial`: rows came since, which are not
    rows        as the server last counted them: 0 where it never did
    bytes       on disk, with indexes
    """

    name: str
    since: datetime
    until: datetime
    compressed: bool
    partial: bool
    rows: float
    bytes: int


def is_hypertable(connection: Connection[Row]) -> bool:
    [row] = connection.execute(HYPERTABLE).fetchall()
    return bool(row.yes)


def pieces(connection: Connection[Row]) -> list[Piece]:
    """All of them, oldest first (role gateway_owner)."""
    connection.execute("SET timezone = 'UTC'")
    found = connection.execute(CHUNKS if is_hypertable(connection) else PARTITIONS).fetchall()
    return [Piece(*row) for row in found]


def drop(connection: Connection[Row], piece: Piece) -> None:
    """Remove the piece with its readings, inside a transaction; for a moment nobody else writes."""
    if is_hypertable(connection):
        connection.execute(
            "SELECT drop_chunks('gateway.reading', older_than => %s, newer_than => %s)", (piece.until, piece.since)
        )
    else:
        connection.execute(f"DROP TABLE {piece.name}".encode())
