"""Encoding IEEE 11073-20601 FLOAT: 8 bits of decimal exponent, 24 bits of mantissa, both two's complement."""

from decimal import Decimal

_SPECIAL_MANTISSAS = {0x7FFFFE, 0x7FFFFF, 0x800000, 0x800001, 0x800002}  # infinities, NaN, NRes, reserved


def encode_float(number: Decimal) -> bytes:
    """The four octets of `number`, its digits kept. Raises ValueError for one that 24 + 8 bits cannot hold."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{number} is no finite number")  # noqa: TRY004  a Decimal may be NaN
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    if not (-(1 << 23) <= mantissa < 1 << 23 and -128 <= exponent <= 127):
        raise ValueError(f"{number} does not fit a FLOAT")
    if mantissa & 0xFFFFFF in _SPECIAL_MANTISSAS:
        raise ValueError(f"{number} would be a special value")
    return ((exponent & 0xFF) << 24 | mantissa & 0xFFFFFF).to_bytes(4, "little")
