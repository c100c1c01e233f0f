"""Raw payloads that gave no reading, or not all they held: kept with the reason, counted, replayable.

The same bytes on the same topic are one row with a count; a payload that has no time of its own is one row for each
time it came, for each may be a reading. A sender has one group for each kind of trouble: the group counts everything,
and the first payloads are kept. So whatever a sender does, its rows are few and nothing is uncounted. Of senders that
nobody has registered, and a broker with our rights lets in none, only so many have groups of their own.

What a row holds may be health data: it is shown to operators only when they ask for it by number, and it expires.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from psycopg import Connection

from device_gateway.database.pool import Row

KEPT_PER_GROUP: Final = 20  # payloads that wait for a replay; at 256 KB, the largest that a broker of ours takes: 5 MB
GROUPS_PER_SENDER: Final = 25  # kinds of trouble; what goes beyond is counted together
STRANGERS: Final = 10_000  # senders that are not registered and have groups of their own: they may be paired yet
OTHER_REASONS: Final = "other reasons"
LONGEST_REASON: Final = 500  # characters: an index has no room for more

GROUPS = "SELECT sender, dialect, reason FROM gateway.quarantine_group WHERE sender = ANY(%b::text[])"
UNREGISTERED = """SELECT s AS sender FROM unnest(%b::text[]) AS s
  WHERE NOT EXISTS (SELECT FROM gateway.device d WHERE d.id = s::uuid) ORDER BY s"""
STRANGERS_KNOWN = """SELECT count(DISTINCT g.sender) AS strangers FROM gateway.quarantine_group g WHERE g.sender <> ''
  AND NOT EXISTS (SELECT FROM gateway.device d WHERE d.id = nullif(g.sender, '')::uuid)"""
GROUP = """
INSERT INTO gateway.quarantine_group AS g (sender, dialect, reason, seen, expires_at)
SELECT s, d, r, n, now() + make_interval(days => %b::int)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::int8[]) AS x (s, d, r, n)
ON CONFLICT (sender, dialect, reason) DO UPDATE SET seen = g.seen + excluded.seen, last_at = now(),
  expires_at = excluded.expires_at
RETURNING id, sender, dialect, reason"""
KEPT = """SELECT group_id, count(*) FILTER (WHERE replayed_at IS NULL) AS waiting FROM gateway.quarantine
  WHERE group_id = ANY(%b::int8[]) GROUP BY group_id"""
KNOWN = "SELECT digest FROM gateway.quarantine WHERE digest = ANY(%b::bytea[])"
KEEP = """
INSERT INTO gateway.quarantine AS q
  (topic, sender, dialect, payload, digest, seen, pointer, reason, group_id, received_at, expires_at)
SELECT t, s, d, p, h, n, i, r, g, a, now() + make_interval(days => %b::int)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::int4[], %b::text[], %b::text[],
    %b::int8[], %b::timestamptz[])
  AS x (t, s, d, p, h, n, i, r, g, a)
