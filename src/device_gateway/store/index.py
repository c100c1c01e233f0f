"""The index of a past piece, made anew once nothing much comes to it: half of its space comes back.

Readings arrive in the order of time, the index is in the order of series: each series grows at its own place in it,
and PostgreSQL splits pages there in the middle. So they stay half full: right while they grow, waste afterwards.
"""

from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from device_gateway.database.pool import Row
from device_gateway.store.pieces import Piece, pieces

QUIET = timedelta(days=7)  # after the end of a piece: until then late readings are common
FULL_BYTES = 58  # an entry: 8 of header, 4 of pointer, 40 of key and included columns, on pages that are 90 % full
LOOSE = 1.25  # times that: made anew. Less is not worth the work, and what was made anew is far from it
ENOUGH_ROWS = 10_000  # below that the pages that any index has outweigh its entries

INDEX = """SELECT n.nspname AS schema, c.relname AS name, pg_relation_size(c.oid) AS bytes, i.indisvalid AS valid
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE i.indrelid = %s::regclass AND i.indisunique"""


def rebuild_loose(connection: Connection[Row], now: datetime) -> list[Piece]:
    """Make the indexes of past pieces anew where they are half empty; returns those pieces (role gateway_owner).

    Readers and writers go on meanwhile. Raises psycopg.errors.LockNotAvailable when a transaction stays open for too
    long; what that leaves behind is removed the next time.
    """
    done = []
    for piece in pieces(connection):
        if piece.compressed or piece.until > now - QUIET or piece.rows < ENOUGH_ROWS:
            continue
        for index in connection.execute(INDEX, (piece.name,)).fetchall():
            name = Identifier(index.schema, index.name)
            if not index.valid:  # an attempt that was given up
                connection.execute(SQL("DROP INDEX CONCURRENTLY {}").format(name))
            elif index.bytes > LOOSE * FULL_BYTES * piece.rows:
                connection.execute(SQL("REINDEX INDEX CONCURRENTLY {}").format(name))
                done.append(piece)
    return done
