"""Continuous glucose monitors of the Bluetooth SIG CGM Service (0x181F): the adapter ``ble-cgm``.

A record's time is the start of the session plus its offset in minutes, which is its sequence number, too. So the start
(0x2AAA) is to be read and fed before the records; without it they wait for it, and are refused where it never comes.
Only one who knows that a packet was not in the monitor's memory may take the time of receipt for it: `live_decoder`.

A CGM measures interstitial glucose, even where it says that its numbers are calibrated to those of blood or plasma.

Context keys: ``sensor-status`` (names separated by spaces), ``trend-mg-dl-min``, ``quality-percent`` (or
``trend-absent``, ``quality-absent``: a data-absent-reason of FHIR), ``session-start``, ``session-expired``,
``sample-type``, ``sample-location``, ``effective-time``. Records of a session that is over its run time, and those of a
sensor that warms up or wants to be calibrated, are preliminary.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Reading, Rejected, Status
from device_gateway_ble.cgm_control_point import parse_control_point
from device_gateway_ble.cgm_measurement import CgmRecord, offset_of, parse_records
from device_gateway_ble.cgm_session import (
    CONTROL_SOLUTION,
    Feature,
    parse_feature,
    parse_run_time,
    parse_start,
    parse_status,
)
from device_gateway_ble.cgm_sessions import CgmSessions
from device_gateway_ble.cgm_status import NOT_SETTLED
from device_gateway_ble.measuring import Context, FactParser, Facts, Packet, Results, facts_of
from device_gateway_ble.octets import RefusedField
from device_gateway_ble.uuids import assigned, short

_MEASUREMENT: Final = "2AA7"
_INTERSTITIAL: Final = "interstitial-fluid"
_NOT_AVAILABLE: Final = "not-available"
SAME_SESSION: Final = timedelta(minutes=10)


class CgmDecoder:
    """Decodes one connection with a monitor. Never raises, whatever the bytes are.

    live  whether, without a start of the session, a record was measured when it was received
    """

    def __init__(self, *, live: bool = False) -> None:
        self._live = live
        self._feature: Feature | None = None
        self._start: datetime | None = None
        self._start_refused: RefusedField | None = None
        self._run_time_h: int | None = None
        self._held: list[tuple[CgmRecord, bytes]] = []
        self._takes: Mapping[str, Callable[[bytes], None]] = {
            "2AA8": self._take_feature,
            "2AA9": self._take_status,
            "2AAA": self._take_start,
            "2AAB": self._take_run_time,
            "2AAC": self._take_answer,
        }
        self.packets: tuple[Packet, ...] = ()

    @property
    def waiting(self) -> Collection[int]:
        """Sequence numbers of the records that wait for the start of the session."""
        return [record.offset_min for record, _ in self._held]

    @staticmethod
    def record_of(characteristic: str, data: bytes) -> int | None:
        """The sequence number of the first record in this packet; None where there is none."""
        return offset_of(data) if short(characteristic) == _MEASUREMENT else None

    def feed(self, characteristic: str, data: bytes, received_at: datetime | None = None) -> Results:
        """What this packet completes or refuses. `received_at` (aware) counts for a live decoder only."""
        kind = short(characteristic)
        self.packets = ((kind, data),)
        if kind == _MEASUREMENT:
            return self._measurement(data, received_at)
        take = self._takes.get(kind)
        if take is None:
            return [Rejected("/characteristic", f"the adapter ble-cgm does not decode {kind}")]
        try:
            take(data)
        except RefusedField as refused:
            return [Rejected(refused.pointer, refused.reason)]
        return self._released() if kind == "2AAA" else []

    def finish(self) -> Results:
        """At the end: the records that still wait for a start are refused."""
        held, self._held = self._held, []
        self.packets = tuple((_MEASUREMENT, data) for _, data in held)
        return [Rejected("/session-start", "when the session began was not read") for _ in held]

    def _measurement(self, data: bytes, received_at: datetime | None) -> Results:
        records = parse_records(data, self._feature.has_crc if self._feature else None)
        offsets = [record.offset_min for record in records if isinstance(record, CgmRecord)]
        results: Results = []
        for record in records:
            if isinstance(record, RefusedField):
                results.append(Rejected(record.pointer, record.reason))
            elif self._start or self._start_refused:
                results.append(self._reading(record))
            elif self._live and received_at:
                at = received_at - timedelta(minutes=max(offsets) - record.offset_min)
                results.append(self._placed(record, at, {"effective-time": "received"}))
            else:
                self._held.append((record, data))
        return results

    def _released(self) -> Results:
        held, self._held = self._held, []
        if held:
            self.packets = tuple((_MEASUREMENT, data) for _, data in held)
        return [self._reading(record) for record, _ in held]

    def _reading(self, record: CgmRecord) -> Reading | Rejected:
        if self._start is None:
            why = self._start_refused.reason if self._start_refused else "it was not read"
            return Rejected("/session-start", f"when the session began is not known: {why}")
        try:
            at = self._start + timedelta(minutes=record.offset_min)
        except OverflowError:
            return Rejected("/time-offset", "start and offset give no date")
        return self._placed(record, at, {"session-start": self._start.isoformat()})

    def _placed(self, record: CgmRecord, at: datetime, further: Context) -> Reading | Rejected:
        context = record.context | further
        if self._feature:
            if CONTROL_SOLUTION in (self._feature.sample_type, self._feature.sample_location):
                return Rejected("/type-sample-location", "control solution: a test of the sensor, not of a person")
            if self._feature.sample_type != _INTERSTITIAL:
                context["sample-type"] = self._feature.sample_type
            if self._feature.sample_location != _NOT_AVAILABLE:
                context["sample-location"] = self._feature.sample_location
        status: Status = "final"
        if any(name in NOT_SETTLED for name in str(context.get("sensor-status", "")).split()):
            status = "preliminary"
        if self._run_time_h is not None and record.offset_min > self._run_time_h * 60:
            context["session-expired"] = True
            status = "preliminary"
        return Reading(
            metric="interstitial-glucose",
            unit="mg/dL",
            at=at,
            value=record.value,
            seq=record.offset_min,
            context=context or None,
            status=status,
        )

    @property
    def _has_crc(self) -> bool | None:
        return self._feature.has_crc if self._feature else None

    def _take_feature(self, data: bytes) -> None:
        self._feature = parse_feature(data)

    def _take_status(self, data: bytes) -> None:
        parse_status(data, self._has_crc)

    def _take_start(self, data: bytes) -> None:
        self._start = self._start_refused = None
        try:
            self._start = parse_start(data, self._has_crc)
        except RefusedField as refused:
            self._start_refused = refused
            raise

    def _take_run_time(self, data: bytes) -> None:
        self._run_time_h = parse_run_time(data, self._has_crc)

    def _take_answer(self, data: bytes) -> None:
        parse_control_point(data, self._has_crc)


def _feature_facts(data: bytes) -> Facts:
    feature = parse_feature(data)
    return {
        "features": feature.features,
        "sample-type": feature.sample_type,
        "sample-location": feature.sample_location,
    }


def _status_facts(data: bytes) -> Facts:
    status = parse_status(data)
    return {"session-min": status.offset_min, "sensor-status": status.status}


_FACTS: Final[Mapping[str, FactParser]] = {
    "2AA8": _feature_facts,
    "2AA9": _status_facts,
    "2AAA": lambda data: {"session-start": parse_start(data).isoformat()},
    "2AAB": lambda data: {"run-time-h": parse_run_time(data)},
    "2AAC": lambda data: parse_control_point(data).facts(),
}


class ContinuousGlucoseMonitor:
    """What the gateway needs to know of such a monitor before it talks to one. UUIDs are in 128-bit form."""

    key: ClassVar[str] = "ble-cgm"
    transport: ClassVar[str] = "ble"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-cgm", "device", "Bluetooth continuous glucose monitor"),)
    service: ClassVar[str] = assigned(0x181F)
    notifies: ClassVar[tuple[str, ...]] = (assigned(0x2AA7),)
    record_access: ClassVar[str | None] = assigned(0x2A52)
    control_point: ClassVar[str] = assigned(0x2AAC)
    reads: ClassVar[tuple[str, ...]] = (assigned(0x2AA8), assigned(0x2AAA), assigned(0x2AAB), assigned(0x2AA9))
    session_start: ClassVar[str | None] = assigned(0x2AAA)
    live: ClassVar[bool] = True
    sessions: ClassVar[CgmSessions] = CgmSessions()
    metrics: ClassVar[tuple[str, ...]] = ("interstitial-glucose",)

    @classmethod
    def characteristics(cls) -> Collection[str]:
        """The characteristics that the adapter decodes, 16 bits in hex."""
        return (_MEASUREMENT, *_FACTS)

    @classmethod
    def matches(cls, service_uuids: Collection[str]) -> bool:
        """Whether a device that advertises these services (16-bit or 128-bit UUIDs) is such a monitor."""
        return any(short(uuid) == "181F" for uuid in service_uuids)

    @staticmethod
    def same_session(kept: bytes, read: bytes) -> bool:
        """Whether both values of the session start (0x2AAA) mean the same session.

        A monitor may say the same start a little differently once its clock was set; sensors are changed less often.
        """
        try:
            first, second = parse_start(kept), parse_start(read)
        except RefusedField:
            return kept == read
        if first.tzinfo is None or second.tzinfo is None:
            first, second = first.replace(tzinfo=None), second.replace(tzinfo=None)
        return abs(second - first) <= SAME_SESSION

    @classmethod
    def decoder(cls) -> CgmDecoder:
        """A fresh decoder, for one connection."""
        return CgmDecoder()

    @classmethod
    def live_decoder(cls) -> CgmDecoder:
        """A decoder for packets that are known to be live, though the start of the session may not be known."""
        return CgmDecoder(live=True)

    @classmethod
    def facts(cls, characteristic: str, data: bytes) -> Facts | Rejected | None:
        """What a characteristic without readings says; None where this adapter does not know it. Never raises."""
        return facts_of(_FACTS, characteristic, data)
