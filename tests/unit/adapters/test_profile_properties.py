"""What an encoder that shares nothing with the decoders writes is read back exactly, profile by profile."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ble_encoding import crc16, date_time, float32, optional, s8, sfloat, u8, u16, u24
from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway.readings.model import Reading
from device_gateway.transports.ble.device_facts import current_time
from device_gateway_ble.blood_pressure import BloodPressureCuff
from device_gateway_ble.body_composition import BodyCompositionScale
from device_gateway_ble.cgm import ContinuousGlucoseMonitor
from device_gateway_ble.cgm_session import start_octets
from device_gateway_ble.current_time import parse_current_time
from device_gateway_ble.heart_rate import HeartRateSensor
from device_gateway_ble.pulse_oximeter import PulseOximeter
from device_gateway_ble.thermometer import Thermometer
from device_gateway_ble.weight_scale import WeightScale

RECEIVED_AT = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
FIRST, LAST = datetime.fromisoformat("1583-01-01"), datetime.fromisoformat("9990-01-01")
# Numbers short of those with a special meaning.
mantissas = st.integers(0, 2045)
exponents = st.integers(-8, 7)
numbers = st.tuples(mantissas, exponents)
stamps = st.none() | st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0))
users = st.none() | st.integers(0, 0xFF)
counts = st.integers(1, 0xFFFE)
quick = settings(deadline=None, max_examples=60)  # a busy machine is no fault of the code


def value(number: tuple[int, int]) -> Decimal:
    return Decimal(number[0]) * Decimal(10) ** number[1]


def read(adapter: Any, characteristic: str, data: bytes) -> list[Reading]:
    decoder = adapter.decoder()
    results = decoder.feed(characteristic, data, RECEIVED_AT) + decoder.finish()
    assert all(isinstance(result, Reading) for result in results), results
    return list(results)


def is_at(reading: Reading, stamp: datetime | None) -> bool:
    marked = (reading.context or {}).get("effective-time") == "received"
    return reading.at == (stamp or RECEIVED_AT) and marked is (stamp is None)


def is_of(reading: Reading, user: int | None) -> bool:
    context = reading.context or {}
    known = user if user != 0xFF else None
    return context.get("user-index") == known and ("user-unknown" in context) is (user == 0xFF)


@quick
@given(
    kpa=st.booleans(), pressures=st.tuples(numbers, numbers, numbers), stamp=stamps, pulse=st.none() | numbers,
    user=users, status=st.none() | st.integers(0, 0x3F).filter(lambda bits: bits >> 3 & 3 != 3),
)  # fmt: skip
def test_a_blood_pressure_is_read_back(
    *, kpa: bool, pressures: Sequence[tuple[int, int]], stamp: datetime | None, pulse: tuple[int, int] | None,
    user: int | None, status: int | None,
) -> None:  # fmt: skip
    flags, fields = optional(
        {
            0x02: date_time(stamp) if stamp else None,
            0x04: sfloat(*pulse) if pulse else None,
            0x08: None if user is None else u8(user),
            0x10: None if status is None else u16(status),
        }
    )
    data = u8(flags | kpa) + b"".join(sfloat(*pressure) for pressure in pressures) + fields
    pressure, *rates = read(BloodPressureCuff, "2A35", data)
    assert pressure.components is not None
    assert [Decimal(pressure.components[key]) for key in ("systolic", "diastolic", "mean")] == [
        value(number) for number in pressures
    ]
    assert pressure.unit == ("kPa" if kpa else "mm[Hg]")
    assert [Decimal(rate.value or "") for rate in rates] == ([value(pulse)] if pulse else [])
    for reading in (pressure, *rates):
        assert is_at(reading, stamp)
        assert is_of(reading, user)
        names = str((reading.context or {}).get("measurement-status", "")).split()
        plain = (status or 0) & 0b100111
        assert len(names) == plain.bit_count() + bool((status or 0) & 0b011000)


@quick
@given(imperial=st.booleans(), weight=counts, stamp=stamps, user=users, body=st.none() | st.tuples(counts, counts))
def test_a_weight_is_read_back(
    *, imperial: bool, weight: int, stamp: datetime | None, user: int | None, body: tuple[int, int] | None
) -> None:
    flags, fields = optional(
        {
            0x02: date_time(stamp) if stamp else None,
            0x04: None if user is None else u8(user),
            0x08: u16(body[0]) + u16(body[1]) if body else None,
        }
    )
    found = read(WeightScale, "2A9D", u8(flags | imperial) + u16(weight) + fields)
    assert found == read(BodyCompositionScale, "2A9D", u8(flags | imperial) + u16(weight) + fields)
    expected = [("body-weight", "[lb_av]" if imperial else "kg", weight * Decimal("0.01" if imperial else "0.005"))]
    if body:
        expected.append(("bmi", "kg/m2", body[0] * Decimal("0.1")))
        unit, step = ("[in_i]", "0.1") if imperial else ("m", "0.001")
        expected.append(("body-height", unit, body[1] * Decimal(step)))
    assert [(r.metric, r.unit, Decimal(r.value or "")) for r in found] == expected
    assert all(is_at(reading, stamp) and is_of(reading, user) for reading in found)


COMPOSITION = {
    0x0008: ("basal-metabolism", "1", "kJ/(24.h)"),
    0x0010: ("muscle-percentage", "0.1", "%"),
    0x0020: ("muscle-mass", "0.005", "kg"),
    0x0040: ("fat-free-mass-kg", "0.005", None),
    0x0080: ("soft-lean-mass-kg", "0.005", None),
    0x0100: ("body-water-mass", "0.005", "kg"),
    0x0200: ("impedance-ohm", "0.1", None),
    0x0400: ("body-weight", "0.005", "kg"),
    0x0800: ("body-height", "0.001", "m"),
}


@quick
@given(
    fat=st.integers(1, 1000), stamp=stamps, user=users,
    fields=st.dictionaries(st.sampled_from(sorted(COMPOSITION)), st.integers(1, 1000)), split=st.integers(0, 9),
)  # fmt: skip
def test_a_body_composition_is_read_back_in_one_packet_or_in_two(
    *, fat: int, stamp: datetime | None, user: int | None, fields: dict[int, int], split: int
) -> None:
    head_flags, head = optional(
        {
            0x02: date_time(stamp) if stamp else None,
            0x04: None if user is None else u8(user),
        }
    )
    ordered = sorted(fields)

    def packet(flags: int, part: list[int]) -> bytes:
        return u16(flags | sum(part)) + u16(fat) + (head if flags & 6 else b"") + b"".join(u16(fields[f]) for f in part)

    whole = read(BodyCompositionScale, "2A9C", packet(head_flags, ordered))
    context = whole[0].context or {}
    found = {r.metric: (Decimal(r.value or ""), r.unit) for r in whole}
    assert found.pop("body-fat") == (fat * Decimal("0.1"), "%")
    for flag in ordered:
        name, step, unit = COMPOSITION[flag]
        exact = fields[flag] * Decimal(step)
        if unit is None:
            assert Decimal(str(context[name])) == exact
        else:
            assert found.pop(name) == (exact, unit)
    assert not found
    assert all(is_at(reading, stamp) and is_of(reading, user) for reading in whole)
    decoder = BodyCompositionScale.decoder()
    assert decoder.feed("2A9C", packet(head_flags | 0x1000, ordered[:split]), RECEIVED_AT) == []
    assert decoder.waiting
    assert decoder.feed("2A9C", packet(0x1000, ordered[split:]), RECEIVED_AT) == whole
    assert not decoder.waiting
    assert decoder.finish() == []


@quick
@given(
    fahrenheit=st.booleans(),
    mantissa=st.integers(-8_388_605, 8_388_605),
    exponent=st.integers(-128, 127),
    stamp=stamps,
    site=st.none() | st.integers(1, 9),
)
def test_a_temperature_is_read_back(
    *, fahrenheit: bool, mantissa: int, exponent: int, stamp: datetime | None, site: int | None
) -> None:
    flags, fields = optional({0x02: date_time(stamp) if stamp else None, 0x04: u8(site) if site else None})
    (reading,) = read(Thermometer, "2A1C", u8(flags | fahrenheit) + float32(mantissa, exponent) + fields)
    assert Decimal(reading.value or "") == Decimal(mantissa).scaleb(exponent)
    assert reading.unit == ("[degF]" if fahrenheit else "Cel")
    assert is_at(reading, stamp)
    assert ("body-site" in (reading.context or {})) is (site is not None)


@quick
@given(
    spo2=numbers, pulse=numbers, stamp=stamps, amplitude=st.none() | numbers,
    status=st.none() | st.sampled_from([0x0020, 0x0040, 0x0080, 0x0100, 0x0200, 0x1000, 0x4000, 0x0180]),
    sensor=st.none() | st.integers(0, 0x7FF),
)  # fmt: skip
def test_an_oximeters_spot_check_is_read_back(
    *, spo2: tuple[int, int], pulse: tuple[int, int], stamp: datetime | None, amplitude: tuple[int, int] | None,
    status: int | None, sensor: int | None,
) -> None:  # fmt: skip
    flags, fields = optional(
        {
            0x01: date_time(stamp) if stamp else None,
            0x02: None if status is None else u16(status),
            0x04: None if sensor is None else u24(sensor),
            0x08: sfloat(*amplitude) if amplitude else None,
        }
    )
    saturation, rate = read(PulseOximeter, "2A5E", u8(flags) + sfloat(*spo2) + sfloat(*pulse) + fields)
    assert (Decimal(saturation.value or ""), Decimal(rate.value or "")) == (value(spo2), value(pulse))
    settled = not (status or 0) & 0x5060
    for reading in (saturation, rate):
        assert is_at(reading, stamp)
        assert reading.status == ("final" if settled else "preliminary")
        context = reading.context or {}
        assert len(str(context.get("sensor-status", "")).split()) == (sensor or 0).bit_count()
        if amplitude:
            assert Decimal(str(context["pulse-amplitude-percent"])) == value(amplitude)


@quick
@given(numbers, numbers, st.none() | st.tuples(numbers, numbers), st.none() | st.tuples(numbers, numbers))
def test_an_oximeters_continuous_values_are_read_back(
    spo2: tuple[int, int], pulse: tuple[int, int], fast: Any, slow: Any
) -> None:
    flags, fields = optional(
        {
            0x01: sfloat(*fast[0]) + sfloat(*fast[1]) if fast else None,
            0x02: sfloat(*slow[0]) + sfloat(*slow[1]) if slow else None,
        }
    )
    found = read(PulseOximeter, "2A5F", u8(flags) + sfloat(*spo2) + sfloat(*pulse) + fields)
    for place, (reading, number) in enumerate(zip(found, (spo2, pulse), strict=True)):
        assert Decimal(reading.value or "") == value(number)
        assert reading.status == "preliminary"
        context = reading.context or {}
        for key, pair in (("fast", fast), ("slow", slow)):
            assert (key in context) is (pair is not None)
            assert pair is None or Decimal(str(context[key])) == value(pair[place])


@quick
@given(
    rate=st.integers(1, 0xFFFF),
    wide=st.booleans(),
    contact=st.integers(0, 3),
    energy=st.none() | st.integers(0, 0xFFFF),
    intervals=st.lists(st.integers(0, 0xFFFF), max_size=8),
)
def test_a_heart_rate_is_read_back(
    *, rate: int, wide: bool, contact: int, energy: int | None, intervals: list[int]
) -> None:
    wide = wide or rate > 0xFF
    flags, fields = optional(
        {
            0x08: None if energy is None else u16(energy),
            0x10: b"".join(map(u16, intervals)) or None,
        }
    )
    data = u8(flags | wide | contact << 1) + (u16(rate) if wide else u8(rate)) + fields
    (reading,) = read(HeartRateSensor, "2A37", data)
    context = reading.context or {}
    assert reading.value == str(rate)
    assert is_at(reading, None)
    assert context.get("energy-kj") == energy
    assert str(context.get("rr-1024ths-s", "")).split() == [str(interval) for interval in intervals]
    assert context.get("sensor-contact") == {2: "not-detected", 3: "detected"}.get(contact)
    assert reading.status == ("preliminary" if contact == 2 else "final")


def cgm_record(
    number: tuple[int, int], offset: int, status: tuple[int, int, int], trend: Any, quality: Any, *, crc: bool
) -> bytes:
    flags, fields = optional(
        {
            0x80: u8(status[0]) if status[0] else None,
            0x40: u8(status[1]) if status[1] else None,
            0x20: u8(status[2]) if status[2] else None,
            0x01: sfloat(*trend) if trend else None,
            0x02: sfloat(*quality) if quality else None,
        }
    )
    body = u8(flags) + sfloat(*number) + u16(offset) + fields
    sized = u8(len(body) + 1 + 2 * crc) + body
    return sized + crc16(sized) if crc else sized


zones = st.integers(-48, 56)
records = st.tuples(
    numbers,
    st.integers(0, 0xFFFF),
    st.tuples(st.sampled_from([0, 0x02, 0x12]), st.sampled_from([0, 0x04, 0x0D, 0x40]), st.integers(0, 0xFF)),
    st.none() | st.tuples(st.integers(-2045, 2045), exponents),
    st.none() | st.tuples(st.integers(0, 1000), st.integers(-2, -1)),
)


@quick
@given(
    found=st.lists(records, min_size=1, max_size=4), crc=st.booleans(), asked=st.booleans(), zone=zones,
    dst=st.sampled_from([(0, 0), (2, 30), (4, 60), (8, 120)]),
    start=st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0)),
)  # fmt: skip
def test_cgm_records_are_read_back_with_the_time_of_their_session(
    *, found: list[Any], crc: bool, asked: bool, zone: int, dst: tuple[int, int], start: datetime
) -> None:
    decoder = ContinuousGlucoseMonitor.decoder()
    if asked:
        feature = u24(0x1000 if crc else 0) + u8(0x59)
        assert decoder.feed("2AA8", feature + (crc16(feature) if crc else b"\xff\xff")) == []
    clock = date_time(start) + s8(zone) + u8(dst[0])
    assert decoder.feed("2AAA", clock + (crc16(clock) if crc else b"")) == []
    results = decoder.feed("2AA7", b"".join(cgm_record(*record, crc=crc) for record in found))
    assert decoder.finish() == []
    for reading, (number, offset, status, trend, quality) in zip(results, found, strict=True):
        assert isinstance(reading, Reading), reading
        assert (Decimal(reading.value or ""), reading.seq) == (value(number), offset)
        assert reading.at.replace(tzinfo=None) == start + timedelta(minutes=offset)
        assert reading.at.utcoffset() == timedelta(minutes=zone * 15 + dst[1])
        context = reading.context or {}
        assert len(str(context.get("sensor-status", "")).split()) == sum(octet.bit_count() for octet in status)
        assert reading.status == ("preliminary" if status[1] & 0x4B else "final")
        assert ("trend-mg-dl-min" in context) is (trend is not None)
        assert trend is None or Decimal(str(context["trend-mg-dl-min"])) == Decimal(trend[0]).scaleb(trend[1])
        assert quality is None or Decimal(str(context["quality-percent"])) == value(quality)


@quick
@given(st.datetimes(FIRST, LAST), st.integers(-48, 56), st.booleans())
def test_what_is_written_to_set_a_clock_is_what_would_be_read(moment: datetime, zone: int, crc: bool) -> None:
    shown = parse_current_time(current_time(moment))
    assert timedelta(0) <= moment - shown.clock < timedelta(seconds=1 / 256)
    assert (
        shown.weekday
        == ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[moment.weekday()]
    )
    offset = f"{'-' if zone < 0 else '+'}{abs(zone) // 4:02}:{abs(zone) % 4 * 15:02}"
    start = datetime.fromisoformat(moment.replace(microsecond=0).isoformat() + offset)
    written = start_octets(start, crc)
    expected = date_time(start) + s8(zone) + b"\0"
    assert written == expected + (crc16(expected) if crc else b"")
