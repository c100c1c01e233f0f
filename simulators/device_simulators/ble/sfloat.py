"""IEEE 11073-20601 SFLOAT: 4 bits of decimal exponent, 12 bits of mantissa, both two's complement."""

from decimal import Decimal

_SPECIAL_WORDS = {0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802}  # infinities, NaN, NRes, reserved


def decode_sfloat(octets: bytes) -> Decimal | None:
    """The number in two octets; None for a special value."""
    word = int.from_bytes(octets, "little")
    if word in _SPECIAL_WORDS:
        return None
    mantissa, exponent = word & 0xFFF, word >> 12
    return Decimal(mantissa - 0x1000 if mantissa & 0x800 else mantissa).scaleb(
        exponent - 16 if exponent & 8 else exponent
    )


def encode_sfloat(number: Decimal) -> bytes:
    """The two octets of `number`, its digits kept. Raises ValueError for one that 12 + 4 bits cannot hold."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{number} is no finite number")  # noqa: TRY004  a Decimal may be NaN
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    if not (-2048 <= mantissa <= 2047 and -8 <= exponent <= 7):
        raise ValueError(f"{number} does not fit an SFLOAT")
    word = (exponent & 0xF) << 12 | mantissa & 0xFFF
    if word in _SPECIAL_WORDS:
        raise ValueError(f"{number} would be a special value")
    return word.to_bytes(2, "little")
