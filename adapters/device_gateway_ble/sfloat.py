"""IEEE 11073-20601 SFLOAT ("medfloat16"): 4 bits of decimal exponent, 12 bits of mantissa, both two's complement.

Values stay decimal, with the digits the device sent: 114 x 10^-5 is ``Decimal('0.00114')``, 1140 x 10^-6 is
``Decimal('0.001140')``. Special values: Bluetooth "Personal Health Devices Transcoding" white paper.
"""

from decimal import Decimal
from enum import Enum


class Special(Enum):
    """Words that stand for no number. The whole 16 bits count: with another exponent the mantissa is a plain number."""

    NOT_A_NUMBER = 0x07FF
    NOT_AT_THIS_RESOLUTION = 0x0800
    POSITIVE_INFINITY = 0x07FE
    NEGATIVE_INFINITY = 0x0802
    RESERVED = 0x0801


_SPECIALS = {special.value: special for special in Special}


def parse_sfloat(word: int) -> Decimal | Special:
    """The number that a 16-bit word (0 … 0xFFFF) stands for, or the special value."""
    if special := _SPECIALS.get(word):
        return special
    mantissa = (word & 0x0FFF) - ((word & 0x0800) << 1)
    exponent = (word >> 12) - ((word & 0x8000) >> 11)
    return Decimal(mantissa).scaleb(exponent)


def decimal_text(number: Decimal, power_of_ten: int) -> str:
    """`number` x 10^`power_of_ten` as a plain decimal string, exact, without an exponent.

    >>> decimal_text(Decimal("0.00114"), 5)
    '114'
    """
    return format(number.scaleb(power_of_ten), "f")
