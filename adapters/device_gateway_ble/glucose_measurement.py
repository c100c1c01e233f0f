"""Glucose Measurement (0x2A18). Layout: Glucose Service 1.0.1, 3.1; GATT Specification Supplement."""

import struct
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

    Only numbers that `_field_by_field` has found sound are in the tables: any other ends the attempt.
    """
    try:
        flags = data[0]
        unpack, values, unit = _SHAPES[flags]
        status = 0
        if flags & TIME_OFFSET:
            if flags & SENSOR_STATUS:
                _, seq, year, month, day, hour, minute, second, offset_min, word, sample, status = unpack(data)
            else:
                _, seq, year, month, day, hour, minute, second, offset_min, word, sample = unpack(data)
            at = datetime(year, month, day, hour, minute, second) + _OFFSETS[offset_min]  # noqa: DTZ001
        else:
            if flags & SENSOR_STATUS:
                _, seq, year, month, day, hour, minute, second, word, sample, status = unpack(data)
            else:
                _, seq, year, month, day, hour, minute, second, word, sample = unpack(data)
            at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
        if year < FIRST_YEAR:
            return None
        metric, context = _SAMPLES[status << 8 | sample]
        return Reading(metric, unit, at, values[word], None, None, seq, context)
    except (LookupError, ValueError, OverflowError, struct.error):
        return None


def _field_by_field(data: bytes) -> Reading:
    octets = Octets(data)
    flags = octets.flags(1, ~_RESERVED_FLAGS)
    seq = octets.unsigned(2, "/sequence")
    at = octets.date_time("/base-time")
    offset_min = octets.signed(2, "/time-offset") if flags & TIME_OFFSET else 0
    offset = _offset(offset_min)
    try:
        at += offset
    except OverflowError as error:
        raise RefusedField("/time-offset", "base time and offset give no date") from error
    if not flags & CONCENTRATION:
        raise RefusedField("/concentration", "the record has no concentration")
    word = octets.unsigned(2, "/concentration")
    concentration = amount(parse_sfloat(word), "/concentration")
    sample = octets.unsigned(1, "/type-sample-location")
    kind, location = _type_and_location(sample)
    context = _context(kind, location)
    status = octets.unsigned(2, "/sensor-status") if flags & SENSOR_STATUS else 0
    if names := bit_names(status, SENSOR_STATUS_NAMES, "/sensor-status"):
        context["sensor-status"] = names
    octets.end()
    value = decimal_text(concentration, MMOL_PER_L_IN_MOL_PER_L if flags & IN_MOLES else MG_PER_DL_IN_KG_PER_L)
    metric = _metric(kind)
    _remember(_OFFSETS, offset_min, offset)
    _remember(_MMOL_PER_L if flags & IN_MOLES else _MG_PER_DL, word, value)
    _remember(_SAMPLES, status << 8 | sample, (metric, context))
    return Reading(
        metric=metric, unit="mmol/L" if flags & IN_MOLES else "mg/dL", at=at, value=value, seq=seq, context=context
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


def _remember(table: dict[int, Sound], number: int, sound: Sound) -> None:
    """Devices send few different numbers, so they are worked out once. Bounded: they come from outside."""
    if len(table) >= _TABLE_LIMIT:
        table.clear()
    table[number] = sound


_OFFSETS: Final[dict[int, timedelta]] = {}  # by minutes
_MG_PER_DL: Final[dict[int, str]] = {}  # by SFLOAT
_MMOL_PER_L: Final[dict[int, str]] = {}
_SAMPLES: Final[dict[int, tuple[str, dict[str, ContextValue]]]] = {}  # metric and context, by status, type and location
_SHAPES: Final = {
    flags: (
        struct.Struct(f"<BHHBBBBB{'h' * (flags & TIME_OFFSET)}HB{'H' if flags & SENSOR_STATUS else ''}").unpack,
        _MMOL_PER_L if flags & IN_MOLES else _MG_PER_DL,
        "mmol/L" if flags & IN_MOLES else "mg/dL",
    )
    for flags in range(CONTEXT_FOLLOWS << 1)
    if flags & CONCENTRATION
}  # by the flags: how to unpack it, what the concentration stands for, in which unit
