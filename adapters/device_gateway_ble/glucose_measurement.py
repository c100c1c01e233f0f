"""Glucose Measurement (0x2A18). Layout: Glucose Service 1.0.1, 3.1; GATT Specification Supplement."""

from datetime import datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Final

from device_gateway.readings.model import ContextValue, Reading
from device_gateway_ble.medfloat import Special, decimal_text, parse_sfloat
from device_gateway_ble.octets import FIRST_YEAR, Octets, RefusedField, bit_names

TIME_OFFSET, CONCENTRATION, IN_MOLES, SENSOR_STATUS, CONTEXT_FOLLOWS = 0x01, 0x02, 0x04, 0x08, 0x10
_RESERVED_FLAGS = 0xE0

MG_PER_DL_IN_KG_PER_L: Final = 5  # power of ten: 1 kg/L = 10^5 mg/dL
MMOL_PER_L_IN_MOL_PER_L: Final = 3  # power of ten

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


_LAYOUTS: Final = {
    flags: Struct(f"<BHHBBBBB{'h' * (flags & TIME_OFFSET)}HB{'H' if flags & SENSOR_STATUS else ''}")
    for flags in range(CONTEXT_FOLLOWS << 1)
    if flags & CONCENTRATION
}  # by flags


def sequence_number(data: bytes) -> int | None:
    """The sequence number of a measurement or context packet, whatever follows it; None where it is too short."""
    return int.from_bytes(data[1:3], "little") if len(data) >= 3 else None


def context_follows(data: bytes) -> bool:
    """Whether a measurement announces a context packet."""
    return bool(data[0] & CONTEXT_FOLLOWS)


def parse_glucose_measurement(data: bytes) -> Reading:
    """One record of the meter, in mg/dL or mmol/L with the digits sent; naive time: base time plus offset.

    Raises RefusedField for all that is no glucose value of a person at a known time.
    """
    return _at_once(data) or _field_by_field(data)


def _at_once(data: bytes) -> Reading | None:
    """The record, its fields taken in one go; None where it needs a closer look, or a reason why it is refused."""
    layout = _LAYOUTS.get(data[0]) if data else None
    if layout is None or layout.size != len(data):
        return None
    fields = layout.unpack(data)
    flags, seq, year, month, day, hour, minute, second = fields[:8]
    place = 9 if flags & TIME_OFFSET else 8
    value = _value(fields[place], flags & IN_MOLES)
    sample = _SAMPLES.get(fields[place + 1])
    status = _status(fields[-1]) if flags & SENSOR_STATUS else ""
    if value is None or sample is None or status is None or year < FIRST_YEAR:
        return None
    try:
        at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
        if flags & TIME_OFFSET:
            at += _offset(fields[8])
    except (ValueError, OverflowError, RefusedField):
        return None
    metric, of_sample = sample
    context = of_sample.copy()
    if status:
        context["sensor-status"] = status
    return Reading(metric, "mmol/L" if flags & IN_MOLES else "mg/dL", at, value, None, None, seq, context)


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


# Devices send few different values, offsets and statuses. Bounded: they come from outside.
@lru_cache(maxsize=4096)
def _value(word: int, in_moles: int) -> str | None:
    number = parse_sfloat(word)
    if isinstance(number, Special) or number < 0:
        return None
    return decimal_text(number, MMOL_PER_L_IN_MOL_PER_L if in_moles else MG_PER_DL_IN_KG_PER_L)


@lru_cache(maxsize=256)
def _status(bits: int) -> str | None:
    return None if bits >> len(SENSOR_STATUS_NAMES) else bit_names(bits, SENSOR_STATUS_NAMES, "/sensor-status")


@lru_cache(maxsize=1024)
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
