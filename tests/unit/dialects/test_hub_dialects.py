"""ESPHome, ble-scale-sync and the shipped mapping files: golden messages, and what must hold for any."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.ingest.dialects import Dialect, RememberingDialect, dialects
from device_gateway.metrics import METRICS
from device_gateway.readings.model import Decoded, Reading, Rejected
from device_gateway_mqtt.entity_metrics import ROWS

GOLDEN = Path(__file__).parents[2] / "golden" / "mqtt"
FILES = {
    "esphome": "esphome/states.json",
    "ble-scale-sync": "ble-scale-sync/weighings.json",
    "tasmota": "mapping/tasmota.json",
    "zigbee2mqtt": "mapping/zigbee2mqtt.json",
}
LOADED = {key: json.loads((GOLDEN / name).read_text("utf-8")) for key, name in FILES.items()}
CASES = [(key, case) for key, file in LOADED.items() for case in file["cases"]]
NOW = datetime.fromisoformat(LOADED["esphome"]["received_at"])
WEIGHT = "sensor/xiaomi_mi_scale_weight/state"


def decode(
    key: str, subtopic: str, payload: bytes, memory: dict[str, str] | None = None, at: datetime = NOW
) -> Decoded | Rejected:
    """As ingestion calls the dialect; `memory` takes what is to be remembered."""
    dialect: Dialect = dialects()[key]
    if not isinstance(dialect, RememberingDialect):
        return dialect.decode(subtopic, payload, at)
    memory = {} if memory is None else memory
    decoded = dialect.decode_with(memory, subtopic, payload, at)
    if isinstance(decoded, Decoded):
        memory.update({name: text for name, text in decoded.remember.items() if text is not None})
        for name in [name for name, text in decoded.remember.items() if text is None]:
            memory.pop(name, None)
    return decoded


@pytest.mark.parametrize(("key", "case"), CASES, ids=lambda value: value["name"] if isinstance(value, dict) else value)
def test_golden_messages(key: str, case: dict[str, Any]) -> None:
    memory: dict[str, str] = {}
    for subtopic, payload in case["before"]:
        assert isinstance(decode(key, subtopic, payload.encode(), memory), Decoded)
    decoded = decode(key, case["subtopic"], case["payload"].encode(), memory)
    if "rejected" in case:
        assert isinstance(decoded, Rejected)
        assert decoded.pointer == case["rejected"]
        return
    assert isinstance(decoded, Decoded)
    if "item" in case:
        (item,) = decoded.readings
        assert isinstance(item, Rejected)
        assert item.pointer == case["item"]
        return
    expected = [Reading(**(row | {"at": datetime.fromisoformat(row["at"])})) for row in case["readings"]]
    assert decoded.readings == expected
    assert decoded.battery_percent == case.get("battery", {})


def test_every_golden_file_names_its_sources() -> None:
    assert all(file["source"] for file in LOADED.values())
    assert {path.name for path in GOLDEN.rglob("*.json")} == {
        *(Path(name).name for name in FILES.values()), "own.json", "theengs.json",
    }  # fmt: skip


def described() -> dict[str, str]:
    """What a node with a scale has said of itself."""
    memory: dict[str, str] = {}
    (subtopic, payload), *_ = LOADED["esphome"]["cases"][0]["before"]
    decode("esphome", subtopic, payload.encode(), memory)
    return memory


def times(decoded: Decoded | Rejected) -> list[datetime]:
    assert isinstance(decoded, Decoded)
    return [item.at for item in decoded.readings if isinstance(item, Reading)]


def test_a_state_that_a_node_repeats_after_it_connected_again_is_the_same_reading() -> None:
    memory = described()
    first = decode("esphome", WEIGHT, b"62.50", memory)
    later = NOW + timedelta(minutes=30)
    decode("esphome", "status", b"online", memory, later)
    again = decode("esphome", WEIGHT, b"62.50", memory, later + timedelta(seconds=1))
    assert times(again) == times(first) == [NOW]
    next_day = NOW + timedelta(days=1)
    assert times(decode("esphome", WEIGHT, b"62.50", memory, next_day)) == [next_day]


def test_the_same_weight_on_another_day_is_another_reading_while_the_node_stays_connected() -> None:
    memory = described()
    decode("esphome", "status", b"online", memory, NOW - timedelta(days=1))
    assert times(decode("esphome", WEIGHT, b"62.50", memory)) == [NOW]
    tomorrow = NOW + timedelta(days=1)
    assert times(decode("esphome", WEIGHT, b"62.50", memory, tomorrow)) == [tomorrow]


def test_another_weight_after_a_birth_message_is_another_reading() -> None:
    memory = described()
    decode("esphome", WEIGHT, b"62.50", memory)
    decode("esphome", "status", b"online", memory, NOW + timedelta(minutes=1))
    at = NOW + timedelta(minutes=2)
    assert times(decode("esphome", WEIGHT, b"62.60", memory, at)) == [at]


def test_an_old_state_that_is_replayed_does_not_turn_the_clock_back() -> None:
    memory = described()
    decode("esphome", WEIGHT, b"62.50", memory)
    before = dict(memory)
    old = NOW - timedelta(days=2)
    assert times(decode("esphome", WEIGHT, b"61.00", memory, old)) == [old]
    assert memory == before


def test_entities_are_mapped_to_units_that_their_metrics_have() -> None:
    for metric, phrases, units in ROWS:
        assert phrases
        assert set(units.values()) <= set(METRICS[metric].accepts), metric


def test_a_reason_repeats_nothing_that_was_sent() -> None:
    for key, _ in CASES:
        decoded = decode(
            key, "oximeter" if key == "zigbee2mqtt" else "", b'{"weight": "s3cret", "heart_rate": "s3cret"}'
        )
        items = [decoded] if isinstance(decoded, Rejected) else decoded.readings
        assert not any("s3cret" in item.reason for item in items if isinstance(item, Rejected))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["weight", "bmi", "impedance", "mac", "stabilized", "weight_removed", "weight_unit", "Time", "last_seen",
     "body_weight", "systolic", "diastolic", "heart_rate", "battery", "stat_t", "state_topic", "~", "dev", "ids",
     "unit_of_meas", "val_tpl", "device", "identifiers"]
)  # fmt: skip
OBJECTS = st.dictionaries(FIELDS, JSON | st.just("kg") | st.just(1) | st.just(72.5), max_size=8)
PAYLOADS = (
    st.binary(max_size=80)
    | (OBJECTS | JSON | OBJECTS.map(lambda inner: {"Time": "2026-01-01T00:00:00", "A": inner})).map(
        lambda value: json.dumps(value).encode()
    )
    | st.decimals(0, 500, places=3).map(lambda value: str(value).encode())
)
SUBTOPICS = st.sampled_from(
    ["", "alice", "status", WEIGHT, "sensor/x/state", "ha/sensor/n/weight/config", "ha/sensor/weight/config",
     "tele/t/SENSOR", "oximeter", "bridge/x", "light/l/state"]
) | st.text(max_size=20)  # fmt: skip


@given(st.sampled_from(sorted(FILES)), SUBTOPICS, PAYLOADS, st.booleans())
def test_any_bytes_on_any_topic_are_readings_or_a_rejection(
    key: str, subtopic: str, payload: bytes, known: bool
) -> None:
    decoded = decode(key, subtopic, payload, described() if known and key == "esphome" else None)
    items = [decoded] if isinstance(decoded, Rejected) else decoded.readings
    for item in items:
        if isinstance(item, Rejected):
            assert item.reason
            continue
        values = [item.value] if item.components is None else list(item.components.values())
        assert all(value is not None and re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII) for value in values)
        assert item.unit in METRICS[item.metric].accepts
        assert item.device
        assert item.device.isprintable()


@pytest.mark.parametrize("key", sorted(FILES))
@pytest.mark.parametrize(
    "payload", [b"[" * 100_000, b'{"weight":' + b"[" * 100_000, b'{"weight": ' + b"9" * 5000 + b"}"]
)
def test_deep_nesting_and_endless_digits_are_refused(key: str, payload: bytes) -> None:
    subtopic = {"esphome": "ha/sensor/n/weight/config", "tasmota": "tele/t/SENSOR", "zigbee2mqtt": "a"}.get(key, "")
    decoded = decode(key, subtopic, payload)
    assert isinstance(decoded, Rejected) or all(isinstance(item, Rejected) for item in decoded.readings)


@given(st.decimals(1, 300, places=2).map(lambda value: f"{value:f}"), st.booleans())
def test_a_number_keeps_its_digits_whether_it_is_a_number_or_text(digits: str, as_text: bool) -> None:
    sent = f'"{digits}"' if as_text else digits
    decoded = decode("ble-scale-sync", "", f'{{"weight": {sent}}}'.encode())
    assert isinstance(decoded, Decoded)
    (reading,) = decoded.readings
    assert isinstance(reading, Reading)
    assert reading.value == digits
