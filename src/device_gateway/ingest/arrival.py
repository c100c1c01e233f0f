"""When a message without a time of its own came, so that the same message later is the same reading.

The time at which such a message comes is part of its readings' identity. A broker sends a message again when it has no
acknowledgement, and the last retained one to each new subscription: both then have the time of the first arrival.

A message that is sent again (flag DUP of MQTT 3.1.1, 3.3.1.1) is the one that was committed without an acknowledgement,
if there is such a one with the same topic and payload; otherwise its first delivery was never committed. What was
acknowledged is known with the next batch: until then two equal messages, one of them acknowledged, could be mixed up.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.ingest.message import Message
from device_gateway.readings.model import RECEIVED, TIME_SOURCE, Decoded, Reading, Rejected

KEEP_DAYS: Final = 30  # a retained message that is older goes to quarantine, once
RETAINED: Final = Rejected(
    "", "the broker had kept this message: when it was measured is unknown; switch off retain in the product"
)

NOTE = """INSERT INTO gateway.arrival (digest, received_at) SELECT * FROM unnest(%b::bytea[], %b::timestamptz[])
  ON CONFLICT (digest, received_at) DO UPDATE SET acknowledged = false"""
ACKNOWLEDGED = """UPDATE gateway.arrival a SET acknowledged = true
  FROM unnest(%b::bytea[], %b::timestamptz[]) AS x (d, r) WHERE (a.digest, a.received_at) = (x.d, x.r)"""
KNOWN = """SELECT digest, received_at, acknowledged FROM gateway.arrival WHERE digest = ANY(%b::bytea[])
  ORDER BY received_at"""
EXPIRE = f"DELETE FROM gateway.arrival WHERE received_at < now() - interval '{KEEP_DAYS} days'"

Arrival = tuple[bytes, datetime]


class Arrivals:
    """Of one worker, through one connection."""

    def __init__(self, connection: Connection[Row]) -> None:
        self._connection = connection
        self._noted: list[Arrival] = []
        self._before: list[Arrival] = []  # of the last batch that was committed: its messages are acknowledged by now

    def settled(self, messages: Sequence[Message]) -> Sequence[Message]:
        """`messages`, those of hubs that came before with the time of their first arrival."""
        digests = {
            place: digest_of(message)
            for place, message in enumerate(messages)
            if (message.again or message.retained) and "/x/" in message.topic
        }
        if not digests:
            return messages
        waiting: dict[bytes, list[datetime]] = defaultdict(list)
        last: dict[bytes, datetime] = {}
        for row in self._connection.execute(KNOWN, (list(digests.values()),)):
            last[row.digest] = row.received_at
            if not row.acknowledged:
                waiting[row.digest].append(row.received_at)
        settled = list(messages)
        for place, digest in digests.items():
            message = settled[place]
            if message.again and waiting[digest]:
                settled[place] = message._replace(received_at=waiting[digest].pop(0), retained=False)
            elif message.retained and digest in last:
                settled[place] = message._replace(received_at=last[digest], retained=False)
        return settled

    def note(self, messages: Iterable[Message]) -> None:
        """Keep, in the transaction that is open, when `messages` came: those that have no better time."""
        self._noted = sorted({(digest_of(message), message.received_at) for message in messages})
        if self._before:
            self._connection.execute(ACKNOWLEDGED, _columns(self._before))
        if self._noted:
            self._connection.execute(NOTE, _columns(self._noted))

    def committed(self) -> None:
        self._before, self._noted = self._noted, []


def _columns(arrivals: Sequence[Arrival]) -> tuple[list[bytes], list[datetime]]:
    return [digest for digest, _ in arrivals], [at for _, at in arrivals]


def digest_of(message: Message) -> bytes:
    return hashlib.sha256(message.topic.encode("utf-8", "backslashreplace") + b"\0" + message.payload).digest()


def is_timeless(decoded: Decoded) -> bool:
    """Whether a reading in it has the time at which the message came."""
    return any(
        isinstance(reading, Reading) and reading.context is not None and reading.context.get(TIME_SOURCE) == RECEIVED
        for reading in decoded.readings
    )


def expire(connection: Connection[Row]) -> int:
    """Forget arrivals of long ago; returns how many."""
    return connection.execute(EXPIRE).rowcount
