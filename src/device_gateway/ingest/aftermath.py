"""What a batch writes beside its readings, in the same transaction: clocks, activity, journal."""

import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.devices.clocks import DeviceClock
from device_gateway.ingest.delivery import Delivery
from device_gateway.ingest.registry import KnownDevice, Name
from device_gateway.journal import Actor, Event, EventName, record_in_worker
from device_gateway.readings.model import STORED, Decoded, Duplicate, Outcome, Rejected, Stored
from device_gateway.readings.packed import array_of_ints, array_of_octets

Clocks = dict[UUID, DeviceClock]

NEW_SEGMENT = """INSERT INTO gateway.device_clock
  (device_id, from_seq, from_raw, shift_s, utc_offset_min, measured_at, was_reset)
  VALUES (%s, %s, %s, %s, %s, %s, %s)"""
FREEZE = """INSERT INTO gateway.device_clock_frozen (device_id, seq, raw, shift_s, utc_offset_min)
  SELECT %b, * FROM unnest(%b::int8[], %b::timestamp[], %b::int4[], %b::int2[]) ON CONFLICT DO NOTHING"""
CLOCK_USED = """INSERT INTO gateway.device_clock_used AS u (device_id, last_seq, last_raw) VALUES (%s, %s, %s)
  ON CONFLICT (device_id) DO UPDATE SET last_seq = greatest(u.last_seq, excluded.last_seq),
    last_raw = greatest(u.last_raw, excluded.last_raw)"""
SKEW = "UPDATE gateway.device_holding SET clock_skew_s = %s WHERE device_id = %s AND upper_inf(during)"
BATTERY = "UPDATE gateway.device_holding SET battery_percent = %s WHERE device_id = %s AND upper_inf(during)"
SEEN = "UPDATE gateway.device_holding SET last_seen_at = now() WHERE device_id = ANY(%b::uuid[]) AND upper_inf(during)"
# xmax is 0 in a row that this statement inserted: then it is the first sync of the hour, which the journal records.
ACTIVITY = """
WITH written AS (
INSERT INTO gateway.device_activity AS a
  (device_id, space_id, hour, stored, duplicate, corrected, rejected, unassigned)
SELECT d, s, date_trunc('hour', now()), n1, n2, n3, n4, n5
FROM unnest(%b::uuid[], %b::uuid[], %b::int4[], %b::int4[], %b::int4[], %b::int4[], %b::int4[])
  AS x (d, s, n1, n2, n3, n4, n5)
ON CONFLICT (device_id, space_id, hour) DO UPDATE SET stored = a.stored + excluded.stored,
  duplicate = a.duplicate + excluded.duplicate, corrected = a.corrected + excluded.corrected,
  rejected = a.rejected + excluded.rejected, unassigned = a.unassigned + excluded.unassigned
RETURNING device_id, space_id, xmax = 0 AS first_of_hour)
SELECT device_id, space_id FROM written WHERE first_of_hour"""
MODEL = "SELECT model FROM gateway.device WHERE id = %s"
SEEN_EVERY_S = 60  # s: "last contact" is shown in minutes; writing it with each batch would double the writes


class LastSeen:
    """Which devices were noted as seen within the last minute, by this process. `note` follows the commit."""

    def __init__(self) -> None:
        self._noted: dict[UUID, float] = {}

    def due(self, devices: Iterable[UUID]) -> list[UUID]:
        now = time.monotonic()
        return sorted(device for device in devices if now - self._noted.get(device, -math.inf) >= SEEN_EVERY_S)

    def note(self, devices: Iterable[UUID]) -> None:
        if len(self._noted) > 100_000:  # a process that serves more devices than that forgets and writes a little more
            self._noted.clear()
        self._noted.update(dict.fromkeys(devices, time.monotonic()))


class Activity:
    """Outcomes by (device, space): stored, duplicate, corrected, rejected, unassigned.

    What was written into a space counts there; everything else counts for who holds the device now, or for nobody. That
    the next owner reads the whole memory of a meter is not told to the former one, whose readings are duplicates then.
    """

    def __init__(self, devices: Collection[KnownDevice]) -> None:
        self._devices = devices
        self._counts: dict[bytes, list[int]] = {}  # by device and space, 16 octets each

    def count_rows(self, series: Sequence[int], outcomes: Sequence[Outcome], owners: Mapping[int, bytes]) -> None:
        """`series` and outcome of each row."""
        if outcomes.count(STORED) == len(outcomes):
            for one, count in Counter(series).items():
                self._add(owners[one], 0, count)
            return
        held = {device.id.bytes + device.holder.bytes for device in self._devices if device.holder}
        for (one, outcome), count in Counter(zip(series, map(type, outcomes), strict=True)).items():
            if outcome is not Duplicate:
                self._add(owners[one], 0 if outcome is Stored else 2, count)
            elif owners[one] in held:
                self._add(owners[one], 1, count)

    def count_others(self, deliveries: Iterable[Delivery], devices: Mapping[Name, KnownDevice]) -> None:
        """What was rejected, and what went to the inbox or was known there."""
        for delivery in deliveries:
            if not delivery.others or delivery.topic is None or not isinstance(delivery.decoded, Decoded):
                continue
            for index, other in delivery.others.items():
                reading = delivery.decoded.readings[index]
                name = None if isinstance(reading, Rejected) else reading.device
                device = devices.get((delivery.topic.sender, name))
                if device and device.holder:
                    known = isinstance(delivery.outcomes[index], Duplicate)
                    column = 3 if isinstance(other, Rejected) else 1 if known else 4
                    self._add(device.id.bytes + device.holder.bytes, column, 1)

    def save(self, connection: Connection[Row]) -> None:
        if not self._counts:
            return
        keys = sorted(self._counts)  # one order for all writers
        counts = map(array_of_ints, zip(*(self._counts[key] for key in keys), strict=True))
        owners = array_of_octets([key[:16] for key in keys]), array_of_octets([key[16:] for key in keys])
        first = connection.execute(ACTIVITY, (*owners, *counts)).fetchall()
        for row in sorted(first, key=lambda one: (one.space_id, one.device_id)):  # in one order for all writers, too
            connection.execute("SELECT set_config('app.space', %s, true)", (str(row.space_id),))
            [device] = connection.execute(MODEL, (row.device_id,)).fetchall()
            actor = Actor("device", str(row.device_id), device.model)
            record_in_worker(connection, Event(EventName.DEVICE_SYNCED, row.space_id, actor, resource="Observation"))

    def _add(self, owner: bytes, column: int, count: int) -> None:
        self._counts.setdefault(owner, [0, 0, 0, 0, 0])[column] += count


def save_seen(connection: Connection[Row], devices: Sequence[UUID]) -> None:
    if devices:
        connection.execute(SEEN, (list(devices),))


def save_clocks(connection: Connection[Row], clocks: Clocks, skews: Mapping[UUID, int]) -> None:
    """New segments, how far the segments were used, and the skew that the patient is shown."""
    for device, clock in sorted(clocks.items()):
        for segment in clock.added:
            connection.execute(NEW_SEGMENT, (device, *segment))
        if clock.placed:
            records = sorted((*record, *place) for record, place in clock.placed.items())
            connection.execute(FREEZE, (device, *(list(column) for column in zip(*records, strict=True))))
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
