"""Users of scales that tell people apart, and their consent codes, as an edge keeps them: by address of the scale."""

import sqlite3
from typing import Final

from device_gateway.transports.ble.consent import User

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS consent (
  address TEXT NOT NULL,
  user_index INTEGER NOT NULL CHECK (user_index BETWEEN 0 AND 254),
  code INTEGER NOT NULL CHECK (code BETWEEN 0 AND 9999),
  PRIMARY KEY (address, user_index)
) STRICT;
"""


class Consents:
    """The table on a connection that its owner opened. Each call is whole in itself."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, address: str) -> list[User]:
        """The users whose measurements this edge fetches from the scale."""
        rows = self._connection.execute(
            "SELECT user_index, code FROM consent WHERE address = ? ORDER BY user_index", (address,)
        )
        return [User(*row) for row in rows]

    def add(self, address: str, user: User) -> None:
        """One more user, or another code of one who is known."""
        self._connection.execute(
            "INSERT INTO consent VALUES (?, ?, ?) ON CONFLICT (address, user_index) DO UPDATE SET code = excluded.code",
            (address, user.index, user.code),
        )

    def drop(self, address: str, user: User) -> None:
        """The scale no longer knows this user, or not with this code."""
        self._connection.execute("DELETE FROM consent WHERE address = ? AND user_index = ?", (address, user.index))