ON CONFLICT (digest) DO UPDATE SET seen = q.seen + excluded.seen, last_at = now(), pointer = excluded.pointer,
  reason = excluded.reason, group_id = excluded.group_id, expires_at = excluded.expires_at, replayed_at = NULL,
  replay_result = NULL"""
LIST = """SELECT q.id, q.topic, q.sender, q.dialect, q.pointer, q.reason, q.seen, g.seen AS seen_of_kind,
  length(q.payload) AS bytes, q.first_at, q.last_at, q.expires_at, q.replayed_at, q.replay_result
  FROM gateway.quarantine q LEFT JOIN gateway.quarantine_group g ON g.id = q.group_id
  WHERE q.id > %s ORDER BY q.id LIMIT %s"""
SHOW = "SELECT * FROM gateway.quarantine WHERE id = %s"
WAITING = """SELECT id FROM gateway.quarantine WHERE replayed_at IS NULL AND (%(dialect)b::text IS NULL OR
  dialect = %(dialect)b) AND (%(group)b::int8 IS NULL OR group_id = %(group)b)
  AND (%(sender)b::text IS NULL OR sender = %(sender)b) ORDER BY id"""
REPLAYED = "UPDATE gateway.quarantine SET replayed_at = now(), replay_result = %s WHERE id = %s"
REFUSED = """UPDATE gateway.quarantine SET seen = seen - 1, replay_result = %s, last_at = %s, expires_at = %s
  WHERE id = %s"""
RECOUNT = "UPDATE gateway.quarantine_group SET seen = seen + %s WHERE id = %s"
EXPIRE = "DELETE FROM gateway.quarantine WHERE expires_at < now()"
EXPIRE_GROUPS = """DELETE FROM gateway.quarantine_group g WHERE g.expires_at < now()
  AND NOT EXISTS (SELECT FROM gateway.quarantine q WHERE q.group_id = g.id)"""


class Misfit(NamedTuple):
    """A payload to keep, and why. Texts may hold anything that came from outside.

    kind         what its group is told apart by; "" for the reason itself
    most         payloads of that group that are kept
    received_at  when it came: the time of its readings when it has none of its own, and of a replay
    timeless     it has no time of its own, so each time it comes may be another reading
    """

    topic: str
    sender: str
    dialect: str
    payload: bytes
    pointer: str
    reason: str
    kind: str = ""
    most: int = KEPT_PER_GROUP
    received_at: datetime | None = None
    timeless: bool = False


Key = tuple[str, str, str]  # sender, dialect, reason of a group


def keep(connection: Connection[Row], misfits: Sequence[Misfit], days: int) -> None:
    """Keep or count `misfits` inside the transaction that is open. Never refuses one for what it holds."""
    if not misfits:
        return
    keys = _keys(connection, misfits)
    sums = sorted(Counter(keys).items())  # one order for all writers
    columns = [[key[part] for key, _ in sums] for part in range(3)]
    rows = connection.execute(GROUP, (days, *columns, [count for _, count in sums])).fetchall()
    groups = {(row.sender, row.dialect, row.reason): int(row.id) for row in rows}
    digests = [_digest(misfit) for misfit in misfits]
    times = Counter(digests)
    known = {bytes(row.digest) for row in connection.execute(KNOWN, (list(times),))}
    kept = Counter({row.group_id: row.waiting for row in connection.execute(KEPT, (list(groups.values()),))})
    wanted: dict[bytes, tuple[Misfit, int]] = {}
    for digest, misfit, key in zip(digests, misfits, keys, strict=True):
        group = groups[key]
        if digest not in known and digest not in wanted:
            if kept[group] >= misfit.most:
                continue  # counted in its group
            kept[group] += 1
        wanted[digest] = (misfit, group)
    _write(connection, wanted, times, days)


def _keys(connection: Connection[Row], misfits: Sequence[Misfit]) -> list[Key]:
    """The group of each; a sender that has too many kinds of trouble has the rest in one more group, and one stranger
    too many those of nobody."""
    senders = {_text(misfit.sender) for misfit in misfits}
    found: dict[str, set[Key]] = {sender: set() for sender in senders}
    found[""] = set()
    for row in connection.execute(GROUPS, (list(found),)):
        found[row.sender].add((row.sender, row.dialect, row.reason))
    beyond = _strangers_too_many(connection, [sender for sender, keys in found.items() if sender and not keys])
    keys = []
    for misfit in misfits:
        sender = _text(misfit.sender)
        sender = "" if sender in beyond else sender
        key = (sender, _text(misfit.dialect), _text(misfit.kind or misfit.reason)[:LONGEST_REASON])
        if key not in found[sender] and len(found[sender]) >= GROUPS_PER_SENDER:
            key = (sender, "", OTHER_REASONS)
        found[sender].add(key)
        keys.append(key)
    return keys


def _strangers_too_many(connection: Connection[Row], senders: Sequence[str]) -> set[str]:
    """Of `senders`, ids that have no group yet, those that may have none of their own."""
    strangers = [row.sender for row in connection.execute(UNREGISTERED, (senders,))] if senders else []
    if not strangers:
        return set()
    [known] = connection.execute(STRANGERS_KNOWN).fetchall()
    return set(strangers[max(0, STRANGERS - known.strangers) :])


def _write(
    connection: Connection[Row], wanted: dict[bytes, tuple[Misfit, int]], times: Counter[bytes], days: int
) -> None:
    rows = [(digest, *entry) for digest, entry in sorted(wanted.items())]  # one order for all writers
    if not rows:
        return
    connection.execute(
        KEEP,
        (
            days, [_text(m.topic) for _, m, _ in rows], [_text(m.sender) for _, m, _ in rows],
            [_text(m.dialect) for _, m, _ in rows], [m.payload for _, m, _ in rows], [digest for digest, _, _ in rows],
            [times[digest] for digest, _, _ in rows], [_text(m.pointer) for _, m, _ in rows],
            [_text(m.reason) for _, m, _ in rows], [group for _, _, group in rows],
            [m.received_at for _, m, _ in rows],
        ),
    )  # fmt: skip


def _digest(misfit: Misfit) -> bytes:
    came = misfit.received_at.astimezone(UTC).isoformat().encode() if misfit.timeless and misfit.received_at else b""
    return hashlib.sha256(_text(misfit.topic).encode() + b"\0" + misfit.payload + came).digest()


def _text(text: str) -> str:
    """What a text of PostgreSQL can hold: no NUL, no lone surrogate."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode()


def listed(connection: Connection[Row], after: int = 0, limit: int = 100) -> list[Row]:
    """Rows without their payloads, oldest first."""
    return connection.execute(LIST, (after, limit)).fetchall()


def shown(connection: Connection[Row], number: int) -> Row | None:
    """One row with its payload."""
    return connection.execute(SHOW, (number,)).fetchone()


def waiting(
    connection: Connection[Row], dialect: str | None = None, *, group: int | None = None, sender: str | None = None
) -> list[int]:
    """Numbers of the rows that were not replayed since they came last; only of that dialect, group or sender."""
    wanted = {"dialect": dialect, "group": group, "sender": sender}
    return [row.id for row in connection.execute(WAITING, wanted)]


def note_replayed(connection: Connection[Row], number: int, result: str) -> None:
    connection.execute(REPLAYED, (result, number))


def note_refused(connection: Connection[Row], before: Row, after: Row | None, result: str) -> None:
    """A replay was refused: what is said of the sender stays as it was `before`, in the group of `after`."""
    connection.execute(REFUSED, (result, before.last_at, before.expires_at, before.id))
    if after is None or after.group_id == before.group_id:
        connection.execute(RECOUNT, (-1, before.group_id))
    else:
        connection.execute(RECOUNT, (-before.seen, before.group_id))
        connection.execute(RECOUNT, (before.seen - 1, after.group_id))


def expire(connection: Connection[Row]) -> int:
    """Delete what is over its date; returns how many payloads."""
    deleted = connection.execute(EXPIRE).rowcount
    connection.execute(EXPIRE_GROUPS)
    return deleted
