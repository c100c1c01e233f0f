"""Scales, cuffs, thermometers, oximeters, heart rate sensors: special values, statuses, users, time."""

from datetime import datetime
from typing import Any

import pytest
from ble_encoding import date_time, float32, sfloat, u8, u16, u24

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.blood_pressure import BloodPressureCuff
from device_gateway_ble.body_composition import BodyCompositionScale
from device_gateway_ble.cgm import ContinuousGlucoseMonitor
from device_gateway_ble.device_facts import DeviceFacts
from device_gateway_ble.glucose import GlucoseMeter
from device_gateway_ble.heart_rate import HeartRateSensor
from device_gateway_ble.pulse_oximeter import PulseOximeter
from device_gateway_ble.thermometer import Thermometer
from device_gateway_ble.user_data import change_increment_octets, consent, delete, parse_change_increment, register
from device_gateway_ble.weight_scale import WeightScale

RECEIVED_AT = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
WHEN = date_time(datetime.fromisoformat("2026-11-22T07:30:05"))
NAN, NRES, PLUS, MINUS, RESERVED = (u16(word) for word in (0x07FF, 0x0800, 0x07FE, 0x0802, 0x0801))
SPECIALS = [
    (NAN, "not-a-number"),
    (NRES, "error"),
    (PLUS, "positive-infinity"),
    (MINUS, "negative-infinity"),
    (RESERVED, "unknown"),
]
SPECIAL_FLOATS = [
    (0x7FFFFF, "not-a-number"),
    (0x800000, "error"),
    (0x7FFFFE, "positive-infinity"),
    (0x800002, "negative-infinity"),
    (0x800001, "unknown"),
]


def decoded(adapter: Any, characteristic: str, data: bytes, at: datetime | None = RECEIVED_AT) -> list[Any]:
    decoder = adapter.decoder()
    return [*decoder.feed(characteristic, data, at), *decoder.finish()]


def refused(adapter: Any, characteristic: str, data: bytes, at: datetime | None = RECEIVED_AT) -> str:
    (result,) = decoded(adapter, characteristic, data, at)
    assert isinstance(result, Rejected)
    return result.pointer


@pytest.mark.parametrize(("special", "code"), SPECIALS)
def test_a_special_pressure_is_refused_and_a_special_mean_or_pulse_is_left_out(special: bytes, code: str) -> None:
    assert refused(BloodPressureCuff, "2A35", b"\0" + special + sfloat(80) + sfloat(93)) == "/systolic"
    assert refused(BloodPressureCuff, "2A35", b"\0" + sfloat(120) + special + sfloat(93)) == "/diastolic"
    (reading,) = decoded(BloodPressureCuff, "2A35", b"\x04" + sfloat(120) + sfloat(80) + special + special)
    assert reading.components == {"systolic": "120", "diastolic": "80"}
    assert reading.context["mean-absent"] == reading.context["pulse-absent"] == code


def test_the_status_of_a_cuff_is_spelled_out() -> None:
    data = b"\x10" + sfloat(120) + sfloat(80) + sfloat(93)
    (reading,) = decoded(BloodPressureCuff, "2A35", data + u16(0b101111))
    names = "body-movement cuff-loose irregular-pulse improper-position pulse-above-range"
    assert reading.context["measurement-status"] == names
    assert refused(BloodPressureCuff, "2A35", data + u16(0b011000)) == "/measurement-status"
    assert refused(BloodPressureCuff, "2A35", data + u16(0x40)) == "/measurement-status"


def test_pressures_change_their_unit_from_one_record_to_the_next() -> None:
    decoder = BloodPressureCuff.decoder()
    units = [
        decoder.feed("2A35", u8(flags) + sfloat(160, -1) + sfloat(100, -1) + sfloat(120, -1), RECEIVED_AT)[0].unit  # type: ignore[union-attr]
        for flags in (0, 1, 0)
    ]
    assert units == ["mm[Hg]", "kPa", "mm[Hg]"]


def test_glucose_and_weight_change_their_unit_from_one_record_to_the_next() -> None:
    meter = GlucoseMeter.decoder()
    tail = u16(1) + WHEN
    in_kg, in_mol = (meter.feed("2A18", u8(f) + tail + sfloat(63, -4) + u8(0x11))[0] for f in (0x02, 0x06))
    assert isinstance(in_kg, Reading)
    assert isinstance(in_mol, Reading)
    assert ((in_kg.value, in_kg.unit), (in_mol.value, in_mol.unit)) == (("630", "mg/dL"), ("6.3", "mmol/L"))
    found = [decoded(WeightScale, "2A9D", u8(flags) + u16(16000))[0] for flags in (0, 1)]
    assert [(r.value, r.unit) for r in found] == [("80.000", "kg"), ("160.00", "[lb_av]")]


