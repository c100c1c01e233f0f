"""Continuous glucose monitors: sessions, statuses that spoil a value, the control point."""

from datetime import datetime

import pytest
from ble_encoding import crc16, date_time, s8, sfloat, u8, u16, u24

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.cgm import CgmDecoder, ContinuousGlucoseMonitor
from device_gateway_ble.cgm_control_point import Operation, level, parse_control_point, request
from device_gateway_ble.octets import RefusedField

RECEIVED_AT = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
CLOCK = date_time(datetime.fromisoformat("2026-11-20T08:00:00"))
STARTED = CLOCK + s8(4) + u8(0)
CRC_FEATURE = u24(0x1000) + u8(0x59)


def record(
    offset: int = 30, concentration: bytes = sfloat(120), *, status: int = 0, rest: bytes = b"", flags: int = 0
) -> bytes:
    octets = [status >> shift & 0xFF for shift in (0, 8, 16)]
    flags |= sum(flag for flag, octet in zip((0x80, 0x40, 0x20), octets, strict=True) if octet)
    body = u8(flags) + concentration + u16(offset) + b"".join(u8(octet) for octet in octets if octet) + rest
    return u8(len(body) + 1) + body


def one(data: bytes, *before: tuple[str, bytes]) -> Reading | Rejected:
    decoder = ContinuousGlucoseMonitor.decoder()
    for characteristic, value in before or (("2AAA", STARTED),):
        decoder.feed(characteristic, value)
    (result,) = decoder.feed("2AA7", data)
    return result


def refused(data: bytes, *before: tuple[str, bytes]) -> str:
    result = one(data, *before)
    assert isinstance(result, Rejected)
    return result.pointer


def test_the_time_is_the_start_of_the_session_plus_the_offset_and_the_offset_the_number() -> None:
    reading = one(record(1500))
    assert isinstance(reading, Reading)
    assert reading.at.isoformat() == "2026-11-21T09:00:00+01:00"
    assert reading.seq == 1500
    assert (reading.context or {})["session-start"] == "2026-11-20T08:00:00+01:00"


def test_a_session_without_a_zone_is_the_monitors_wall_clock() -> None:
    reading = one(record(), ("2AAA", CLOCK + s8(-128) + u8(0xFF)))
    assert isinstance(reading, Reading)
    assert reading.at.isoformat() == "2026-11-20T08:30:00"


def test_records_wait_for_the_start_of_the_session_and_are_refused_without_one() -> None:
    decoder = CgmDecoder()
    assert decoder.feed("2AA7", record(5) + record(10), RECEIVED_AT) == []
    assert list(decoder.waiting) == [5, 10]
    first, second = decoder.feed("2AAA", STARTED)
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert (first.seq, second.seq) == (5, 10)
    assert not decoder.waiting
    never = CgmDecoder()
    never.feed("2AA7", record(5), RECEIVED_AT)
    (rejected,) = never.finish()
    assert isinstance(rejected, Rejected)
    assert rejected.pointer == "/session-start"
    assert never.packets == (("2AA7", record(5)),)
    assert never.finish() == []


def test_a_start_that_was_never_set_refuses_the_records() -> None:
    decoder = CgmDecoder()
    (about_start,) = decoder.feed("2AAA", bytes(7) + s8(0) + u8(0))
    (about_record,) = decoder.feed("2AA7", record())
    assert isinstance(about_start, Rejected)
    assert isinstance(about_record, Rejected)
    assert about_record.pointer == "/session-start"
    assert "clock was not set" in about_record.reason


def test_live_records_may_take_the_time_of_receipt_for_the_newest_of_them() -> None:
    older, newer = ContinuousGlucoseMonitor.live_decoder().feed("2AA7", record(5) + record(10), RECEIVED_AT)
    assert isinstance(older, Reading)
    assert isinstance(newer, Reading)
    assert newer.at == RECEIVED_AT
    assert (newer.at - older.at).total_seconds() == 300
    assert (older.context or {})["effective-time"] == "received"


