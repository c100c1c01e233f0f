"""What edges tell, whatever the bytes are."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.ingest.edge_events import LONGEST, EdgeEvent, Presence, parse_event, parse_presence
from device_gateway.readings.model import Rejected

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_an_event_has_a_name_a_time_and_details() -> None:
    told = parse_event(b'{"event":"contact","at":"2026-11-21T07:00:00+01:00","message_id":"m","rssi_dbm":-60}', NOW)
    assert isinstance(told, EdgeEvent)
    assert (told.event, told.message_id, told.details) == ("contact", "m", {"rssi_dbm": -60})
    assert told.at == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def test_an_event_without_a_time_happened_when_it_came() -> None:
    told = parse_event(b'{"event":"button"}', NOW)
    assert isinstance(told, EdgeEvent)
    assert told.at == NOW


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b'{"event":7}', b'{"event":"x","at":"noon"}', b'{"event":"x","at":"2026-11-21T07:00:00"}',
     b'{"event":"x","list":[1]}', rb'{"event":"a\u0000b"}', json.dumps({"event": "x" * LONGEST}).encode()],
)  # fmt: skip
def test_what_is_no_event_is_refused(payload: bytes) -> None:
    assert isinstance(parse_event(payload, NOW), Rejected)


@pytest.mark.parametrize(
    ("payload", "online"),
    [(b'{"online":true}', True), (b'{"online": false, "more": 1}', False), (b"online", True), (b"Offline\n", False)],
)
def test_a_sender_comes_and_goes(payload: bytes, online: bool) -> None:
    assert parse_presence(payload) == Presence(online)


@given(st.binary(max_size=200))
def test_any_bytes_are_borne(payload: bytes) -> None:
    assert isinstance(parse_event(payload, NOW), EdgeEvent | Rejected)
    assert isinstance(parse_presence(payload), Presence | None)
