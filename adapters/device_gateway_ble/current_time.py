"""A device's clock: Current Time (0x2A2B) and Local Time Information (0x2A0F), to read and to set.

Layouts: Current Time Service 1.1; GATT Specification Supplement.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from device_gateway_ble.octets import Octets, RefusedField, bit_names
from device_gateway_ble.zones import utc_offset_min

FRACTIONS: Final = 256  # of a second
WEEKDAYS: Final = ("", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")  # 0: not known
ADJUST_REASONS: Final = ("manual", "external-reference", "time-zone", "daylight-saving")


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """Current Time: the device's wall clock, to 1/256 s. `reasons` why it was set last, separated by spaces."""

    clock: datetime
    weekday: str
    reasons: str


def parse_current_time(data: bytes) -> DeviceTime:
    """Current Time (0x2A2B). Raises RefusedField."""
    octets = Octets(data)
    clock = octets.date_time("/current-time")
    weekday = octets.unsigned(1, "/weekday")
    if weekday >= len(WEEKDAYS):
        raise RefusedField("/weekday", f"reserved value {weekday}")
    if weekday and clock.isoweekday() != weekday:
        raise RefusedField("/weekday", "the day of the week is not that of the date")
    fraction = octets.unsigned(1, "/fractions")
    reasons = bit_names(octets.unsigned(1, "/adjust-reason"), ADJUST_REASONS, "/adjust-reason")
    octets.end()
    return DeviceTime(clock + timedelta(seconds=fraction / FRACTIONS), WEEKDAYS[weekday], reasons)


def parse_local_time(data: bytes) -> int | None:
    """Local Time Information (0x2A0F): minutes ahead of UTC, None where it is not known. Raises RefusedField."""
    octets = Octets(data)
    offset_min = utc_offset_min(octets.signed(1, "/time-zone"), octets.unsigned(1, "/dst-offset"))
    octets.end()
    return offset_min
