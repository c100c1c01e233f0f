"""What a batch writes beside its readings, in the same transaction: inbox, clocks, activity, journal."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.devices.clocks import DeviceClock
from device_gateway.ingest.placing import Unassigned
from device_gateway.ingest.registry import KnownDevice, Name
from device_gateway.journal import Actor, Event, EventName, record_in_worker
from device_gateway.readings.model import DUPLICATE, STORED, Decoded, Outcome, Rejected
from device_gateway.readings.put import ReadingRow, from_microseconds

if TYPE_CHECKING:  # the batch imports this module
    from device_gateway.ingest.batch import Delivery

Clocks = dict[UUID, DeviceClock]

INBOX = """
INSERT INTO gateway.reading_inbox
  (device_id, metric, time, seq, value, value2, value3, decimals, offset_min, flags, context)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
NEW_SEGMENT = """INSERT INTO gateway.device_clock (device_id, from_seq, from_raw, shift_s, utc_offset_min, measured_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""
CLOCK_USED = """INSERT INTO gateway.device_clock_used AS u (device_id, last_seq, last_raw) VALUES (%s, %s, %s)
  ON CONFLICT (device_id) DO UPDATE SET last_seq = greatest(u.last_seq, excluded.last_seq),
    last_raw = greatest(u.last_raw, excluded.last_raw)"""
SKEW = "UPDATE gateway.device_holding SET clock_skew_s = %s WHERE device_id = %s AND upper_inf(during)"
BATTERY = "UPDATE gateway.device_holding SET battery_percent = %s WHERE device_id = %s AND upper_inf(during)"
SEEN = "UPDATE gateway.device_holding SET last_seen_at = now() WHERE device_id = ANY(%b::uuid[]) AND upper_inf(during)"
# xmax is 0 in a row that this statement inserted: then it is the first sync of the hour, which the journal records.
ACTIVITY = """
INSERT INTO gateway.device_activity AS a (device_id, space_id, hour, stored, duplicate, corrected, rejected)
SELECT d, s, date_trunc('hour', now()), n1, n2, n3, n4
FROM unnest(%b::uuid[], %b::uuid[], %b::int4[], %b::int4[], %b::int4[], %b::int4[]) AS x (d, s, n1, n2, n3, n4)
ON CONFLICT (device_id, space_id, hour) DO UPDATE SET stored = a.stored + excluded.stored,
  duplicate = a.duplicate + excluded.duplicate, corrected = a.corrected + excluded.corrected,
  rejected = a.rejected + excluded.rejected
RETURNING device_id, space_id, xmax = 0 AS first_of_hour"""
MODEL = "SELECT model FROM gateway.device WHERE id = %s"
SEEN_EVERY_S = 60  # s: "last contact" is shown in minutes; writing it with each batch would double the writes


class LastSeen:
    """Which devices were noted as seen within the last minute, by this process."""

    def __init__(self) -> None:
        self._noted: dict[UUID, float] = {}

    def due(self, devices: Iterable[UUID]) -> list[UUID]:
        now = time.monotonic()
        if len(self._noted) > 100_000:  # a process that serves more devices than that forgets and writes a little more
            self._noted.clear()
        due = [device for device in devices if now - self._noted.get(device, -SEEN_EVERY_S) >= SEEN_EVERY_S]
        self._noted.update(dict.fromkeys(due, now))
        return due


class Activity:
    """Outcomes by (device, space): stored, duplicate, corrected, rejected."""

    def __init__(self) -> None:
        self._counts: dict[tuple[UUID, UUID], list[int]] = {}

    def count_rows(
        self, rows: Sequence[ReadingRow], outcomes: Sequence[Outcome], owners: Mapping[int, tuple[UUID, UUID]]
    ) -> None:
        if outcomes.count(STORED) == len(outcomes):
            for series, count in Counter(map(itemgetter(0), rows)).items():
                self._add(owners[series], 0, count)
            return
        for row, outcome in zip(rows, outcomes, strict=True):
            self._add(owners[row[0]], 0 if outcome is STORED else 1 if outcome is DUPLICATE else 2, 1)

    def count_rejections(self, deliveries: Iterable["Delivery"], devices: Mapping[Name, KnownDevice]) -> None:
        """Rejected readings count for the present holder of the device; one that is not known is nobody's."""
        for delivery in deliveries:
            if delivery.topic is None or not isinstance(delivery.decoded, Decoded):
                continue
            for index, other in delivery.placed.others.items():
                if isinstance(other, Rejected):
                    reading = delivery.decoded.readings[index]
                    name = None if isinstance(reading, Rejected) else reading.device
                    device = devices.get((delivery.topic.sender, name))
                    if device and device.holder:
                        self._add((device.id, device.holder), 3, 1)

    def save(self, connection: Connection[Row], seen: LastSeen) -> None:
        if not self._counts:
            return
        keys = sorted(self._counts)
        columns = list(zip(*(self._counts[key] for key in keys), strict=True))
        written = connection.execute(
            ACTIVITY, ([key[0] for key in keys], [key[1] for key in keys], *(list(column) for column in columns))
        ).fetchall()
        if due := seen.due({key[0] for key in keys}):
            connection.execute(SEEN, (due,))
        for row in written:
            if row.first_of_hour:
                connection.execute("SELECT set_config('app.space', %s, true)", (str(row.space_id),))
                [device] = connection.execute(MODEL, (row.device_id,)).fetchall()
                actor = Actor("device", str(row.device_id), device.model)
                record_in_worker(
                    connection, Event(EventName.DEVICE_SYNCED, row.space_id, actor, resource="Observation")
                )

    def _add(self, owner: tuple[UUID, UUID], column: int, count: int) -> None:
        self._counts.setdefault(owner, [0, 0, 0, 0])[column] += count


def put_in_inbox(connection: Connection[Row], unassigned: Sequence[Unassigned]) -> list[Outcome]:
    """Keep readings that nobody held the device for; a repeated one is a duplicate."""
    outcomes: list[Outcome] = []
    for entry in unassigned:
        _, instant, seq, value, decimals, offset_min, flags, value2, value3, context = entry.row
        text = None if context is None else msgspec.json.encode(context.obj).decode()
        written = connection.execute(
            INBOX,
            (
                entry.device, entry.metric, from_microseconds(instant), seq, value, value2, value3, decimals,
                offset_min, flags, text,
            ),
        ).rowcount  # fmt: skip
        outcomes.append(STORED if written else DUPLICATE)
    return outcomes


def save_clocks(connection: Connection[Row], clocks: Clocks, skews: Mapping[UUID, int]) -> None:
    """New segments, how far the segments were used, and the skew that the patient is shown."""
    for device, clock in sorted(clocks.items()):
        for segment in clock.added:
            connection.execute(NEW_SEGMENT, (device, *segment))
        if clock.used:
            connection.execute(CLOCK_USED, (device, clock.last_seq, clock.last_raw))
    for device, skew in sorted(skews.items()):
        connection.execute(SKEW, (skew, device))


def save_batteries(
    connection: Connection[Row], understood: Iterable[tuple[UUID, Decoded]], devices: Mapping[Name, KnownDevice]
) -> None:
    for sender, decoded in understood:
        for name, percent in decoded.battery_percent.items():
            device = devices.get((sender, name))
            if device and 0 <= percent <= 100:
                connection.execute(BATTERY, (percent, device.id))
