"""Whatever the octets are: a reading or a refusal that names its field, never an exception, never a wrong value."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from ble_encoding import crc16, date_time, float32, s8, sfloat, u8, u16, u24
from hypothesis import given, settings
from hypothesis import strategies as st
from soundness import fault

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.blood_pressure import BloodPressureCuff
from device_gateway_ble.body_composition import BodyCompositionScale
from device_gateway_ble.cgm import ContinuousGlucoseMonitor
from device_gateway_ble.device_facts import DeviceFacts
from device_gateway_ble.glucose import GlucoseMeter
from device_gateway_ble.glucose_measurement import _field_by_field, parse_at_once
from device_gateway_ble.heart_rate import HeartRateSensor
from device_gateway_ble.octets import RefusedField
from device_gateway_ble.pulse_oximeter import PulseOximeter
from device_gateway_ble.thermometer import Thermometer
from device_gateway_ble.weight_scale import WeightScale
from device_gateway_ble.xiaomi_scale import S400_PRODUCTS, XiaomiScale, decode_advertisement

RECEIVED_AT = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
ADAPTERS: tuple[Any, ...] = (
    BloodPressureCuff, BodyCompositionScale, ContinuousGlucoseMonitor, DeviceFacts, GlucoseMeter, HeartRateSensor,
    PulseOximeter, Thermometer, WeightScale, XiaomiScale,
)  # fmt: skip
WHEN = date_time(datetime.fromisoformat("2026-11-22T07:30:05"))
STARTED = WHEN + s8(4) + u8(0)
RECORD = u8(13) + u8(0xE3) + sfloat(120) + u16(30) + u8(0x02) + u8(0x04) + u8(0x03) + sfloat(-5, -1) + sfloat(96)
# Packets with every optional field; to the reader of a part the rest is missing.
WHOLE = {
    "2A18": u8(0x0F) + u16(7) + WHEN + u16(60) + sfloat(63, -4) + u8(0x11) + u16(1),
    "2A34": u8(0x5F) + u16(7) + u8(1) + sfloat(6, -2) + u8(1) + u8(0x11) + u16(60) + u8(50) + u8(1) + sfloat(12, -6)
    + sfloat(65, -1),
    "2A35": u8(0x1F) + sfloat(16) + sfloat(10) + sfloat(12) + WHEN + sfloat(72) + u8(1) + u16(0x27),
    "2A9D": u8(0x0F) + u16(16000) + WHEN + u8(1) + u16(240) + u16(700),
    "2A9C": u16(0x0FFF) + u16(200) + WHEN + u8(1) + b"".join(u16(400 + number) for number in range(9)),
    "2A1C": u8(0x07) + float32(986, -1) + WHEN + u8(3),
    "2A5E": u8(0x0F) + sfloat(97) + sfloat(61) + WHEN + u16(0x0180) + u24(0x20) + sfloat(87, -1),
    "2A5F": u8(0x1F) + sfloat(97) + sfloat(61) + (sfloat(96) + sfloat(60)) * 2 + u16(0x20) + u24(0) + sfloat(87, -1),
    "2A37": u8(0x1F) + u16(72) + u16(1000) + u16(1024) + u16(819),
    "2AA7": RECORD,
}  # fmt: skip
FLAG_OCTETS = {"2A9C": 2}
GLUCOSE = WHOLE["2A18"]
SCALES = ("181D", "0000181b-0000-1000-8000-00805f9b34fb", "fe95", "y")


def adapter_of(characteristic: str) -> Any:
    return next(adapter for adapter in ADAPTERS if characteristic in adapter.characteristics())


def decoded(characteristic: str, data: bytes) -> list[Reading | Rejected]:
    decoder = adapter_of(characteristic).decoder()
    if characteristic == "2AA7":
        decoder.feed("2AAA", STARTED)
    if characteristic == "2A34":
        decoder.feed("2A18", u8(0x12) + u16(7) + WHEN + sfloat(63, -4) + u8(0x11))
    return [*decoder.feed(characteristic, data, RECEIVED_AT), *decoder.finish()]


@settings(deadline=None, max_examples=300)  # a busy machine is no fault of the code
@given(st.data())
def test_no_octets_make_a_decoder_raise(data: st.DataObject) -> None:
    adapter = data.draw(st.sampled_from(ADAPTERS))
    decoder = adapter.decoder()
    characteristics = [*adapter.characteristics(), "2A19", "x"]
    for _ in range(data.draw(st.integers(1, 6))):
        characteristic = data.draw(st.sampled_from(characteristics))
        octets = data.draw(st.binary(max_size=40))
        received_at = data.draw(st.none() | st.just(RECEIVED_AT))
        decoder.record_of(characteristic, octets)
        adapter.facts(characteristic, octets)
        for result in decoder.feed(characteristic, octets, received_at):
            assert fault(result, adapter.metrics) is None
            assert isinstance(result, Reading) or decoder.packets
    for result in decoder.finish():
        assert fault(result, adapter.metrics) is None


@settings(deadline=None, max_examples=300)  # a busy machine is no fault of the code
@given(st.sampled_from(sorted(WHOLE)), st.binary(min_size=1, max_size=32), st.integers(0, 60))
def test_a_damaged_packet_gives_sound_readings_or_refusals(characteristic: str, damage: bytes, place: int) -> None:
    whole = WHOLE[characteristic]
    place %= len(whole)
    for result in decoded(characteristic, (whole[:place] + damage + whole[place + len(damage) :])[: len(whole)]):
        assert fault(result, adapter_of(characteristic).metrics) is None


@pytest.mark.parametrize("characteristic", sorted(WHOLE))
def test_a_whole_packet_is_read_and_each_cut_of_it_is_refused(characteristic: str) -> None:
    whole = WHOLE[characteristic]
    assert all(isinstance(result, Reading) for result in decoded(characteristic, whole))
    for length in range(len(whole)):
        results = decoded(characteristic, whole[:length])
        if characteristic == "2A37" and length == len(whole) - 2:
            assert isinstance(results[0], Reading)  # one interval less is a whole packet, too
        else:
            assert any(isinstance(result, Rejected) for result in results), length
    if characteristic != "2A37":
        assert isinstance(decoded(characteristic, whole + b"\0")[-1], Rejected)


def reserved_flags() -> Iterator[tuple[str, int]]:
    known = {
        "2A18": 0x1F, "2A35": 0x1F, "2A9D": 0x0F, "2A9C": 0x1FFF, "2A1C": 0x07, "2A5E": 0x1F, "2A5F": 0x1F,
        "2A37": 0x1F, "2AA7": 0xE3,
    }  # fmt: skip
    for characteristic, flags in known.items():
        for bit in range(8 * FLAG_OCTETS.get(characteristic, 1)):
            if not flags >> bit & 1:
                yield characteristic, bit


@pytest.mark.parametrize(("characteristic", "bit"), [*reserved_flags()])
def test_a_reserved_flag_is_refused(characteristic: str, bit: int) -> None:
    packet = bytearray(WHOLE[characteristic])
    packet[1 if characteristic == "2AA7" else bit // 8] |= 1 << bit % 8
    (result,) = decoded(characteristic, bytes(packet))
    assert isinstance(result, Rejected)
    assert result.pointer == "/flags"


@settings(deadline=None, max_examples=300)  # a busy machine is no fault of the code
@given(
    st.one_of(
        st.binary(max_size=20),
        st.builds(lambda flags, rest: u8(flags) + rest, st.integers(0, 0x1F), st.binary(min_size=9, max_size=18)),
        st.builds(lambda damage, at: (GLUCOSE[:at] + damage + GLUCOSE)[:17], st.binary(max_size=3), st.integers(0, 16)),
    )
)  # fmt: skip
def test_a_glucose_record_taken_in_one_go_is_the_one_read_field_by_field(data: bytes) -> None:
    first = parse_at_once(data)
    try:
        by_field: Reading | None = _field_by_field(data)
    except RefusedField:
        by_field = None
    assert first in (None, by_field)  # None where its numbers were never seen
    assert parse_at_once(data) == by_field


@settings(deadline=None)  # a busy machine is no fault of the code
@given(
    st.dictionaries(st.sampled_from(SCALES), st.binary(max_size=30)),
    st.none() | st.binary(max_size=20),
    st.sampled_from([None, "8C:D0:B2:F6:BE:EF", "0E4A-77", ""]),
    st.booleans(),
)  # fmt: skip
def test_no_broadcast_makes_the_decoder_raise(
    data: dict[str, bytes], key: bytes | None, address: str | None, ours: bool
) -> None:
    if ours and "fe95" in data:
        data["fe95"] = data["fe95"][:2] + u16(S400_PRODUCTS[1]) + data["fe95"][2:]
    XiaomiScale.model_of(data)
    XiaomiScale.is_encrypted(data)
    XiaomiScale.is_settling(data)
    XiaomiScale.measurement_of(data, key, address)
    for result in decode_advertisement(data, {}, RECEIVED_AT, key, address):
        assert fault(result, XiaomiScale.metrics) is None


def test_a_record_with_a_wrong_crc_is_refused_and_the_others_are_kept() -> None:
    good = u8(8) + u8(0) + sfloat(101) + u16(5)
    good += crc16(good)
    bad = good[:2] + sfloat(102) + good[4:]
    first, second, third = decoded("2AA7", good + bad + good)
    assert isinstance(first, Reading)
    assert isinstance(third, Reading)
    assert isinstance(second, Rejected)
    assert second.pointer == "/crc"
