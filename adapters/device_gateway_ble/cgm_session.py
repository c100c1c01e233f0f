"""What a continuous glucose monitor says about itself and its session: feature, status, start and run time.

Layouts: Continuous Glucose Monitoring Service 1.0.2, 3.2 … 3.5; GATT Specification Supplement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from device_gateway_ble.cgm_status import status_names
from device_gateway_ble.e2e_crc import OCTETS as CRC_OCTETS
from device_gateway_ble.e2e_crc import crc_fits, end_with_crc, with_crc
from device_gateway_ble.glucose_measurement import SAMPLE_TYPES
from device_gateway_ble.octets import Octets, RefusedField, bit_names, named
from device_gateway_ble.zones import utc_offset_min, zone_octets, zone_of

FEATURE_NAMES: Final = (
    "calibration",
    "patient-alerts",
    "hypo-alerts",
    "hyper-alerts",
    "rate-alerts",
    "device-alert",
    "sensor-malfunction-detection",
    "sensor-temperature-detection",
    "sensor-result-detection",
    "low-battery-detection",
    "sensor-type-detection",
    "general-fault",
    "e2e-crc",
    "multiple-bonds",
    "multiple-sessions",
    "trend",
    "quality",
)
E2E_CRC: Final = 1 << 12
_NO_CRC: Final = b"\xff\xff"  # in the feature characteristic of a device without E2E-CRC
CONTROL_SOLUTION: Final = "control-solution"
TYPES: Final = {**SAMPLE_TYPES, 10: CONTROL_SOLUTION}
LOCATIONS: Final = {
    1: "finger",
    2: "alternate-site",
    3: "earlobe",
    4: CONTROL_SOLUTION,
    5: "subcutaneous-tissue",
    15: "not-available",
}

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class Feature:
    """CGM Feature (0x2AA8)."""

    features: str
    has_crc: bool
    sample_type: str
    sample_location: str


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """CGM Status (0x2AA9): how long the session has been running, and how the sensor is."""

    offset_min: int
    status: str


def parse_feature(data: bytes) -> Feature:
    """CGM Feature (0x2AA8). Raises RefusedField."""
    octets = Octets(data)
    bits = octets.unsigned(3, "/features")
    kinds = octets.unsigned(1, "/type-sample-location")
    crc = octets.take(CRC_OCTETS, "/crc")
    octets.end()
    # The last octets of a device that has no CRC are 0xFFFF in the service, and any other value in the supplement.
    if bits & E2E_CRC and not crc_fits(data):
        raise RefusedField("/crc", "the CRC is wrong: the value was damaged on its way" if crc != _NO_CRC else "no CRC")
    return Feature(
        features=bit_names(bits, FEATURE_NAMES, "/features"),
        has_crc=bool(bits & E2E_CRC),
        sample_type=named(kinds & 0x0F, TYPES, "/type-sample-location"),
        sample_location=named(kinds >> 4, LOCATIONS, "/type-sample-location"),
    )


def parse_status(data: bytes, has_crc: bool | None = None) -> SessionStatus:
    """CGM Status (0x2AA9). `has_crc` as in `end_with_crc`. Raises RefusedField."""
    return _parsed(
        data, has_crc, lambda o: SessionStatus(o.unsigned(2, "/time-offset"), status_names(o.unsigned(3, "/status")))
    )


def parse_start(data: bytes, has_crc: bool | None = None) -> datetime:
    """CGM Session Start Time (0x2AAA): aware, or naive where the device does not know its zone. Raises RefusedField."""
    return _parsed(data, has_crc, _start)


def parse_run_time(data: bytes, has_crc: bool | None = None) -> int:
    """CGM Session Run Time (0x2AAB) in hours: how long a session is meant to last. Raises RefusedField."""
    return _parsed(data, has_crc, lambda o: o.unsigned(2, "/run-time"))


def start_octets(start: datetime, has_crc: bool) -> bytes:
    """The value to write to CGM Session Start Time (0x2AAA) for an aware `start`, in seconds.

    Raises ValueError where its zone cannot be said in quarters of an hour.
    """
    offset = start.utcoffset()
    if offset is None:
        raise ValueError("the start of a session needs a zone")
    clock = start.year.to_bytes(2, "little") + bytes([start.month, start.day, start.hour, start.minute, start.second])
    value = clock + zone_octets(int(offset.total_seconds()) // 60)
    return with_crc(value) if has_crc else value


def _start(octets: Octets) -> datetime:
    clock = octets.date_time("/session-start")
    offset_min = utc_offset_min(octets.signed(1, "/time-zone"), octets.unsigned(1, "/dst-offset"))
    return clock if offset_min is None else clock.replace(tzinfo=zone_of(offset_min))


def _parsed(data: bytes, has_crc: bool | None, parse: Callable[[Octets], _Parsed]) -> _Parsed:
    octets = Octets(data)
    value = parse(octets)
    end_with_crc(octets, data, has_crc)
    return value
