"""How much is stored, how fast it grows, and how long a chunk may be for that."""

from dataclasses import dataclass

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.store.pieces import is_hypertable, pieces

ROW_BYTES = 170  # of an uncompressed reading with its index: benchmark bytes-per-reading
# The chunk that is written to stays in memory with its index, or each insert waits for the disk; other tables and the
# chunks that are read need the rest.
MEMORY_SHARE = 0.25
SHORTEST_H, LONGEST_H = 1, 4 * 168  # below an hour planning suffers from the number of chunks
ENOUGH_ROWS = 1_000_000  # before that nothing outgrows anything
MEMORY = "SELECT pg_size_bytes(current_setting('effective_cache_size')) AS bytes"


@dataclass(frozen=True, slots=True)
class Measured:
    """`rows_per_day` of the last whole piece; `fitting_hours` is the chunk length that this rate asks for."""

    hypertable: bool
    pieces: int
    compressed: int
    bytes: int
    rows_per_day: float
    fitting_hours: int


def measure(connection: Connection[Row]) -> Measured:
    """By the server's own statistics: nothing is counted. Role gateway_owner."""
    [memory] = connection.execute(MEMORY).fetchall()
    found = pieces(connection)
    filled = [piece for piece in found if piece.rows > 0 and not piece.compressed]
    newest = filled[-2:-1] or filled[-1:]  # the one before the last is whole
    rate = sum(piece.rows / ((piece.until - piece.since).total_seconds() / 86_400) for piece in newest)
    return Measured(
        is_hypertable(connection), len(found), sum(piece.compressed for piece in found),
        sum(piece.bytes for piece in found), rate, fitting_hours(rate, memory.bytes),
    )  # fmt: skip


def fitting_hours(rows_per_day: float, memory_bytes: int) -> int:
    """The chunk length, in hours, at which one chunk takes `MEMORY_SHARE` of the memory."""
    if rows_per_day * LONGEST_H / 24 < ENOUGH_ROWS:
        return LONGEST_H
    hours = memory_bytes * MEMORY_SHARE / (rows_per_day / 24 * ROW_BYTES)
    return int(min(max(hours, SHORTEST_H), LONGEST_H))