def test_a_new_sensor_begins_a_new_session() -> None:
    decoder = CgmDecoder()
    decoder.feed("2AAA", STARTED)
    decoder.feed("2AA7", record(5))
    decoder.feed("2AAA", date_time(datetime.fromisoformat("2026-12-04T08:00:00")) + s8(4) + u8(0))
    (reading,) = decoder.feed("2AA7", record(5))
    assert isinstance(reading, Reading)
    assert reading.at.isoformat() == "2026-12-04T08:05:00+01:00"


@pytest.mark.parametrize("bit", [0, 2, 3, 5, 12, 13])
def test_a_sensor_that_says_it_does_not_work_gives_no_reading(bit: int) -> None:
    assert refused(record(status=1 << bit)) == "/sensor-status"


@pytest.mark.parametrize("bit", [6, 7, 15])
def test_a_reserved_status_bit_is_refused(bit: int) -> None:
    assert refused(record(status=1 << bit)) == "/sensor-status"


@pytest.mark.parametrize(
    ("bit", "name"),
    [
        (8, "time-synchronisation-required"),
        (9, "calibration-not-allowed"),
        (11, "calibration-required"),
        (14, "calibration-pending"),
    ],
)
def test_a_sensor_that_warms_up_or_wants_to_be_calibrated_gives_preliminary_readings(bit: int, name: str) -> None:
    reading = one(record(status=1 << bit))
    assert isinstance(reading, Reading)
    assert reading.status == "preliminary"
    assert (reading.context or {})["sensor-status"] == name


def test_a_session_past_its_run_time_gives_preliminary_readings() -> None:
    results = [one(record(offset), ("2AAA", STARTED), ("2AAB", u16(1))) for offset in (60, 61)]
    assert [result.status for result in results if isinstance(result, Reading)] == ["final", "preliminary"]
    assert isinstance(results[1], Reading)
    assert (results[1].context or {})["session-expired"] is True


@pytest.mark.parametrize("word", [0x07FF, 0x0800, 0x07FE, 0x0802, 0x0801])
def test_a_special_concentration_is_refused_and_a_special_trend_is_said(word: int) -> None:
    assert refused(record(concentration=u16(word))) == "/concentration"
    reading = one(record(flags=0x03, rest=u16(word) + u16(word)))
    assert isinstance(reading, Reading)
    assert {"trend-absent", "quality-absent"} <= (reading.context or {}).keys()


def test_control_solution_is_never_a_patients_glucose() -> None:
    feature = u24(0) + u8(0x4A) + b"\xff\xff"
    assert refused(record(), ("2AA8", feature), ("2AAA", STARTED)) == "/type-sample-location"


def test_a_monitor_that_announces_crcs_must_send_them() -> None:
    announced = ("2AA8", CRC_FEATURE + crc16(CRC_FEATURE)), ("2AAA", STARTED + crc16(STARTED))
    assert refused(record(), *announced) == "/crc"
    plain = record()
    sized = u8(len(plain) + 2) + plain[1:]
    assert isinstance(one(sized + crc16(sized), *announced), Reading)
    assert refused(sized + u16(0), *announced) == "/crc"
    assert refused(sized + crc16(sized), ("2AA8", u24(0) + u8(0x59) + b"\xff\xff"), ("2AAA", STARTED)) == "/length"


@pytest.mark.parametrize(
    ("characteristic", "value"),
    [
        ("2AA8", CRC_FEATURE),
        ("2AA9", u16(5) + u24(0)),
        ("2AAA", STARTED),
        ("2AAB", u16(336)),
        ("2AAC", b"\x1c\x1a\x01"),
    ],
)
def test_a_wrong_crc_is_refused_everywhere(characteristic: str, value: bytes) -> None:
    assert not isinstance(ContinuousGlucoseMonitor.facts(characteristic, value + crc16(value)), Rejected)
    wrong = ContinuousGlucoseMonitor.facts(characteristic, value + bytes([crc16(value)[0] ^ 1, crc16(value)[1]]))
    assert isinstance(wrong, Rejected)
    assert wrong.pointer == "/crc"


