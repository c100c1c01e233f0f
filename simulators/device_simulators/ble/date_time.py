"""Wall clocks on the air. GATT Specification Supplement: Date Time, Current Time."""

import struct
from datetime import datetime


def date_time(moment: datetime) -> bytes:
    """Date Time: 7 octets."""
    return struct.pack("<HBBBBB", moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def current_time(moment: datetime, adjust_reason: int = 0) -> bytes:
    """Current Time (0x2A2B): Date Time, day of week from Monday = 1, 1/256 s, reason of the last adjustment."""
    fraction = moment.microsecond * 256 // 1_000_000
    return date_time(moment) + bytes([moment.isoweekday(), fraction, adjust_reason])
