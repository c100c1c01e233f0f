"""Time Zone and DST Offset octets: how far a device's wall clock is ahead of UTC.

Source: GATT Specification Supplement, Time Zone (quarters of an hour, -48 … +56, -128 unknown) and DST Offset. Both are
added: a time zone is that of standard time.
"""

from datetime import timedelta, timezone
from typing import Final

from device_gateway_ble.octets import RefusedField

ZONE_UNKNOWN: Final = -128
_QUARTERS: Final = range(-48, 57)
_QUARTER_MIN: Final = 15
DST_UNKNOWN: Final = 0xFF
DST_MIN: Final = {0: 0, 2: 30, 4: 60, 8: 120}  # standard, half an hour, one hour, two hours of summer time


def utc_offset_min(zone: int, dst: int) -> int | None:
    """Minutes ahead of UTC; None where the device does not know its zone, or whether it is summer time there.

    Raises RefusedField.
    """
    if zone != ZONE_UNKNOWN and zone not in _QUARTERS:
        raise RefusedField("/time-zone", f"reserved value {zone}")
    if dst != DST_UNKNOWN and dst not in DST_MIN:
        raise RefusedField("/dst-offset", f"reserved value {dst}")
    if zone == ZONE_UNKNOWN or dst == DST_UNKNOWN:
        return None
    return zone * _QUARTER_MIN + DST_MIN[dst]


def zone_of(offset_min: int) -> timezone:
    """A zone that is always so many minutes ahead of UTC."""
    return timezone(timedelta(minutes=offset_min))


def zone_octets(offset_min: int) -> bytes:
    """Time Zone and DST Offset of a moment so many minutes ahead of UTC, all of it said as standard time.

    Raises ValueError where the offset is no quarter of an hour, or none that there is.
    """
    quarters, rest = divmod(offset_min, _QUARTER_MIN)
    if rest or quarters not in _QUARTERS:
        raise ValueError(f"{offset_min} min is no time zone")
    return quarters.to_bytes(1, "little", signed=True) + b"\0"
