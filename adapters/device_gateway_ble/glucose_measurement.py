"""Glucose Measurement (0x2A18). Layout: Glucose Service 1.0.1, 3.1; GATT Specification Supplement."""

import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from device_gateway.readings.model import ContextValue, Reading
from device_gateway_ble.medfloat import decimal_text, parse_sfloat
from device_gateway_ble.octets import FIRST_YEAR, Octets, RefusedField, amount, bit_names

Sound = TypeVar("Sound")

TIME_OFFSET, CONCENTRATION, IN_MOLES, SENSOR_STATUS, CONTEXT_FOLLOWS = 0x01, 0x02, 0x04, 0x08, 0x10
_RESERVED_FLAGS = 0xE0

MG_PER_DL_IN_KG_PER_L: Final = 5  # power of ten: 1 kg/L = 10^5 mg/dL
MMOL_PER_L_IN_MOL_PER_L: Final = 3  # power of ten

_TABLE_LIMIT: Final = 4096  # entries: far more than a device's values, some hundred kilobytes
_OFFSET_OVERRUN, _OFFSET_UNDERRUN = 0x7FFF, -0x8000

SAMPLE_TYPES: Final = {
    1: "capillary-whole-blood",
    2: "capillary-plasma",
    3: "venous-whole-blood",
    4: "venous-plasma",
    5: "arterial-whole-blood",
    6: "arterial-plasma",
    7: "undetermined-whole-blood",
    8: "undetermined-plasma",
    9: "interstitial-fluid",
}
_CONTROL_SOLUTION_TYPE = 10
_CONTROL_SOLUTION_LOCATION = 4
SAMPLE_LOCATIONS: Final = {1: "finger", 2: "alternate-site", 3: "earlobe"}
_LOCATION_NOT_AVAILABLE = 15

SENSOR_STATUS_NAMES: Final = (
    "battery-low",
    "sensor-malfunction",
    "sample-size-insufficient",
    "strip-insertion-error",
    "strip-type-incorrect",
    "result-too-high",
    "result-too-low",
    "temperature-too-high",
    "temperature-too-low",
    "read-interrupted",
    "general-fault",
    "time-fault",
)  # by bit, from bit 0


def sequence_number(data: bytes) -> int | None:
    """The sequence number of a measurement or context packet, whatever follows it; None where it is too short."""
    return int.from_bytes(data[1:3], "little") if len(data) >= 3 else None


def parse_glucose_measurement(data: bytes) -> Reading:
    """One record of the meter, in mg/dL or mmol/L with the digits sent; naive time: base time plus offset.

    Raises RefusedField for all that is no glucose value of a person at a known time.
    """
    return parse_at_once(data) or _field_by_field(data)


def parse_at_once(data: bytes) -> Reading | None:
    """The same record, its fields taken in one go; None where it needs a closer look, or a reason why it is refused.

    The tables hold sound values only: a field that has none there ends the attempt.
    """
    try:
        flags = data[0]
        unpack, absent, values, unit = _SHAPES[flags]
        if flags & TIME_OFFSET:
            _, seq, year, month, day, hour, minute, second, offset_min, word, sample, status = unpack(data + absent)
            at = datetime(year, month, day, hour, minute, second) + _OFFSETS[offset_min]  # noqa: DTZ001
        else:
            _, seq, year, month, day, hour, minute, second, word, sample, status = unpack(data + absent)
            at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
        metric, of_sample = _SAMPLES[sample]
        value = values[word]
        context = of_sample.copy()
        if status:
            context["sensor-status"] = _STATUSES[status]
    except (LookupError, ValueError, OverflowError, struct.error):
        return None
    return Reading(metric, unit, at, value, None, None, seq, context) if year >= FIRST_YEAR else None


