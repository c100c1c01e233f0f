"""A durable outbox in SQLite: what has been read and is not yet known to be stored by the gateway.

A message leaves it only when the gateway says what became of every reading in it. The spool has an upper size; full, it
takes nothing more: what it holds is older, and what it refuses is still in the device's own memory.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final, Literal

from device_gateway.errors import GatewayError

LIMIT_OCTETS: Final = 64 * 1024 * 1024  # about 250,000 readings: months of a household without a network

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT NOT NULL UNIQUE,
  channel TEXT NOT NULL CHECK (channel IN ('readings', 'raw', 'event')),
  device TEXT,
  readings INTEGER NOT NULL,
  octets INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_octets ON outbox (octets);
"""

Channel = Literal["readings", "raw", "event"]


class SpoolFull(GatewayError):
    """The spool is full: readings stay in the devices until the gateway takes what is spooled."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


@dataclass(frozen=True, slots=True)
class Spooled:
    """One message: the last level of its topic, its JSON, and how many readings the outcome must speak of.

    device  whose records it carries, None where it carries none
    """

    message_id: str
    channel: Channel
    readings: int
    body: bytes
    device: str | None = None


class Spool:
    """The outbox on a connection that its owner opened, whose transactions it also ends."""

    def __init__(self, connection: sqlite3.Connection, limit_octets: int = LIMIT_OCTETS) -> None:
        self._connection = connection
        self._limit_octets = limit_octets

    def put(self, message: Spooled) -> None:
        """Adds a message within the transaction that is open. One that is there already is not added again.

        Raises SpoolFull; the transaction is then to be rolled back.
        """
        octets = len(message.body)
        if self.octets() + octets > self._limit_octets:
            raise SpoolFull
        self._connection.execute(
            "INSERT INTO outbox (message_id, channel, readings, octets, body, device) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (message_id) DO NOTHING",
            (message.message_id, message.channel, message.readings, octets, message.body, message.device),
        )

    def oldest(self, limit: int, except_for: set[str]) -> list[Spooled]:
        """The oldest messages, at most `limit`, leaving out those with an id in `except_for`."""
        found: list[Spooled] = []
        rows = self._connection.execute("SELECT message_id, channel, readings, body, device FROM outbox ORDER BY id")
        for row in rows:
            if len(found) == limit:
                break
            if row[0] not in except_for:
                found.append(Spooled(*row))
        rows.close()
        return found

    def expected(self, message_id: str) -> int | None:
        """How many readings the message has; None when there is no such message (any more)."""
        row = self._connection.execute("SELECT readings FROM outbox WHERE message_id = ?", (message_id,)).fetchone()
        return None if row is None else int(row[0])

    def device(self, message_id: str) -> str | None:
        """Whose records the message carries."""
        row = self._connection.execute("SELECT device FROM outbox WHERE message_id = ?", (message_id,)).fetchone()
        return None if row is None else row[0]

    def holds_records_of(self, device: str) -> bool:
        """Whether anything of this device still waits for the gateway's answer."""
        return (
            self._connection.execute("SELECT 1 FROM outbox WHERE device = ? LIMIT 1", (device,)).fetchone() is not None
        )

    def remove(self, message_id: str) -> None:
        """The gateway has it: gone for good."""
        self._connection.execute("DELETE FROM outbox WHERE message_id = ?", (message_id,))

    def messages(self) -> int:
        """How many messages wait."""
        return int(self._connection.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def octets(self) -> int:
        """The size of all that waits."""
        return int(self._connection.execute("SELECT coalesce(sum(octets), 0) FROM outbox").fetchone()[0])
