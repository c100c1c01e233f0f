"""Sensor Status Annunciation of a continuous glucose monitor: what its bits are called, and what they do to a value.

Bits: GATT Specification Supplement, CGM Measurement. Its 24 bits are status, calibration and temperature, and warning,
from the lowest octet on.
"""

from typing import Final

from device_gateway_ble.octets import bit_names

STATUS_NAMES: Final = (
    "session-stopped",
    "battery-low",
    "sensor-type-incorrect",
    "sensor-malfunction",
    "device-alert",
    "general-fault",
    "",
    "",
    "time-synchronisation-required",
    "calibration-not-allowed",
    "calibration-recommended",
    "calibration-required",
    "sensor-temperature-too-high",
    "sensor-temperature-too-low",
    "calibration-pending",
    "",
    "below-patient-low",
    "above-patient-high",
    "below-hypo",
    "above-hyper",
    "falling-fast",
    "rising-fast",
    "result-too-low",
    "result-too-high",
)
# With these the number is none of a person: the session is over, or the sensor itself says that it does not work.
NO_MEASUREMENT: Final = (
    "session-stopped",
    "sensor-type-incorrect",
    "sensor-malfunction",
    "general-fault",
    "sensor-temperature-too-high",
    "sensor-temperature-too-low",
)
# With these the number, or its time, is not settled yet: warm-up, or a calibration that is due or under way.
NOT_SETTLED: Final = (
    "time-synchronisation-required",
    "calibration-not-allowed",
    "calibration-required",
    "calibration-pending",
)


def status_names(bits: int) -> str:
    """The names of the bits that are set, separated by spaces. Raises RefusedField for a reserved one."""
    return bit_names(bits, STATUS_NAMES, "/sensor-status")
