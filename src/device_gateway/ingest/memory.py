"""What earlier messages of a sender said that later ones need: kept per sender and dialect, the same for every worker.

Read at the beginning of a batch, written in its transaction. A sender's messages go through one worker at a time.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.devices.topics import Topic, parse_topic
from device_gateway.ingest.dialects import remembering
from device_gateway.ingest.message import Message
from device_gateway.readings.model import Decoded, Rejected

MOST_KEYS: Final = 500  # of a sender in a dialect: a node of home automation describes some dozens of sensors
LONGEST: Final = 2000  # characters of a key or of a value
FULL: Final = Rejected("", f"a hub can describe {MOST_KEYS} things, in {LONGEST} characters each, and no more")

RECALL = """SELECT m.sender, m.dialect, m.key, m.value FROM gateway.dialect_memory m
  JOIN unnest(%b::uuid[], %b::text[]) AS w (sender, dialect) USING (sender, dialect)"""
# A sender that nobody has registered leaves nothing.
KEEP = """INSERT INTO gateway.dialect_memory AS m (sender, dialect, key, value)
  SELECT x.s, x.d, x.k, x.v FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[]) AS x (s, d, k, v)
    JOIN gateway.device ON device.id = x.s
  ON CONFLICT (sender, dialect, key) DO UPDATE SET value = excluded.value, noted_at = now()
  WHERE m.value <> excluded.value"""
FORGET = """DELETE FROM gateway.dialect_memory m USING unnest(%b::uuid[], %b::text[], %b::text[]) AS x (s, d, k)
  WHERE (m.sender, m.dialect, m.key) = (x.s, x.d, x.k)"""
EXPIRE = """DELETE FROM gateway.dialect_memory m WHERE NOT EXISTS (
  SELECT FROM gateway.device_holding h WHERE h.device_id = m.sender AND upper_inf(h.during))"""

Owner = tuple[UUID, str]  # sender, dialect


class Memory:
    """Of the senders of one batch."""

    def __init__(self, known: dict[Owner, dict[str, str]]) -> None:
        self._known = known
        self._changed: dict[tuple[UUID, str, str], str | None] = {}

    def of(self, topic: Topic) -> Mapping[str, str]:
        return self._known.get((topic.sender, topic.dialect), {})

    def take(self, topic: Topic, decoded: Decoded) -> Decoded | Rejected:
        """Note what `decoded` says for later messages; refused when it is more than a sender may leave."""
        if not decoded.remember:
            return decoded
        known = self._known.setdefault((topic.sender, topic.dialect), {})
        kept = {key: value for key, value in decoded.remember.items() if value is not None}
        gone = [key for key, value in decoded.remember.items() if value is None]
        if len((known.keys() | kept.keys()) - set(gone)) > MOST_KEYS:
            return FULL
        if any("\0" in text or len(text) > LONGEST for pair in kept.items() for text in pair):
            return FULL
        for key in gone:
            known.pop(key, None)
        known.update(kept)
        self._changed.update({(topic.sender, topic.dialect, key): value for key, value in decoded.remember.items()})
        return decoded

    def save(self, connection: Connection[Row]) -> None:
        kept = sorted((key, value) for key, value in self._changed.items() if value is not None)
        gone = sorted(key for key, value in self._changed.items() if value is None)
        if kept:
            columns = [[key[part] for key, _ in kept] for part in range(3)]
            connection.execute(KEEP, (*columns, [value for _, value in kept]))
        if gone:
            connection.execute(FORGET, tuple([key[part] for key in gone] for part in range(3)))


def recall(connection: Connection[Row], messages: Iterable[Message]) -> Memory:
    """What the dialects of `messages` have to remember; no question to the database when none has."""
    owners: set[Owner] = set()
    for message in messages:
        if "/x/" in message.topic and (topic := parse_topic(message.topic)) and topic.dialect in remembering():
            owners.add((topic.sender, topic.dialect))
    known: dict[Owner, dict[str, str]] = {owner: {} for owner in owners}
    if owners:
        wanted = sorted(owners)
        for row in connection.execute(RECALL, ([owner[0] for owner in wanted], [owner[1] for owner in wanted])):
            known[row.sender, row.dialect][row.key] = row.value
    return Memory(known)


def expire(connection: Connection[Row]) -> int:
    """Forget what hubs that nobody holds have said; returns how many rows."""
    return connection.execute(EXPIRE).rowcount
