"""IEEE 11073-20601 SFLOAT (16 bits: exponent 4, mantissa 12) and FLOAT (32 bits: exponent 8, mantissa 24), both parts
two's complement, the exponent a power of ten.

Values stay decimal, with the digits the device sent: 114 x 10^-5 is ``Decimal('0.00114')``, 1140 x 10^-6 is
``Decimal('0.001140')``. Special values: Bluetooth "Personal Health Devices Transcoding" white paper.
"""

from decimal import Decimal
from enum import Enum
from typing import Final


class Special(Enum):
    """What stands for no number, as an SFLOAT. All 16 bits count: with another exponent the mantissa is a number."""

    NOT_A_NUMBER = 0x07FF
    NOT_AT_THIS_RESOLUTION = 0x0800
    POSITIVE_INFINITY = 0x07FE
    NEGATIVE_INFINITY = 0x0802
    RESERVED = 0x0801

    @property
    def data_absent_reason(self) -> str:
        """Code of ``http://terminology.hl7.org/CodeSystem/data-absent-reason``."""
        return _ABSENT[self][0]

    @property
    def reason(self) -> str:
        """What it says about the value, with the code."""
        return f"the device sent {_ABSENT[self][1]} (data absent: {self.data_absent_reason})"


# FHIR has a code of its own for three of them. NRes: a value was measured and the device failed to express it, so it is
# "error". Reserved: a later version of the standard may give it a meaning; all that can be said is "unknown".
_ABSENT: Final = {
    Special.NOT_A_NUMBER: ("not-a-number", "NaN: it has no value"),
    Special.NOT_AT_THIS_RESOLUTION: ("error", "NRes: the value does not fit its resolution"),
    Special.POSITIVE_INFINITY: ("positive-infinity", "+INFINITY: the value is above what it can measure"),
    Special.NEGATIVE_INFINITY: ("negative-infinity", "-INFINITY: the value is below what it can measure"),
    Special.RESERVED: ("unknown", "a number that IEEE 11073-20601 reserves"),
}
_SFLOAT_SPECIALS: Final = {special.value: special for special in Special}
_FLOAT_SPECIALS: Final = {
    0x007FFFFF: Special.NOT_A_NUMBER,
    0x00800000: Special.NOT_AT_THIS_RESOLUTION,
    0x007FFFFE: Special.POSITIVE_INFINITY,
    0x00800002: Special.NEGATIVE_INFINITY,
    0x00800001: Special.RESERVED,
}


def parse_sfloat(word: int) -> Decimal | Special:
    """The number that a 16-bit word (0 … 0xFFFF) stands for, or the special value."""
    if special := _SFLOAT_SPECIALS.get(word):
        return special
    mantissa = (word & 0x0FFF) - ((word & 0x0800) << 1)
    exponent = (word >> 12) - ((word & 0x8000) >> 11)
    return Decimal(mantissa).scaleb(exponent)


def parse_float(word: int) -> Decimal | Special:
    """The number that a 32-bit word (0 … 0xFFFFFFFF) stands for, or the special value."""
    if special := _FLOAT_SPECIALS.get(word):
        return special
    mantissa = (word & 0x00FFFFFF) - ((word & 0x00800000) << 1)
    exponent = (word >> 24) - ((word & 0x80000000) >> 23)
    return Decimal(mantissa).scaleb(exponent)


def decimal_text(number: Decimal, power_of_ten: int = 0) -> str:
    """`number` x 10^`power_of_ten` as a plain decimal string, exact, without an exponent.

    >>> decimal_text(Decimal("0.00114"), 5)
    '114'
    """
    return format(number.scaleb(power_of_ten), "f")
