"""Glucose meters that speak the Bluetooth SIG Glucose Service (0x1808): the adapter ``ble-glucose``.

Context keys of a reading: ``sample-type``, ``sample-location``, ``sensor-status`` (names separated by spaces), those of
`glucose_context.parse_glucose_context`, and ``context-missing`` (True where the meter announced a context packet that
never came or could not be read).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import ClassVar, Final

import msgspec

from device_gateway.readings.model import ContextValue, Model, Reading, Rejected
from device_gateway_ble.glucose_context import parse_glucose_context
from device_gateway_ble.glucose_measurement import (
    CONTEXT_FOLLOWS,
    parse_at_once,
    parse_glucose_measurement,
    sequence_number,
)
from device_gateway_ble.measuring import FactParser, Facts, facts_of
from device_gateway_ble.octets import Octets, RefusedField, bit_names
from device_gateway_ble.uuids import assigned, short

Packet = tuple[str, bytes]  # (16-bit characteristic in hex, value)

_MEASUREMENT: Final = "2A18"
_CONTEXT: Final = "2A34"
_MEASUREMENT_UUID: Final = assigned(0x2A18)
FEATURE_NAMES: Final = (
    "low-battery-detection",
    "sensor-malfunction-detection",
    "sample-size-detection",
    "strip-insertion-detection",
    "strip-type-detection",
    "result-range-detection",
    "temperature-detection",
    "read-interruption-detection",
    "general-fault",
    "time-fault",
    "multiple-bonds",
)


class GlucoseDecoder:
    """Decodes the notifications of one sync, in the order in which they came. Never raises, whatever the bytes are.

    A measurement that announces a context packet is held until that packet comes, joined by its sequence number.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Reading, bytes]] = {}
        self._refused: dict[int, bytes] = {}
        self.packets: tuple[Packet, ...] = ()

    @property
    def waiting(self) -> Collection[int]:
        """Sequence numbers of the measurements whose context has not come yet."""
        return self._waiting.keys()

    @staticmethod
    def record_of(characteristic: str, data: bytes) -> int | None:
        """The sequence number of the record that this packet begins; None where it begins none, or is too short."""
        return sequence_number(data) if short(characteristic) == _MEASUREMENT else None

    def feed(
        self,
        characteristic: str,
        data: bytes,
        received_at: datetime | None = None,  # noqa: ARG002  a measurement of this profile has its own time
    ) -> list[Reading | Rejected]:
        """What this packet completes or refuses. `packets`: what a refusal rests on, oldest first."""
        if characteristic == _MEASUREMENT_UUID:  # the shortest way, and that of nearly all packets
            reading = parse_at_once(data)
            if reading is not None and not data[0] & CONTEXT_FOLLOWS:
                self.packets = ()
                return [reading]
        kind = short(characteristic)
        self.packets = ((kind, data),)
        if kind == _MEASUREMENT:
            return self._measurement(data)
        if kind == _CONTEXT:
            return self._context(data)
        return [Rejected("/characteristic", f"the adapter ble-glucose does not decode {kind}")]

    def finish(self) -> list[Reading | Rejected]:
        """At the end of a completed transfer: the readings whose context never came, without it."""
        self.packets = ()
        left = [_without_context(measurement) for measurement, _ in self._waiting.values()]
        self._waiting.clear()
        return list(left)

    def _measurement(self, data: bytes) -> list[Reading | Rejected]:
        try:
            measurement = parse_glucose_measurement(data)
        except RefusedField as refused:
            if (seq := sequence_number(data)) is not None:
                self._refused[seq] = data
            return [Rejected(refused.pointer, refused.reason)]
        if not data[0] & CONTEXT_FOLLOWS:
            return [measurement]
        earlier = self._waiting.pop(measurement.seq, None)
        self._waiting[measurement.seq] = (measurement, data)
        return [_without_context(earlier[0])] if earlier else []

    def _context(self, data: bytes) -> list[Reading | Rejected]:
        seq = sequence_number(data)
        if seq is None:
            return [Rejected("/context/sequence", "the context packet is too short to say whose context it is")]
        held = self._waiting.pop(seq, None)
        if held is None:
            return [self._nobodys_context(seq, data)]
        measurement, measured = held
        self.packets = ((_MEASUREMENT, measured), (_CONTEXT, data))
        try:
            _, context = parse_glucose_context(data)
        except RefusedField as refused:
            # Meters that also measure ketones mark those records with a reserved meal (CareSens: 6). Whatever a meal we
            # do not know means, the value beside it may not be glucose.
            if refused.pointer == "/context/meal":
                return [Rejected(refused.pointer, f"{refused.reason}: the value may not be glucose")]
            return [_without_context(measurement), Rejected(refused.pointer, refused.reason)]
        self.packets = ()
        return [_with_context(measurement, context)]

    def _nobodys_context(self, seq: int, data: bytes) -> Rejected:
        refused = self._refused.pop(seq, None)
        if refused is None:
            return Rejected("/context/sequence", "no measurement with this sequence number waits for a context")
        self.packets = ((_MEASUREMENT, refused), (_CONTEXT, data))
        return Rejected("/context/sequence", "the measurement that it belongs to was rejected")


class GlucoseMeter:
    """What the gateway needs to know of such a meter before it talks to one. 16-bit UUIDs are in 128-bit form."""

    key: ClassVar[str] = "ble-glucose"
    transport: ClassVar[str] = "ble"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-glucose", "device", "Bluetooth glucose meter"),)
    service: ClassVar[str] = assigned(0x1808)
    notifies: ClassVar[tuple[str, ...]] = (_MEASUREMENT_UUID, assigned(0x2A34))
    record_access: ClassVar[str | None] = assigned(0x2A52)
    reads: ClassVar[tuple[str, ...]] = ()
    session_start: ClassVar[str | None] = None
    live: ClassVar[bool] = False
    metrics: ClassVar[tuple[str, ...]] = ("blood-glucose", "interstitial-glucose")

    @classmethod
    def matches(cls, service_uuids: Collection[str]) -> bool:
        """Whether a device that advertises these services (16-bit or 128-bit UUIDs) is such a meter."""
        return any(short(uuid) == "1808" for uuid in service_uuids)

    @staticmethod
    def same_session(_kept: bytes, _read: bytes) -> bool:
        """A meter has no sessions: its records are one numbering."""
        return True

    @classmethod
    def decoder(cls) -> GlucoseDecoder:
        """A fresh decoder, for one sync."""
        return GlucoseDecoder()

    @classmethod
    def characteristics(cls) -> Collection[str]:
        """The characteristics that the adapter decodes, 16 bits in hex."""
        return (_MEASUREMENT, _CONTEXT, *_FACTS)

    @classmethod
    def facts(cls, characteristic: str, data: bytes) -> Facts | Rejected | None:
        """What a characteristic without readings says; None where this adapter does not know it. Never raises."""
        return facts_of(_FACTS, characteristic, data)


def parse_feature(data: bytes) -> Facts:
    """Glucose Feature (0x2A51). Raises RefusedField."""
    octets = Octets(data)
    features = bit_names(octets.unsigned(2, "/features"), FEATURE_NAMES, "/features")
    octets.end()
    return {"features": features}


_FACTS: Final[Mapping[str, FactParser]] = {"2A51": parse_feature}


def _with_context(measurement: Reading, context: Mapping[str, ContextValue]) -> Reading:
    return msgspec.structs.replace(measurement, context={**(measurement.context or {}), **context})


def _without_context(measurement: Reading) -> Reading:
    return _with_context(measurement, {"context-missing": True})
