"""Xiaomi scales behind OpenMQTTGateway or Theengs Gateway."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.readings.model import Decoded, Reading, Rejected
from device_gateway_mqtt.theengs import TheengsDialect
from device_simulators.mqtt.weighing import Weighing
from device_simulators.mqtt.xiaomi_message import xiaomi_message

_FILE = json.loads((Path(__file__).parents[2] / "golden" / "mqtt" / "theengs.json").read_text("utf-8"))
GOLDEN = _FILE["cases"]
NOW = datetime.fromisoformat(_FILE["received_at"])
SUBTOPIC = "OMG/BTtoMQTT/AABBCCDDEEFF"


def decode(payload: bytes) -> Decoded | Rejected:
    return TheengsDialect().decode(SUBTOPIC, payload, NOW)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_golden_messages(case: dict[str, Any]) -> None:
    decoded = TheengsDialect().decode(case["subtopic"], case["payload"].encode(), NOW)
    if "rejected" in case:
        assert isinstance(decoded, Rejected)
        assert decoded.pointer == case["rejected"]
    elif "nothing" in case:
        assert decoded == Decoded([])
    else:
        expected = Reading(**(case["reading"] | {"at": datetime.fromisoformat(case["reading"]["at"])}))
        assert decoded == Decoded([expected])


@given(
    st.integers(40, 4000),
    st.integers(0, 65_535),
    st.datetimes(datetime(2015, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001  a scale's clock has no zone
    st.integers(-100, -20),
)
def test_what_the_simulator_encodes_is_decoded_again(steps: int, ohm: int, at: datetime, rssi: int) -> None:
    weighing = Weighing(steps, ohm)
    decoded = decode(xiaomi_message(weighing, at, "AA:BB:CC:DD:EE:FF", advertisement=True, rssi=rssi))
    assert isinstance(decoded, Decoded)
    (reading,) = decoded.readings
    assert isinstance(reading, Reading)
    assert reading.value is not None
    assert Decimal(reading.value) == Decimal(steps) / 20
    assert (reading.at, reading.context) == (at.replace(microsecond=0), {"impedance-ohm": ohm})


@given(st.binary())
def test_no_bytes_raise(payload: bytes) -> None:
    assert isinstance(decode(payload), Decoded | Rejected)


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(
    st.fixed_dictionaries(
        {"model_id": st.just("XMTZC05HM") | JSON},
        optional={
            "id": st.just("AA:BB:CC:DD:EE:FF") | JSON,
            "unit": st.sampled_from(["kg", "lb", "jin"]) | JSON,
            "weight": JSON,
            "impedance": JSON,
            "weighing_mode": st.just("person") | JSON,
            "servicedata": st.binary(max_size=14).map(bytes.hex) | JSON,
            "unixtime": JSON,
            "UTCtime": JSON,
        },
    )
)
def test_no_json_raises(message: Any) -> None:
    assert isinstance(decode(json.dumps(message).encode()), Decoded | Rejected)


def test_times_from_elsewhere_are_aware() -> None:
    payload = {"id": "AA:BB:CC:DD:EE:FF", "model_id": "XMTZC05HM", "unit": "kg", "weight": 70}
    decoded = decode(json.dumps(payload | {"UTCtime": "2026-01-01T00:00:00"}).encode())
    assert isinstance(decoded, Decoded)
    (reading,) = decoded.readings
    assert isinstance(reading, Reading)
    assert reading.at == datetime(2026, 1, 1, tzinfo=UTC)