def _field_by_field(data: bytes) -> Reading:
    octets = Octets(data)
    flags = octets.flags(1, ~_RESERVED_FLAGS)
    seq = octets.unsigned(2, "/sequence")
    at = octets.date_time("/base-time")
    if flags & TIME_OFFSET:
        try:
            at += _offset(octets.signed(2, "/time-offset"))
        except OverflowError as error:
            raise RefusedField("/time-offset", "base time and offset give no date") from error
    if not flags & CONCENTRATION:
        raise RefusedField("/concentration", "the record has no concentration")
    concentration = octets.sfloat("/concentration")
    kind, location = _type_and_location(octets.unsigned(1, "/type-sample-location"))
    context = _context(kind, location)
    if flags & SENSOR_STATUS and (
        status := bit_names(octets.unsigned(2, "/sensor-status"), SENSOR_STATUS_NAMES, "/sensor-status")
    ):
        context["sensor-status"] = status
    octets.end()
    return Reading(
        metric=_metric(kind),
        unit="mmol/L" if flags & IN_MOLES else "mg/dL",
        at=at,
        value=decimal_text(concentration, MMOL_PER_L_IN_MOL_PER_L if flags & IN_MOLES else MG_PER_DL_IN_KG_PER_L),
        seq=seq,
        context=context,
    )


def _offset(offset_min: int) -> timedelta:
    if offset_min in (_OFFSET_OVERRUN, _OFFSET_UNDERRUN):
        raise RefusedField("/time-offset", "the offset overflowed in the device: the time is not known")
    return timedelta(minutes=offset_min)


def _type_and_location(octet: int) -> tuple[int, int]:
    kind, location = octet & 0x0F, octet >> 4
    if kind == _CONTROL_SOLUTION_TYPE or location == _CONTROL_SOLUTION_LOCATION:
        raise RefusedField("/type-sample-location", "control solution: a test of the meter, not of a person")
    if kind not in SAMPLE_TYPES:
        raise RefusedField("/type-sample-location", f"reserved sample type {kind}")
    if location not in SAMPLE_LOCATIONS and location != _LOCATION_NOT_AVAILABLE:
        raise RefusedField("/type-sample-location", f"reserved sample location {location}")
    return kind, location


def _metric(kind: int) -> str:
    return "interstitial-glucose" if SAMPLE_TYPES[kind] == "interstitial-fluid" else "blood-glucose"


def _context(kind: int, location: int) -> dict[str, ContextValue]:
    context: dict[str, ContextValue] = {"sample-type": SAMPLE_TYPES[kind]}
    if location in SAMPLE_LOCATIONS:
        context["sample-location"] = SAMPLE_LOCATIONS[location]
    return context


_SAMPLES: Final = {
    location << 4 | kind: (_metric(kind), _context(kind, location))
    for kind in SAMPLE_TYPES
    for location in (*SAMPLE_LOCATIONS, _LOCATION_NOT_AVAILABLE)
}  # by the octet of type and location


class _Table(dict[int, Sound]):
    """What a field's number stands for, worked out once: devices send few different ones. Bounded: they come from
    outside. KeyError for a number that stands for nothing sound."""

    def __init__(self, work_out: Callable[[int], Sound]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, number: int) -> Sound:
        try:
            sound = self._work_out(number)
        except RefusedField as refused:
            raise KeyError(number) from refused
        if len(self) >= _TABLE_LIMIT:
            self.clear()
        self[number] = sound
        return sound


def _values(power_of_ten: int) -> _Table[str]:
    return _Table(lambda word: decimal_text(amount(parse_sfloat(word), "/concentration"), power_of_ten))


_OFFSETS: Final = _Table(_offset)
_STATUSES: Final = _Table(lambda bits: bit_names(bits, SENSOR_STATUS_NAMES, "/sensor-status"))
_MG_PER_DL: Final = _values(MG_PER_DL_IN_KG_PER_L)
_MMOL_PER_L: Final = _values(MMOL_PER_L_IN_MOL_PER_L)
_SHAPES: Final = {
    flags: (
        struct.Struct(f"<BHHBBBBB{'h' * (flags & TIME_OFFSET)}HBH").unpack,
        b"" if flags & SENSOR_STATUS else b"\0\0",  # a status that is not there, with no bit set
        _MMOL_PER_L if flags & IN_MOLES else _MG_PER_DL,
        "mmol/L" if flags & IN_MOLES else "mg/dL",
    )
    for flags in range(CONTEXT_FOLLOWS << 1)
    if flags & CONCENTRATION
}  # by the flags: how to unpack it, what to append, what the concentration stands for, in which unit