def test_the_pressure_while_the_cuff_is_pumped_up_is_no_reading() -> None:
    data = b"\x07" + sfloat(160) + NAN + NAN + WHEN + sfloat(72)
    assert decoded(BloodPressureCuff, "2A36", data) == []
    assert refused(BloodPressureCuff, "2A36", data[:-1]) == "/pulse-rate"


@pytest.mark.parametrize(("word", "code"), SPECIAL_FLOATS)
def test_a_special_temperature_is_refused(word: int, code: str) -> None:
    (result,) = decoded(Thermometer, "2A1C", b"\0" + u24(word) + b"\0")
    assert isinstance(result, Rejected)
    assert code in result.reason


def test_what_a_thermometer_shows_while_it_measures_is_no_reading() -> None:
    assert decoded(Thermometer, "2A1E", b"\0" + float32(365, -1)) == []
    assert refused(Thermometer, "2A1E", b"\0" + float32(365, -1)[:3]) == "/temperature"
    assert refused(Thermometer, "2A1C", b"\x04" + float32(365, -1) + u8(10)) == "/temperature-type"


@pytest.mark.parametrize(("special", "code"), SPECIALS)
def test_an_oximeter_that_finds_one_of_both_gives_that_one(special: bytes, code: str) -> None:
    rejected, rate = decoded(PulseOximeter, "2A5F", b"\0" + special + sfloat(61))
    assert (rejected.pointer, code in rejected.reason) == ("/oxygen-saturation", True)
    assert (rate.metric, rate.value, rate.context["saturation-absent"]) == ("heart-rate", "61", code)


@pytest.mark.parametrize(
    ("status", "sensor"), [(0x0400, 0), (0x0800, 0), (0x2000, 0), (0x8000, 0), (0, 0x0800), (0, 0x8000)]
)
def test_an_oximeter_that_measures_nobody_gives_no_reading(status: int, sensor: int) -> None:
    data = b"\x06" + sfloat(97) + sfloat(61) + u16(status) + u24(sensor)
    assert refused(PulseOximeter, "2A5E", data) in {"/measurement-status", "/sensor-status"}


def test_reserved_bits_of_an_oximeter_are_refused() -> None:
    data = b"\x06" + sfloat(97) + sfloat(61)
    assert refused(PulseOximeter, "2A5E", data + u16(0x0001) + u24(0)) == "/measurement-status"
    assert refused(PulseOximeter, "2A5E", data + u16(0) + u24(0x010000)) == "/sensor-status"


def test_a_clock_that_was_never_set_is_not_replaced_by_the_time_of_receipt() -> None:
    assert refused(PulseOximeter, "2A5E", b"\x11" + sfloat(97) + sfloat(61) + WHEN) == "/time-stamp"
    assert refused(WeightScale, "2A9D", b"\x02" + u16(16000) + bytes(7)) == "/time-stamp"
    assert refused(BloodPressureCuff, "2A35", b"\x02" + sfloat(120) * 3 + bytes(7)) == "/time-stamp"


def test_without_any_time_there_is_no_reading() -> None:
    assert refused(HeartRateSensor, "2A37", b"\0\x48", None) == "/time-stamp"
    assert refused(BodyCompositionScale, "2A9C", u16(0) + u16(200), None) == "/time-stamp"
    assert refused(WeightScale, "2A9D", b"\0" + u16(16000), None) == "/time-stamp"


def test_no_pulse_is_no_heart_rate() -> None:
    assert refused(HeartRateSensor, "2A37", b"\x04\0") == "/heart-rate"
    assert refused(HeartRateSensor, "2A37", b"\x10\x48") == "/rr-intervals"


def test_a_scale_that_has_no_bmi_gives_the_weight_alone() -> None:
    (weight,) = decoded(WeightScale, "2A9D", b"\x08" + u16(16000) + u16(0) + u16(0))
    assert weight.metric == "body-weight"
    weight, bmi, height = decoded(WeightScale, "2A9D", b"\x08" + u16(16000) + u16(0xFFFF) + u16(0xFFFF))
    assert (bmi.pointer, height.pointer) == ("/bmi", "/height")


def test_a_percentage_above_a_hundred_is_refused_and_the_rest_is_kept() -> None:
    weight, fat = decoded(BodyCompositionScale, "2A9C", u16(0x0400) + u16(1001) + u16(16000))
    assert weight.metric == "body-weight"
    assert fat.pointer == "/body-fat"


