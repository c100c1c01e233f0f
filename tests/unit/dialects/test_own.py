"""Our own dialect: golden messages, and what must hold for any."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.readings.model import ClockMeasurement, Decoded, Reading, Rejected
from device_gateway_mqtt.own import OwnDialect

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "mqtt" / "own.json").read_text("utf-8"))["cases"]


def decode(payload: bytes) -> Decoded | Rejected:
    return OwnDialect().decode("readings", payload, NOW)


def reading(row: dict[str, Any]) -> Reading:
    return Reading(**(row | {"at": datetime.fromisoformat(row["at"])}))


@pytest.mark.parametrize("case", [case for case in GOLDEN if "rejected" not in case], ids=lambda case: case["name"])
def test_golden_messages(case: dict[str, Any]) -> None:
    decoded = decode(case["payload"].encode())
    assert isinstance(decoded, Decoded)
    assert decoded.message_id == case["message_id"]
    assert [_plain(item) for item in decoded.readings] == [
        row["rejected"] if "rejected" in row else reading(row) for row in case["readings"]
    ]
    assert decoded.clocks == tuple(
        ClockMeasurement(
            datetime.fromisoformat(row["raw"]), datetime.fromisoformat(row["measured_at"]), row.get("device")
        )
        for row in case.get("clocks", ())
    )
    assert decoded.battery_percent == case.get("battery_percent", {})


@pytest.mark.parametrize("case", [case for case in GOLDEN if "rejected" in case], ids=lambda case: case["name"])
def test_golden_refusals(case: dict[str, Any]) -> None:
    decoded = decode(case["payload"].encode())
    assert isinstance(decoded, Rejected)
    assert decoded.pointer == case["rejected"]


def test_times_keep_the_offset_that_was_sent() -> None:
    decoded = decode(GOLDEN[0]["payload"].encode())
    assert isinstance(decoded, Decoded)
    (only,) = decoded.readings
    assert isinstance(only, Reading)
    assert only.at.utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize("subtopic", ["event", "status", "raw"])
def test_other_topics_hold_no_readings(subtopic: str) -> None:
    assert OwnDialect().decode(subtopic, b"offline", NOW) == Decoded([])


def test_a_reason_repeats_nothing_that_was_sent() -> None:
    row = {"metric": "m", "unit": "u", "at": "2026-11-21T07:31:05Z", "status": "the-secret", "value": "1"}
    decoded = decode(json.dumps({"readings": [row]}).encode())
    assert isinstance(decoded, Decoded)
    (refused,) = decoded.readings
    assert isinstance(refused, Rejected)
    assert "the-secret" not in refused.reason


@given(st.binary())
def test_no_bytes_raise(payload: bytes) -> None:
    assert isinstance(decode(payload), Decoded | Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
FIELDS = st.sampled_from(["metric", "unit", "at", "value", "components", "device", "seq", "context", "status", "other"])


@given(
    st.fixed_dictionaries(
        {"readings": JSON | st.lists(st.dictionaries(FIELDS, JSON), max_size=3)},
        optional={"message_id": JSON, "clocks": JSON, "battery_percent": JSON},
    )
)
def test_no_json_raises(message: Any) -> None:
    assert isinstance(decode(json.dumps(message).encode()), Decoded | Rejected)


@pytest.mark.parametrize("payload", [b"[" * 100_000, b'{"readings":' + b"[" * 100_000, b'{"other":' + b"[" * 100_000])
def test_deep_nesting_is_refused(payload: bytes) -> None:
    assert isinstance(decode(payload), Rejected)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
DECIMALS = st.decimals(0, 10_000, places=2).map(str)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.none() | OFFSETS)  # noqa: DTZ001
READINGS = st.builds(
    Reading,
    metric=TEXT,
    unit=TEXT,
    at=TIMES,
    value=st.none() | DECIMALS,
    components=st.none() | st.dictionaries(TEXT, DECIMALS, max_size=3),
    device=st.none() | TEXT,
    seq=st.integers(0, 2**63 - 1),
    context=st.none() | st.dictionaries(TEXT, TEXT | st.integers(-(2**63), 2**63 - 1) | st.booleans(), max_size=3),
    status=st.sampled_from(["final", "preliminary", "corrected"]),
)


@given(st.lists(READINGS, max_size=4), st.none() | st.uuids().map(str))
def test_what_was_encoded_is_decoded_again(readings: list[Reading], message_id: str | None) -> None:
    rows = [
        {name: getattr(item, name) for name in Reading.__struct_fields__} | {"at": item.at.isoformat()}
        for item in readings
    ]
    decoded = decode(json.dumps({"message_id": message_id, "readings": rows}).encode())
    assert decoded == Decoded(list(readings), message_id)


def _plain(item: Reading | Rejected) -> Reading | str:
    return item.pointer if isinstance(item, Rejected) else item
