"""Retention: pieces that ended long ago are archived, where that is asked for, removed with what is made of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.store.archive import rows_of, write_archive
from device_gateway.store.pieces import Piece, drop, pieces

VERSIONS = "DELETE FROM gateway.reading_version WHERE time >= %s AND time < %s"
# The days about the end are partly of the piece after it: they are summed up again.
DAYS = "DELETE FROM gateway.reading_day WHERE day < %s::timestamptz::date - 1"
LAST_DAYS = """INSERT INTO gateway.reading_day_dirty
  SELECT series, day FROM gateway.reading_day WHERE day <= %s::timestamptz::date"""


@dataclass(frozen=True, slots=True)
class Removed:
    piece: Piece
    archive: Path | None


def remove_older_than(
    connection: Connection[Row], age: timedelta, now: datetime, archive: Path | None
) -> Iterator[Removed]:
    """Remove every piece that ended more than `age` ago, oldest first, each in its transaction (role gateway_owner).

    With `archive` each is written there first, while others go on reading and writing it; what came meanwhile is seen
    before it is dropped, and then it is written again. Raises OSError, and then the piece stays.
    """
    for piece in pieces(connection):
        if piece.until > now - age:
            return
        written = write_archive(connection, piece, archive) if archive else None
        with connection.transaction():
            connection.execute(f"LOCK TABLE {piece.name} IN SHARE MODE".encode())  # from here on who writes to it waits
            if archive and written and written[1] != rows_of(connection, piece):
                written = write_archive(connection, piece, archive)
            drop(connection, piece)
            connection.execute(VERSIONS, (piece.since, piece.until))
            connection.execute(DAYS, (piece.until,))
            connection.execute(LAST_DAYS, (piece.until,))
        yield Removed(piece, written[0] if written else None)
