"""What an edge keeps of the sessions of sensors: a start that was asked for, what it has told, and what is missing."""

import json
import sqlite3
from datetime import datetime, timedelta
from typing import Final

from device_gateway.transports.ble.gaps import Gaps

WISH_HOLDS: Final = timedelta(hours=12)  # a session that starts days after it was asked for starts by surprise

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sensor_session (
  device_id TEXT PRIMARY KEY,
  start_wanted_at TEXT,
  told TEXT,
  gaps TEXT
) STRICT;
"""


class SensorSessionsKept:
    """The table on a connection that its owner opened. A call is whole in itself, or part of what its owner began."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def want_start(self, device_id: str, at: datetime) -> None:
        """Its wearer asks for a new session; `at` is aware."""
        self._set(device_id, "start_wanted_at", at.isoformat())

    def start_wanted(self, device_id: str, now: datetime) -> bool:
        """Whether it was asked for, not too long ago."""
        wanted = self._get(device_id, "start_wanted_at")
        return wanted is not None and now - datetime.fromisoformat(wanted) <= WISH_HOLDS

    def start_done(self, device_id: str) -> None:
        """Started, or not to be started any more."""
        self._set(device_id, "start_wanted_at", None)

    def told(self, device_id: str) -> str | None:
        """The state that the gateway was told last."""
        return self._get(device_id, "told")

    def note_told(self, device_id: str, state: str) -> None:
        self._set(device_id, "told", state)

    def gaps(self, device_id: str, last: int | None) -> Gaps:
        """What is missing of the session that was read last, up to minute `last` where nothing was noted yet."""
        kept = self._get(device_id, "gaps")
        if kept is None:
            return Gaps(last=last)
        pace_min, latest, stretches = json.loads(kept)
        return Gaps(pace_min, latest, [(first, until) for first, until in stretches])

    def note_gaps(self, device_id: str, gaps: Gaps) -> None:
        self._set(device_id, "gaps", json.dumps([gaps.pace_min, gaps.last, gaps.open]))

    def _get(self, device_id: str, column: str) -> str | None:
        row = self._connection.execute(
            f"SELECT {column} FROM sensor_session WHERE device_id = ?", (device_id,)
        ).fetchone()
        return None if row is None else row[0]

    def _set(self, device_id: str, column: str, value: str | None) -> None:
        self._connection.execute(
            f"INSERT INTO sensor_session (device_id, {column}) VALUES (?, ?)"
            f" ON CONFLICT (device_id) DO UPDATE SET {column} = excluded.{column}",
            (device_id, value),
        )