def test_nothing_measured_is_said_so() -> None:
    assert refused(BodyCompositionScale, "2A9C", u16(0x0400) + u16(0) + u16(0)) == "/body-fat"


def test_pounds_go_for_every_mass_of_a_measurement() -> None:
    data = u16(0x0C61) + u16(200) + b"".join(u16(count) for count in (6000, 7000, 16000, 700))
    fat, muscle, weight, height = decoded(BodyCompositionScale, "2A9C", data)
    assert [(r.value, r.unit) for r in (muscle, weight, height)] == [
        ("60.00", "[lb_av]"),
        ("160.00", "[lb_av]"),
        ("70.0", "[in_i]"),
    ]
    assert fat.context["fat-free-mass-lb"] == "70.00"


def test_a_second_packet_that_does_not_fit_stands_alone() -> None:
    first = u16(0x1400) + u16(200) + u16(16000)
    decoder = BodyCompositionScale.decoder()
    assert decoder.feed("2A9C", first, RECEIVED_AT) == []
    alone = decoder.feed("2A9C", u16(0x1400) + u16(210) + u16(15000), RECEIVED_AT)
    assert [(r.metric, r.value) for r in alone if isinstance(r, Reading)] == [
        ("body-fat", "20.0"),
        ("body-weight", "80.000"),
    ]
    assert len(decoder.packets) == 2
    assert decoder.waiting
    rest = decoder.finish()
    assert [r.value for r in rest if isinstance(r, Reading)] == ["21.0", "75.000"]
    assert decoder.finish() == []


@pytest.mark.parametrize(
    ("adapter", "uuids", "known"),
    [
        (WeightScale, ["181d"], True),
        (WeightScale, ["0000181d-0000-1000-8000-00805f9b34fb", "181B"], False),
        (BodyCompositionScale, ["181d", "181b"], True),
        (BloodPressureCuff, ["1810"], True),
        (Thermometer, ["1809", "180f"], True),
        (PulseOximeter, ["1822"], True),
        (HeartRateSensor, ["180D"], True),
        (HeartRateSensor, ["1810"], False),
        (DeviceFacts, ["180a", "180f"], False),
    ],
)
def test_the_advertised_service_tells_the_kind_of_device(adapter: Any, uuids: list[str], known: bool) -> None:
    assert adapter.matches(uuids) is known


IMPOSSIBLE_FACTS = [
    ("2A2B", "e80706060c042c08"),
    ("2A2B", "e80706060c042c050001"),
    ("2A2B", "e80706060c042c040010"),
    ("2A0F", "3900"),
    ("2A0F", "0003"),
    ("2A23", "00"),
    ("2A50", "03000000000000"),
    ("2A29", "ff"),
    ("2A9F", "2001"),
    ("2A9F", "200106"),
    ("2A9F", "010101"),
    ("2A9A", "0101"),
    ("2A99", "000000"),
    ("2A49", "0002"),
    ("2A9E", "00040000"),
    ("2A9B", "00000400"),
    ("2A60", "0001"),
    ("2A51", "0008"),
    ("2A38", "07"),
    ("2A1D", "00"),
    ("2A21", "0000ff"),
    ("2AA8", "000002590000"),
    ("2AA9", "0500008000"),
    ("2AAB", "50"),
]


@pytest.mark.parametrize(("characteristic", "octets"), IMPOSSIBLE_FACTS)
def test_a_fact_that_cannot_be_is_refused(characteristic: str, octets: str) -> None:
    adapters: tuple[Any, ...] = (
        BloodPressureCuff, BodyCompositionScale, ContinuousGlucoseMonitor, DeviceFacts, GlucoseMeter, HeartRateSensor,
        PulseOximeter, Thermometer, WeightScale,
    )  # fmt: skip
    found = [adapter.facts(characteristic, bytes.fromhex(octets)) for adapter in adapters]
    assert any(isinstance(fact, Rejected) for fact in found), found


def test_the_user_control_point_is_asked_as_the_service_says() -> None:
    assert register(1234) == bytes.fromhex("01d204")
    assert consent(2, 9999) == bytes.fromhex("02020f27")
    assert delete() == b"\x03"
    assert parse_change_increment(change_increment_octets(70_000)) == 70_000
    for wrong in (-1, 10_000):
        with pytest.raises(ValueError, match="consent code"):
            register(wrong)
    with pytest.raises(ValueError, match="user index"):
        consent(255, 1)
