"""Raw payloads that gave no reading, or not all they held: kept with the reason, counted, replayable.

The same bytes on the same topic are one row with a count. What a row holds may be health data: it is shown to
operators only when they ask for it by number, and it expires.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from psycopg import Connection

from device_gateway.database.pool import Row

KEEP = """
INSERT INTO gateway.quarantine AS q (topic, sender, dialect, payload, payload_sha256, pointer, reason, expires_at)
SELECT t, s, d, p, h, i, r, now() + make_interval(days => %b::int)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::text[], %b::text[])
  AS x (t, s, d, p, h, i, r)
ON CONFLICT (topic, payload_sha256) DO UPDATE SET seen = q.seen + 1, last_at = now(), pointer = excluded.pointer,
  reason = excluded.reason, expires_at = excluded.expires_at, replayed_at = NULL, replay_result = NULL"""
LIST = """SELECT id, topic, sender, dialect, pointer, reason, seen, length(payload) AS bytes, first_at, last_at,
  expires_at, replayed_at, replay_result FROM gateway.quarantine WHERE id > %s ORDER BY id LIMIT %s"""
SHOW = "SELECT * FROM gateway.quarantine WHERE id = %s"
WAITING = (
    "SELECT id FROM gateway.quarantine WHERE replayed_at IS NULL AND (%b::text IS NULL OR dialect = %b) ORDER BY id"
)
REPLAYED = "UPDATE gateway.quarantine SET replayed_at = now(), replay_result = %s WHERE id = %s"
EXPIRE = "DELETE FROM gateway.quarantine WHERE expires_at < now()"


class Misfit(NamedTuple):
    """A payload to keep, and why."""

    topic: str
    sender: str
    dialect: str
    payload: bytes
    pointer: str
    reason: str


def keep(connection: Connection[Row], misfits: Sequence[Misfit], days: int) -> None:
    """Keep `misfits` inside the transaction that is open."""
    unique = {(m.topic, hashlib.sha256(m.payload).digest()): m for m in misfits}
    if not unique:
        return
    rows = sorted(unique.items())
    connection.execute(
        KEEP,
        (
            days, [m.topic for _, m in rows], [m.sender for _, m in rows], [m.dialect for _, m in rows],
            [m.payload for _, m in rows], [digest for (_, digest), _ in rows],
            [m.pointer for _, m in rows], [m.reason for _, m in rows],
        ),
    )  # fmt: skip


def listed(connection: Connection[Row], after: int = 0, limit: int = 100) -> list[Row]:
    """Rows without their payloads, oldest first."""
    return connection.execute(LIST, (after, limit)).fetchall()


def shown(connection: Connection[Row], number: int) -> Row | None:
    """One row with its payload."""
    return connection.execute(SHOW, (number,)).fetchone()


def waiting(connection: Connection[Row], dialect: str | None = None) -> list[int]:
    """Numbers of the rows that were not replayed since they came last."""
    return [row.id for row in connection.execute(WAITING, (dialect, dialect))]


def note_replayed(connection: Connection[Row], number: int, result: str) -> None:
    connection.execute(REPLAYED, (result, number))


def expire(connection: Connection[Row]) -> int:
    """Delete what is over its date; returns how many."""
    return connection.execute(EXPIRE).rowcount
