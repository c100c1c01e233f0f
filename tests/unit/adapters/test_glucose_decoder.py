"""The decoder of the Glucose Service: values, joins with the context packet, refusals."""

import struct
from datetime import datetime

import pytest

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.glucose import GlucoseDecoder, GlucoseMeter

BASE = bytes.fromhex("ea070b16071e05")  # 2026-11-22 07:30:05
KG_114 = b"\x72\xb0"  # SFLOAT of 0.00114
FINGER_BLOOD = b"\x11"


def measurement(flags: int = 0x02, seq: int = 1, base: bytes = BASE, rest: bytes = KG_114 + FINGER_BLOOD) -> bytes:
    return struct.pack("<BH", flags, seq) + base + rest


def one(data: bytes, characteristic: str = "2A18") -> Reading | Rejected:
    (result,) = GlucoseDecoder().feed(characteristic, data)
    return result


def refused(data: bytes) -> tuple[str, str]:
    result = one(data)
    assert isinstance(result, Rejected)
    return result.pointer, result.reason


@pytest.mark.parametrize(
    ("flags", "sfloat", "value", "unit"),
    [
        (0x02, 0xB072, "114", "mg/dL"),
        (0x02, 0xA474, "114.0", "mg/dL"),
        (0x02, 0xD001, "100", "mg/dL"),
        (0x02, 0xB000, "0", "mg/dL"),
        (0x06, 0xC03F, "6.3", "mmol/L"),
        (0x06, 0xB276, "6.30", "mmol/L"),
        (0x06, 0xD006, "6", "mmol/L"),
    ],
)
def test_the_digits_of_the_meter_are_kept(flags: int, sfloat: int, value: str, unit: str) -> None:
    reading = one(measurement(flags, rest=struct.pack("<H", sfloat) + FINGER_BLOOD))
    assert isinstance(reading, Reading)
    assert (reading.value, reading.unit, reading.metric) == (value, unit, "blood-glucose")
    assert reading.context == {"sample-type": "capillary-whole-blood", "sample-location": "finger"}


@pytest.mark.parametrize(
    ("sfloat", "says"),
    [
        (0x07FF, "NaN"),
        (0x0800, "NRes"),
        (0x07FE, "+INFINITY"),
        (0x0802, "-INFINITY"),
        (0x0801, "reserves"),
        (0xBFFF, "negative"),
    ],
)
def test_a_special_value_is_refused_and_never_becomes_a_number(sfloat: int, says: str) -> None:
    pointer, reason = refused(measurement(rest=struct.pack("<H", sfloat) + FINGER_BLOOD))
    assert pointer == "/concentration"
    assert says in reason


def test_the_time_is_base_time_plus_offset_without_a_zone() -> None:
    reading = one(measurement(0x03, rest=struct.pack("<h", -451) + KG_114 + FINGER_BLOOD))
    assert isinstance(reading, Reading)
    assert reading.at == datetime.fromisoformat("2026-11-21T23:59:05")
    assert reading.at.tzinfo is None


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("00000b16071e05", "not set"),
        ("ea070016071e05", "not set"),
        ("ea070b00071e05", "not set"),
        ("ea070216071e3c", "no such date"),
        ("ea07021e071e05", "no such date"),
        ("ea070d16071e05", "no such date"),
        ("2d060b16071e05", "before 1582"),
        ("10270b16071e05", "no such date"),
    ],
)
def test_a_time_that_is_none_is_refused(base: str, says: str) -> None:
    pointer, reason = refused(measurement(base=bytes.fromhex(base)))
    assert pointer == "/base-time"
    assert says in reason


@pytest.mark.parametrize("offset", [0x7FFF, -0x8000])
def test_an_offset_that_overflowed_is_refused(offset: int) -> None:
    assert refused(measurement(0x03, rest=struct.pack("<h", offset) + KG_114 + FINGER_BLOOD))[0] == "/time-offset"


def test_a_time_past_the_last_year_is_refused() -> None:
    last = bytes.fromhex("0f270c1f173b3b")
    assert (
        refused(measurement(0x03, base=last, rest=struct.pack("<h", 10) + KG_114 + FINGER_BLOOD))[0] == "/time-offset"
    )


@pytest.mark.parametrize("octet", [0x1A, 0xFA, 0x41, 0x4A])
def test_control_solution_is_never_a_patients_glucose(octet: int) -> None:
    pointer, reason = refused(measurement(rest=KG_114 + bytes([octet])))
    assert pointer == "/type-sample-location"
    assert "control solution" in reason


@pytest.mark.parametrize("octet", [0x10, 0x1B, 0x1F, 0x01, 0x51, 0xE1])
def test_reserved_types_and_locations_are_refused(octet: int) -> None:
    pointer, reason = refused(measurement(rest=KG_114 + bytes([octet])))
    assert pointer == "/type-sample-location"
    assert "reserved" in reason


def test_interstitial_fluid_is_another_metric() -> None:
    reading = one(measurement(rest=KG_114 + b"\xf9"))
    assert isinstance(reading, Reading)
    assert reading.metric == "interstitial-glucose"


def test_sensor_status_is_spelled_out() -> None:
    reading = one(measurement(0x0A, rest=KG_114 + FINGER_BLOOD + b"\x01\x08"))
    assert isinstance(reading, Reading)
    assert (reading.context or {})["sensor-status"] == "battery-low time-fault"
    assert refused(measurement(0x0A, rest=KG_114 + FINGER_BLOOD + b"\x00\x10"))[0] == "/sensor-status"


