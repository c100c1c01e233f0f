"""IEEE 11073 numbers and the E2E-CRC."""

from decimal import Decimal

import pytest
from ble_encoding import crc16, float32
from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway_ble.e2e_crc import crc_fits, e2e_crc, with_crc
from device_gateway_ble.medfloat import Special, decimal_text, parse_float, parse_sfloat

FLOAT_SPECIALS = {
    0x007FFFFF: Special.NOT_A_NUMBER,
    0x00800000: Special.NOT_AT_THIS_RESOLUTION,
    0x007FFFFE: Special.POSITIVE_INFINITY,
    0x00800002: Special.NEGATIVE_INFINITY,
    0x00800001: Special.RESERVED,
}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (0x00000002, "2"),
        (0xFF000014, "2.0"),
        (0xFE0000C8, "2.00"),
        (0x01000002, "20"),
        (0x02000002, "200"),
        (0x000004D2, "1234"),
        (0x00FFFB2E, "-1234"),
    ],
)
def test_the_examples_of_the_implementation_guide_are_read_with_their_precision(word: int, text: str) -> None:
    """HL7 Personal Health Device Implementation Guide, FLOATs and SFLOATs."""
    number = parse_float(word)
    assert isinstance(number, Decimal)
    assert decimal_text(number) == text


@pytest.mark.parametrize(
    ("special", "code"),
    [
        (Special.NOT_A_NUMBER, "not-a-number"),
        (Special.NOT_AT_THIS_RESOLUTION, "error"),
        (Special.POSITIVE_INFINITY, "positive-infinity"),
        (Special.NEGATIVE_INFINITY, "negative-infinity"),
        (Special.RESERVED, "unknown"),
    ],
)
def test_a_special_value_has_a_data_absent_reason(special: Special, code: str) -> None:
    assert special.data_absent_reason == code
    assert code in special.reason
    assert parse_sfloat(special.value) is special


def test_all_special_floats_are_told_apart() -> None:
    assert {word: parse_float(word) for word in FLOAT_SPECIALS} == FLOAT_SPECIALS


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.integers(-(2**23), 2**23 - 1), st.integers(-128, 127))
def test_every_float_is_read_with_its_digits(mantissa: int, exponent: int) -> None:
    word = int.from_bytes(float32(mantissa, exponent), "little")
    number = parse_float(word)
    if word in FLOAT_SPECIALS:
        assert number is FLOAT_SPECIALS[word]
        return
    assert isinstance(number, Decimal)
    assert number.as_tuple().exponent == exponent
    assert number == Decimal(mantissa).scaleb(exponent)
    assert "E" not in decimal_text(number).upper()


def test_the_crc_has_its_published_check_value() -> None:
    assert e2e_crc(b"123456789") == 0x6F91


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.binary(min_size=1, max_size=40), st.integers(0, 10_000))
def test_the_crc_is_that_of_another_computation_and_no_flipped_bit_goes_unnoticed(data: bytes, place: int) -> None:
    whole = with_crc(data)
    assert whole == data + crc16(data)
    assert crc_fits(whole)
    bit = place % (len(whole) * 8)
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    assert not crc_fits(bytes(damaged))
