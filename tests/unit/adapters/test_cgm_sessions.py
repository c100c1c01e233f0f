"""What a glucose monitor says of its session, and what starts one."""

from datetime import datetime, timedelta, timezone

import pytest
from ble_encoding import crc16, date_time, s8, u8, u16, u24
from hypothesis import given
from hypothesis import strategies as st

from device_gateway_ble.cgm_sessions import CgmSessions
from device_gateway_ble.uuids import assigned

FEATURE, STATUS, START, RUN_TIME = (assigned(number) for number in (0x2AA8, 0x2AA9, 0x2AAA, 0x2AAB))
SESSIONS = CgmSessions()
BEGAN = date_time(datetime(2026, 11, 21, 7, 30)) + s8(4) + u8(0)  # noqa: DTZ001  on the wire
NEVER = bytes(7) + s8(-128) + u8(0xFF)


def shown(offset_min: int, status: int, start: bytes = BEGAN, *, crc: bool = False) -> dict[str, bytes]:
    """What a monitor with a run time of ten days shows."""
    values = {STATUS: u16(offset_min) + u24(status), START: start, RUN_TIME: u16(240)}
    if crc:
        values = {uuid: value + crc16(value) for uuid, value in values.items()}
    feature = u24(1 << 12 if crc else 0) + u8(0x59)
    return values | {FEATURE: feature + (crc16(feature) if crc else b"\xff\xff")}


@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize(
    ("offset_min", "status", "start", "state"),
    [
        (0, 1, NEVER, "waiting"),
        (700, 1, BEGAN, "ended"),
        (700, 0, BEGAN, "running"),
        (240 * 60, 0, BEGAN, "running"),
        (240 * 60 + 1, 0, BEGAN, "expired"),
    ],
)
def test_a_monitor_says_what_its_session_is_at(
    offset_min: int, status: int, start: bytes, state: str, crc: bool
) -> None:
    assert SESSIONS.state(shown(offset_min, status, start, crc=crc)) == state


def test_a_start_has_its_time_and_its_checksum_where_the_monitor_wants_one() -> None:
    now = datetime(2026, 11, 22, 7, 31, 5, tzinfo=timezone(timedelta(hours=1)))
    plain = date_time(now.replace(tzinfo=None)) + s8(4) + u8(0)
    assert SESSIONS.start_time_value(shown(0, 1), now) == plain
    assert SESSIONS.start_request(shown(0, 1)) == b"\x1a"
    protected = shown(0, 1, crc=True)
    assert SESSIONS.start_time_value(protected, now) == plain + crc16(plain)
    assert SESSIONS.start_request(protected) == b"\x1a" + crc16(b"\x1a")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("1c1a01", "success"),
        ("1c1a04", "not-completed"),
        ("1c1b01", None),
        ("0305", None),
        ("", None),
        ("1c1a63", None),
    ],
)
def test_only_the_answer_to_a_start_counts(answer: str, said: str | None) -> None:
    assert SESSIONS.answer(bytes.fromhex(answer)) == said


@given(st.dictionaries(st.sampled_from([FEATURE, STATUS, START, RUN_TIME]), st.binary(max_size=12)), st.binary())
def test_no_bytes_make_it_raise(values: dict[str, bytes], answer: bytes) -> None:
    assert SESSIONS.state(values) in (None, "waiting", "running", "expired", "ended")
    assert SESSIONS.has_start(values) in (True, False)
    assert SESSIONS.start_request(values)[0] == 0x1A
    SESSIONS.answer(answer)
