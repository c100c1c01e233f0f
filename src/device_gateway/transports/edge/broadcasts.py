"""What an edge keeps of devices that broadcast: their bind keys, and what it has heard of their last measurement.

By address, since a key is there before the gateway has given the device its id.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS broadcast (
  address TEXT PRIMARY KEY,
  bind_key BLOB CHECK (length(bind_key) = 16),
  measurement BLOB,
  first_heard TEXT,
  last_heard TEXT,
  kept BLOB NOT NULL DEFAULT x'',
  refused INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class LastHeard:
    """The last measurement of a device.

    measurement  what its broadcasts have in common, None before the first
    first_heard  of this measurement (aware): the effective time where the device has none itself
    kept         a digest of each content that went into the spool, one after the other
    refused      broadcasts that could not be read since the last one that could
    """

    bind_key: bytes | None = None
    measurement: bytes | None = None
    first_heard: datetime | None = None
    last_heard: datetime | None = None
    kept: bytes = b""
    refused: int = 0


class Broadcasts:
    """The table on a connection that its owner opened, whose transactions it also ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, address: str) -> LastHeard:
        """What is known of the device at `address`."""
        row = self._connection.execute(
            "SELECT bind_key, measurement, first_heard, last_heard, kept, refused FROM broadcast WHERE address = ?",
            (address,),
        ).fetchone()
        if row is None:
            return LastHeard()
        first, last = (datetime.fromisoformat(text) if text else None for text in row[2:4])
        return LastHeard(row[0], row[1], first, last, row[4], row[5])

    def set_key(self, address: str, bind_key: bytes | None) -> None:
        """Of a device that is paired now."""
        self._connection.execute(
            "INSERT INTO broadcast (address, bind_key) VALUES (?, ?)"
            " ON CONFLICT (address) DO UPDATE SET bind_key = excluded.bind_key, refused = 0",
            (address, bind_key),
        )

    def note(self, address: str, heard: LastHeard) -> None:
        """All but the key."""
        first, last = (moment.isoformat() if moment else None for moment in (heard.first_heard, heard.last_heard))
        self._connection.execute(
            "INSERT INTO broadcast (address, measurement, first_heard, last_heard, kept, refused)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET measurement = excluded.measurement,"
            " first_heard = excluded.first_heard, last_heard = excluded.last_heard, kept = excluded.kept,"
            " refused = excluded.refused",
            (address, heard.measurement, first, last, heard.kept, heard.refused),
        )

    def forget(self, address: str) -> None:
        """Key and all."""
        self._connection.execute("DELETE FROM broadcast WHERE address = ?", (address,))
