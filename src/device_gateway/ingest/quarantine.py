"""Raw payloads that gave no reading, or not all they held: kept with the reason, counted, replayable.

The same bytes on the same topic are one row with a count. What a row holds may be health data: it is shown to
operators only when they ask for it by number, and it expires.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from psycopg import Connection

from device_gateway.database.pool import Row

KEEP = """
INSERT INTO gateway.quarantine AS q (topic, sender, dialect, payload, digest, seen, pointer, reason, expires_at)
SELECT t, s, d, p, h, n, i, r, now() + make_interval(days => %b::int)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::int4[], %b::text[], %b::text[])
  AS x (t, s, d, p, h, n, i, r)
ON CONFLICT (digest) DO UPDATE SET seen = q.seen + excluded.seen, last_at = now(), pointer = excluded.pointer,
  reason = excluded.reason, expires_at = excluded.expires_at, replayed_at = NULL, replay_result = NULL"""
LIST = """SELECT id, topic, sender, dialect, pointer, reason, seen, length(payload) AS bytes, first_at, last_at,
  expires_at, replayed_at, replay_result FROM gateway.quarantine WHERE id > %s ORDER BY id LIMIT %s"""
SHOW = "SELECT * FROM gateway.quarantine WHERE id = %s"
WAITING = (
    "SELECT id FROM gateway.quarantine WHERE replayed_at IS NULL AND (%b::text IS NULL OR dialect = %b) ORDER BY id"
)
REPLAYED = "UPDATE gateway.quarantine SET replayed_at = now(), replay_result = %s WHERE id = %s"
REFUSED = """UPDATE gateway.quarantine SET seen = seen - 1, replay_result = %s, last_at = %s, expires_at = %s
  WHERE id = %s"""
EXPIRE = "DELETE FROM gateway.quarantine WHERE expires_at < now()"


class Misfit(NamedTuple):
    """A payload to keep, and why. Texts may hold anything that came from outside."""

    topic: str
    sender: str
    dialect: str
    payload: bytes
    pointer: str
    reason: str


def keep(connection: Connection[Row], misfits: Sequence[Misfit], days: int) -> None:
    """Keep `misfits` inside the transaction that is open. Never refuses one for what it holds."""
    digests = [_digest(misfit) for misfit in misfits]
    times = Counter(digests)
    rows = sorted(dict(zip(digests, misfits, strict=True)).items())  # one order for all writers
    if not rows:
        return
    connection.execute(
        KEEP,
        (
            days, [_text(m.topic) for _, m in rows], [_text(m.sender) for _, m in rows],
            [_text(m.dialect) for _, m in rows], [m.payload for _, m in rows], [digest for digest, _ in rows],
            [times[digest] for digest, _ in rows], [_text(m.pointer) for _, m in rows],
            [_text(m.reason) for _, m in rows],
        ),
    )  # fmt: skip


def _digest(misfit: Misfit) -> bytes:
    return hashlib.sha256(_text(misfit.topic).encode() + b"\0" + misfit.payload).digest()


def _text(text: str) -> str:
    """What a text of PostgreSQL can hold: no NUL, no lone surrogate."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode()


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


def note_refused(connection: Connection[Row], before: Row, result: str) -> None:
    """A replay was refused: what the row says about the sender stays as it was `before`."""
    connection.execute(REFUSED, (result, before.last_at, before.expires_at, before.id))


def expire(connection: Connection[Row]) -> int:
    """Delete what is over its date; returns how many."""
    return connection.execute(EXPIRE).rowcount