@pytest.mark.parametrize("data", [b"", b"\0", b"\x05\0\0\0\0", record()[:5], u8(40) + record()[1:]])
def test_a_size_that_contradicts_the_packet_is_refused(data: bytes) -> None:
    assert refused(data) == "/size"


def test_the_records_before_a_broken_one_are_kept() -> None:
    decoder = CgmDecoder()
    decoder.feed("2AAA", STARTED)
    kept, rejected = decoder.feed("2AA7", record(5) + b"\x09\0")
    assert isinstance(kept, Reading)
    assert isinstance(rejected, Rejected)


@pytest.mark.parametrize(
    ("later", "same"),
    [
        (STARTED, True),
        (CLOCK + s8(0) + u8(4), True),
        (date_time(datetime.fromisoformat("2026-11-20T08:04:00")) + s8(4) + u8(0), True),
        (date_time(datetime.fromisoformat("2026-12-04T08:00:00")) + s8(4) + u8(0), False),
        (CLOCK + s8(-128) + u8(0), True),
        (bytes(9), False),
    ],
)
def test_a_session_is_known_again_by_its_start(later: bytes, same: bool) -> None:
    assert ContinuousGlucoseMonitor.same_session(STARTED, later) is same


@pytest.mark.parametrize("crc", [False, True])
def test_the_control_point_is_asked_and_understood(crc: bool) -> None:
    asked = request(Operation.SET_HYPO, level(70), has_crc=crc)
    assert asked[:3] == b"\x0d\x46\x00"
    assert parse_control_point(asked, crc).facts() == {"operation": "set-hypo", "level": "70"}
    started = request(Operation.START_SESSION, has_crc=crc)
    assert started[:1] == b"\x1a"
    assert parse_control_point(started, crc).operand == {}
    with pytest.raises(RefusedField, match="crc" if crc else "length"):
        parse_control_point(started[:1] if crc else started + b"\0", crc)


@pytest.mark.parametrize(
    ("octets", "facts"),
    [
        ("0305", {"operation": "interval", "interval-min": 5}),
        ("030500", {"operation": "interval", "interval-min": 5}),
        ("0105", {"operation": "set-interval", "interval-min": 5}),
        ("050700", {"operation": "get-calibration", "calibration": 7}),
        ("18e2f1", {"operation": "rate-of-increase", "level": "48.2"}),
        (
            "065a001e0011780007 0000",
            {
                "operation": "calibration", "mg-dl": "90", "offset-min": 30, "sample-type": "capillary-whole-blood",
                "next-offset-min": 120, "calibration": 7, "status": "",
            },
        ),
    ],
)  # fmt: skip
def test_each_answer_of_the_control_point_is_understood(octets: str, facts: dict[str, object]) -> None:
    assert parse_control_point(bytes.fromhex(octets)).facts() == facts


@pytest.mark.parametrize(
    ("octets", "pointer"),
    [
        ("", "/operation"),
        ("00", "/operation"),
        ("1d", "/operation"),
        ("1c1a09", "/response"),
        ("07ff07", "/level"),
        ("09", "/level"),
    ],
)
def test_what_the_control_point_cannot_say_is_refused(octets: str, pointer: str) -> None:
    found = ContinuousGlucoseMonitor.facts("2AAC", bytes.fromhex(octets))
    assert isinstance(found, Rejected)
    assert found.pointer == pointer


@pytest.mark.parametrize(("mantissa", "exponent"), [(2046, 0), (-2046, 0), (1, 8), (1, -9)])
def test_a_level_that_no_sfloat_holds_is_a_mistake_of_ours(mantissa: int, exponent: int) -> None:
    with pytest.raises(ValueError, match="SFLOAT"):
        level(mantissa, exponent)