@pytest.mark.parametrize("flags", [0x22, 0x42, 0x82])
def test_reserved_flags_are_refused(flags: int) -> None:
    assert refused(measurement(flags))[0] == "/flags"


def test_every_cut_and_every_extra_octet_is_refused() -> None:
    whole = measurement(0x0F, rest=struct.pack("<h", 60) + b"\x3f\xc0" + FINGER_BLOOD + b"\x00\x00")
    assert isinstance(one(whole), Reading)
    for length in range(len(whole)):
        assert isinstance(one(whole[:length]), Rejected)
    assert refused(whole + b"\0")[0] == "/length"


def test_a_reading_waits_for_its_context() -> None:
    decoder = GlucoseDecoder()
    assert decoder.feed("2A18", measurement(0x12, seq=5)) == []
    assert decoder.feed("2A18", measurement(0x12, seq=6)) == []
    assert sorted(decoder.waiting) == [5, 6]
    (second,) = decoder.feed("2A34", bytes.fromhex("02060003"))
    (first,) = decoder.feed("00002a34-0000-1000-8000-00805f9b34fb", bytes.fromhex("02050002"))
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert (second.seq, (second.context or {})["meal"]) == (6, "fasting")
    assert (first.seq, (first.context or {})["meal"]) == (5, "after-meal")
    assert decoder.finish() == []


def test_a_context_that_never_comes_is_said_to_be_missing() -> None:
    decoder = GlucoseDecoder()
    decoder.feed("2A18", measurement(0x12, seq=5))
    (reading,) = decoder.finish()
    assert isinstance(reading, Reading)
    assert (reading.context or {})["context-missing"] is True
    assert decoder.finish() == []


def test_an_unreadable_context_costs_the_context_and_not_the_value() -> None:
    decoder = GlucoseDecoder()
    decoder.feed("2A18", measurement(0x12, seq=5))
    reading, rejected = decoder.feed("2A34", bytes.fromhex("01050001"))
    assert isinstance(reading, Reading)
    assert reading.value == "114"
    assert (reading.context or {})["context-missing"] is True
    assert isinstance(rejected, Rejected)
    assert rejected.pointer == "/context/carbohydrate-amount"
    assert [name for name, _ in decoder.packets] == ["2A18", "2A34"]


def test_a_meal_that_we_do_not_know_keeps_the_value_out() -> None:
    decoder = GlucoseDecoder()
    data = measurement(0x12, seq=5)
    decoder.feed("2A18", data)
    (rejected,) = decoder.feed("2A34", bytes.fromhex("02050006"))
    assert isinstance(rejected, Rejected)
    assert "may not be glucose" in rejected.reason
    assert decoder.packets == (("2A18", data), ("2A34", bytes.fromhex("02050006")))
    assert decoder.finish() == []


def test_a_context_without_its_measurement_is_refused() -> None:
    rejected = one(bytes.fromhex("02050001"), "2A34")
    assert isinstance(rejected, Rejected)
    assert rejected.pointer == "/context/sequence"
    decoder = GlucoseDecoder()
    bad = measurement(0x12, seq=5, rest=KG_114 + b"\x1a")
    decoder.feed("2A18", bad)
    (orphan,) = decoder.feed("2A34", bytes.fromhex("02050001"))
    assert isinstance(orphan, Rejected)
    assert decoder.packets[0] == ("2A18", bad)


@pytest.mark.parametrize(
    ("octets", "pointer"),
    [
        ("02", "/context/sequence"),
        ("020500", "/context/meal"),
        ("02050001ff", "/length"),
        ("80050001", "/context/extended-flags"),
        ("0405001f00", "/length"),
        ("080500000065", "/context/exercise-intensity"),
        ("100500063cd0", "/context/medication"),
        ("400500ff07", "/context/hba1c"),
        ("010500083cd0", "/context/carbohydrate"),
        ("04050010", "/context/tester"),
        ("04050061", "/context/health"),
    ],
)
def test_a_bad_context_names_its_field(octets: str, pointer: str) -> None:
    decoder = GlucoseDecoder()
    decoder.feed("2A18", measurement(0x12, seq=5))
    rejected = decoder.feed("2A34", bytes.fromhex(octets))[-1]
    assert isinstance(rejected, Rejected)
    assert rejected.pointer == pointer


def test_exercise_longer_than_the_meter_counts_is_said_so() -> None:
    decoder = GlucoseDecoder()
    decoder.feed("2A18", measurement(0x12, seq=5))
    (reading,) = decoder.feed("2A34", bytes.fromhex("080500ffff32"))
    assert isinstance(reading, Reading)
    context = reading.context or {}
    assert context["exercise-overrun"] is True
    assert "exercise-s" not in context


def test_insulin_in_litres_is_given_in_millilitres() -> None:
    decoder = GlucoseDecoder()
    decoder.feed("2A18", measurement(0x12, seq=5))
    (reading,) = decoder.feed("2A34", bytes.fromhex("3005000178a0"))
    assert isinstance(reading, Reading)
    assert (reading.context or {})["medication-ml"] == "0.120"


def test_another_characteristic_is_none_of_its_business() -> None:
    rejected = one(b"\0\0", "2A19")
    assert isinstance(rejected, Rejected)
    assert rejected.pointer == "/characteristic"


@pytest.mark.parametrize(
    ("uuids", "known"),
    [(["1808"], True), (["00001808-0000-1000-8000-00805F9B34FB"], True), (["180f", "181d"], False), ([], False)],
)
def test_the_advertised_service_tells_a_glucose_meter(uuids: list[str], known: bool) -> None:
    assert GlucoseMeter.matches(uuids) is known
