"""What simulated devices put on the air, against published figures and the layouts of the services."""

import struct
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_simulators.ble.body_scale import BodyScale, BodyScaleOptions
from device_simulators.ble.cgm_control import CgmControl
from device_simulators.ble.cgm_record import CgmRecord
from device_simulators.ble.cgm_session import CgmSession
from device_simulators.ble.e2e_crc import e2e_crc
from device_simulators.ble.measurement_memory import Taken
from device_simulators.ble.medfloat import encode_float
from device_simulators.ble.sfloat import decode_sfloat, encode_sfloat

AT = datetime.fromisoformat("2026-11-22T07:31:05")


def test_the_checksum_is_crc_16_mcrf4xx() -> None:
    assert e2e_crc(b"123456789") == b"\x91\x6f"  # 6F91, the check value of the catalogue of parametrised CRC algorithms


def test_a_float_keeps_its_digits() -> None:
    assert encode_float(Decimal("36.4")) == bytes.fromhex("6c0100ff")
    assert encode_float(Decimal("-40.50")) == bytes.fromhex("2ef0fffe")
    for impossible in (Decimal("NaN"), Decimal(1 << 23), Decimal(0x7FFFFF), Decimal("1e200")):
        with pytest.raises(ValueError, match=r"finite|fit|special"):
            encode_float(impossible)


@given(st.decimals(-2047, 2046, places=0), st.integers(-8, 7))
def test_an_sfloat_comes_back_as_it_went(mantissa: Decimal, exponent: int) -> None:
    number = mantissa.scaleb(exponent)
    try:
        octets = encode_sfloat(number)
    except ValueError:
        return  # would have been a special value
    assert decode_sfloat(octets) == number
    assert decode_sfloat(b"\xff\x07") is None


def test_a_cgm_record_says_its_size_and_has_only_the_octets_that_say_something() -> None:
    plain = CgmRecord(seq=5, mg_dl="112")
    assert plain.measurement(with_crc=False) == bytes.fromhex("0600 7000 0500")
    full = CgmRecord(seq=300, mg_dl="54", trend="-2.4", quality_percent=88, status=2, calibration=1, warning=4)
    assert full.measurement(with_crc=False) == bytes.fromhex("0de3 3600 2c01 02 01 04 e8ff 5800")
    protected = full.measurement(with_crc=True)
    assert (protected[0], len(protected), protected[-2:]) == (15, 15, e2e_crc(protected[:-2]))


def running_session() -> CgmSession:
    return CgmSession(
        began=lambda now: now, sensor=lambda *_session: iter([]), run_time_min=60, skew_s=0, file=None, waits=False
    )


def test_warnings_follow_the_levels_that_are_set() -> None:
    session = running_session()
    control = CgmControl(session)
    assert [control.warning(*shown) for shown in ((100, 0), (60, 0), (50, -4), (190, 0), (260, 4))] == [
        0b000000, 0b000001, 0b010101, 0b000010, 0b101010,
    ]  # fmt: skip
    assert control.answer(bytes.fromhex("0a3c00")) == bytes.fromhex("1c0a01")  # low alert at 60 mg/dL
    assert control.warning(65, 0) == 0
    assert control.answer(bytes.fromhex("0aff07")) == bytes.fromhex("1c0a03")
    assert control.answer(b"") == bytes.fromhex("1c0002")


@given(st.binary(max_size=6))
def test_no_request_brings_the_monitor_down(octets: bytes) -> None:
    session = running_session()
    assert CgmControl(session).answer(octets)


def test_a_body_composition_that_does_not_fit_goes_in_two_packets_that_say_so() -> None:
    scale = BodyScale(BodyScaleOptions(records=1))
    scale._composition = scale._weight = None  # type: ignore[assignment]  # not on the air: only their place is needed
    taken = Taken(AT, scale.memory.waiting[0].values)
    (whole,) = [value for _, value in scale.packets(taken, 517)][:-1]
    first, second = [value for _, value in scale.packets(taken, 23)][:-1]
    assert max(len(first), len(second)) <= 20
    flags = [struct.unpack_from("<H", packet)[0] for packet in (whole, first, second)]
    assert flags[0] == 0x0FFA
    assert flags[1] & 0x1002 == 0x1002
    assert flags[2] & 0x1002 == 0x1000
    assert flags[1] ^ flags[2] == 0x0FFA
    assert first[2:4] == second[2:4] == whole[2:4]
    assert first[4:] + second[4:] == whole[4:]
