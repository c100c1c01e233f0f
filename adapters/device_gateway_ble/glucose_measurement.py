"""Glucose Measurement (0x2A18). Layout: Glucose Service 1.0.1, 3.1; GATT Specification Supplement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from device_gateway.readings.model import ContextValue
from device_gateway_ble.octets import Octets, RefusedField
from device_gateway_ble.sfloat import decimal_text

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


@dataclass(frozen=True, slots=True)
class GlucoseMeasurement:
    """One record. `value` in `unit` (mg/dL or mmol/L), digits as sent; `at`: base time plus offset, without a zone."""

    seq: int
    at: datetime
    metric: str
    value: str
    unit: str
    context: dict[str, ContextValue]
    context_follows: bool


def sequence_number(data: bytes) -> int | None:
    """The sequence number of a measurement or context packet, whatever follows it; None where it is too short."""
    return int.from_bytes(data[1:3], "little") if len(data) >= 3 else None


def parse_glucose_measurement(data: bytes) -> GlucoseMeasurement:
    """One record of the meter. Raises RefusedField for all that is no glucose value of a person at a known time."""
    octets = Octets(data)
    flags = octets.unsigned(1, "/flags")
    if flags & _RESERVED_FLAGS:
        raise RefusedField("/flags", "a reserved flag is set: fields of a later version would be misread")
    seq = octets.unsigned(2, "/sequence")
    at = octets.date_time("/base-time")
    if flags & TIME_OFFSET:
        at = _user_facing(at, octets.signed(2, "/time-offset"))
    if not flags & CONCENTRATION:
        raise RefusedField("/concentration", "the record has no concentration")
    concentration = octets.sfloat("/concentration")
    kind, location = _type_and_location(octets.unsigned(1, "/type-sample-location"))
    context: dict[str, ContextValue] = {"sample-type": SAMPLE_TYPES[kind]}
    if location in SAMPLE_LOCATIONS:
        context["sample-location"] = SAMPLE_LOCATIONS[location]
    if flags & SENSOR_STATUS and (status := _sensor_status(octets.unsigned(2, "/sensor-status"))):
        context["sensor-status"] = status
    octets.end()
    in_moles = bool(flags & IN_MOLES)
    return GlucoseMeasurement(
        seq=seq,
        at=at,
        metric="interstitial-glucose" if SAMPLE_TYPES[kind] == "interstitial-fluid" else "blood-glucose",
        value=decimal_text(concentration, MMOL_PER_L_IN_MOL_PER_L if in_moles else MG_PER_DL_IN_KG_PER_L),
        unit="mmol/L" if in_moles else "mg/dL",
        context=context,
        context_follows=bool(flags & CONTEXT_FOLLOWS),
    )


def _user_facing(base: datetime, offset_min: int) -> datetime:
    if offset_min in (_OFFSET_OVERRUN, _OFFSET_UNDERRUN):
        raise RefusedField("/time-offset", "the offset overflowed in the device: the time is not known")
    try:
        return base + timedelta(minutes=offset_min)
    except OverflowError as error:
        raise RefusedField("/time-offset", "base time and offset give no date") from error


def _type_and_location(octet: int) -> tuple[int, int]:
    kind, location = octet & 0x0F, octet >> 4
    if kind == _CONTROL_SOLUTION_TYPE or location == _CONTROL_SOLUTION_LOCATION:
        raise RefusedField("/type-sample-location", "control solution: a test of the meter, not of a person")
    if kind not in SAMPLE_TYPES:
        raise RefusedField("/type-sample-location", f"reserved sample type {kind}")
    if location not in SAMPLE_LOCATIONS and location != _LOCATION_NOT_AVAILABLE:
        raise RefusedField("/type-sample-location", f"reserved sample location {location}")
    return kind, location


def _sensor_status(bits: int) -> str:
    if bits >> len(SENSOR_STATUS_NAMES):
        raise RefusedField("/sensor-status", "a reserved status bit is set")
    return " ".join(name for bit, name in enumerate(SENSOR_STATUS_NAMES) if bits >> bit & 1)
