"""Reading devices that broadcast: each measurement into the spool once, however often it is said.

A scale repeats a weighing for minutes, and says it anew when it has the impedance as well. All of that is one
measurement, with one time: the device's own, or that at which it was first heard, also over a restart of the edge. What
was kept of it once is not kept again; what says more of it is a correction of the same reading.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import structlog

from device_gateway.readings.model import ClockMeasurement, Reading, Rejected
from device_gateway.transports.ble.adapter import BroadcastAdapter, broadcast_adapters
from device_gateway.transports.ble.heard import Heard
from device_gateway.transports.ble.transfer import Refusal
from device_gateway.transports.edge.bond_keeping import keep_bind_key
from device_gateway.transports.edge.broadcasts import LastHeard
from device_gateway.transports.edge.messages import event_message, raw_message, readings_message
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.state import EdgeState, Meter
from device_gateway.transports.spool import SpoolFull

REPEATED = timedelta(minutes=10)  # a device without a clock that says the same for so long says it of one measurement
SETTLED_S = 30.0  # a result so soon after the device was heard to measure is one of this moment
WRONG_KEY_AFTER = 3  # different broadcasts that cannot be read, and none that can: it is not one that was damaged
TELL_REFUSED = (WRONG_KEY_AFTER, 100, 10_000)  # at how many the gateway is told
KEPT_LIMIT = 64  # octets: eight contents of one measurement
_DIGEST_OCTETS = 8

_log = structlog.get_logger(__name__)


class BroadcastReader:
    """Reads what the meters of the state broadcast. Never raises: nobody waits for it."""

    def __init__(self, state: EdgeState, publisher: Publisher) -> None:
        self._state = state
        self._publisher = publisher
        self._last: dict[str, tuple[dict[str, bytes], float]] = {}  # content by address, and when it was looked at
        self._settling: dict[str, float] = {}

    def take(self, heard: Heard, meter: Meter) -> None:
        """One advertisement of the meter."""
        now, content = time.monotonic(), dict(heard.said.services)
        last, looked_at = self._last.get(heard.address, ({}, 0.0))
        if content == last and now - looked_at < REPEATED.total_seconds() / 2:
            return
        adapter = broadcast_adapters()[heard.adapter]
        if adapter.is_settling(content):
            self._settling[heard.address] = now
        try:
            with self._state.transaction():
                self._read(adapter, heard, meter, datetime.now().astimezone())
        except SpoolFull:
            _log.warning("edge.broadcast_not_kept", device=meter.device_id, why="the spool is full")
            return  # as long as it is repeated there is another chance
        keep_bind_key(self._state, meter)
        self._last[heard.address] = content, now
        self._publisher.wake()

    def forget(self, address: str) -> None:
        """The device is paired anew, or read no more: what it says is looked at again."""
        self._last.pop(address, None)

    def _read(self, adapter: BroadcastAdapter, heard: Heard, meter: Meter, now: datetime) -> None:
        known = self._state.broadcasts.of(heard.address)
        results = self._decode(adapter, heard, known, now)
        refused = next((result for result in results if isinstance(result, Rejected)), None)
        readings = [result for result in results if isinstance(result, Reading)]
        if refused is not None:
            self._refuse(refused, heard, meter, known, now)
        if not readings:
            return
        own = adapter.measurement_of(heard.said.services, known.bind_key, heard.address)
        measurement = own or value_of(readings)
        if not _same(known, measurement, now, timeless=own is None):
            known = LastHeard(known.bind_key, measurement, now, now)
        else:
            readings = _readings(self._decode(adapter, heard, known, known.first_heard or now))
        digest = hashlib.sha256(msgspec.json.encode(readings)).digest()[:_DIGEST_OCTETS]
        kept = {known.kept[start : start + _DIGEST_OCTETS] for start in range(0, len(known.kept), _DIGEST_OCTETS)}
        if digest not in kept:
            clock = self._clock(heard, readings, now)
            self._state.spool.put(readings_message(readings, meter.device_id, clock, None))
            self._first_reading(meter, now)
            self._state.note_contact(meter.device_id, None, now.isoformat(timespec="seconds"))
            self._state.spool.put(event_message("contact", now, device=meter.device_id, rssi_dbm=heard.rssi_dbm))
            _log.info("edge.broadcast_read", device=meter.device_id, readings=len(readings))
            known = replace(known, kept=(known.kept + digest)[-KEPT_LIMIT:])
        self._state.broadcasts.note(heard.address, replace(known, last_heard=now, refused=0))

    def _decode(
        self, adapter: BroadcastAdapter, heard: Heard, known: LastHeard, received_at: datetime
    ) -> list[Reading | Rejected]:
        said = heard.said
        return adapter.decode_advertisement(
            said.services, said.manufacturers, received_at, known.bind_key, heard.address
        )

    def _clock(self, heard: Heard, readings: Sequence[Reading], now: datetime) -> ClockMeasurement | None:
        """What the device's clock shows, where it was heard to measure until a moment ago."""
        at = readings[0].at
        if at.tzinfo is not None or time.monotonic() - self._settling.get(heard.address, -SETTLED_S) > SETTLED_S:
            return None
        return ClockMeasurement(raw=at, measured_at=now)

    def _refuse(self, refused: Rejected, heard: Heard, meter: Meter, known: LastHeard, now: datetime) -> None:
        """The first one as it came, then only how many: with a wrong key none can be read, and each is different."""
        count = known.refused + 1
        if count == 1:
            packets = tuple((uuid[4:8].upper(), data) for uuid, data in heard.said.services.items())
            self._state.spool.put(raw_message(Refusal(refused, packets, now), meter.device_id, heard.adapter))
        if count in TELL_REFUSED and known.bind_key is not None:
            self._state.spool.put(event_message("key_wrong", now, device=meter.device_id, broadcasts=count))
            _log.warning("edge.broadcasts_unreadable", device=meter.device_id, broadcasts=count)
        self._state.broadcasts.note(heard.address, replace(known, refused=count))

    def _first_reading(self, meter: Meter, now: datetime) -> None:
        current = self._state.meter(meter.device_id)
        if current is not None and current.pairing is not None:
            told = event_message("first_reading", now, device=meter.device_id, pairing=current.pairing)
            self._state.spool.put(told)
            self._state.note_first_reading(meter.device_id)


def _same(known: LastHeard, measurement: bytes, now: datetime, *, timeless: bool) -> bool:
    """Whether it is the measurement that was heard last. One without a time of its own may be repeated for a while."""
    if known.measurement != measurement:
        return False
    return not timeless or (known.last_heard is not None and now - known.last_heard <= REPEATED)


def value_of(readings: Sequence[Reading]) -> bytes:
    """What stands for a measurement of a device without a clock: the value that comes first."""
    first = readings[0]
    return f"{first.metric} {first.value} {first.unit}".encode()


def _readings(results: Sequence[Reading | Rejected]) -> list[Reading]:
    return [result for result in results if isinstance(result, Reading)]
