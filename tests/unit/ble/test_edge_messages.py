"""What an edge puts on the wire."""

import json
from datetime import datetime

import msgspec
import pytest

from device_gateway.readings.model import ClockMeasurement, Reading, Rejected
from device_gateway.transports.ble.sync import Batch, Refusal
from device_gateway.transports.edge.messages import messages_of, parse_outcome, payload

READING = Reading(
    "blood-glucose",
    "mg/dL",
    datetime.fromisoformat("2026-11-22T07:30:05"),
    "114.0",
    seq=41,
    context={"meal": "fasting"},
)
REFUSAL = Refusal(Rejected("/context/meal", "reserved meal 6"), (("2A18", b"\x12\x01"), ("2A34", b"\x02\x05")))
CLOCK = ClockMeasurement(
    datetime.fromisoformat("2026-11-22T07:31:00"), datetime.fromisoformat("2026-11-22T07:30:00+01:00")
)


def test_readings_and_the_clock_they_rest_on_travel_together() -> None:
    message, _ = messages_of(Batch((READING,), (REFUSAL,), 41), "d-1", "ble-glucose", CLOCK, 81)
    sent = json.loads(payload(message, datetime.fromisoformat("2026-11-22T06:31:05.25+00:00")))
    assert sent.pop("message_id") == message.message_id
    assert sent == {
        "sent_at": "2026-11-22T06:31:05.250+00:00",
        "readings": [
            {
                "metric": "blood-glucose", "unit": "mg/dL", "at": "2026-11-22T07:30:05", "value": "114.0",
                "device": "d-1", "seq": 41, "context": {"meal": "fasting"},
            }
        ],
        "clocks": [{"raw": "2026-11-22T07:31:00", "measured_at": "2026-11-22T07:30:00+01:00", "device": "d-1"}],
        "battery_percent": {"d-1": 81},
    }  # fmt: skip
    assert message.readings == 1


def test_a_refusal_carries_every_packet_that_it_rests_on_under_an_id_of_their_content() -> None:
    (first,) = messages_of(Batch((), (REFUSAL,), 41), "d-1", "ble-glucose", None, None)
    (second,) = messages_of(Batch((), (REFUSAL,), 41), "d-1", "ble-glucose", None, None)
    (elsewhere,) = messages_of(Batch((), (REFUSAL,), 41), "d-2", "ble-glucose", None, None)
    assert first.message_id == second.message_id != elsewhere.message_id
    assert json.loads(payload(first)) | {"sent_at": ""} == {
        "sent_at": "",
        "message_id": first.message_id,
        "device": "d-1",
        "characteristic": "2A18 2A34",
        "hex": "1201 0205",
        "pointer": "/context/meal",
        "reason": "reserved meal 6",
        "adapter": "ble-glucose",
    }


def test_an_outcome_is_read_with_fields_that_we_do_not_know() -> None:
    answered = parse_outcome(b'{"message_id":"m","outcomes":[{"index":0,"outcome":"stored","version":1}],"later":true}')
    assert [(line.index, line.outcome) for line in answered.outcomes] == [(0, "stored")]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"message_id":1,"outcomes":[]}', b'{"message_id":"m","outcomes":[{}]}']
)
def test_what_is_no_outcome_is_none(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_outcome(body)
