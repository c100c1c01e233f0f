"""The simulated scale against the embedded broker: as a process, as a user starts it."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.devices.topics import hub_topic, parse_topic, topic_of
from device_gateway.readings.model import Decoded, Reading
from device_gateway_mqtt.own import OwnDialect
from device_gateway_mqtt.theengs import TheengsDialect

Make = Callable[..., Any]


def scale(broker: EmbeddedBroker, user: Any, password: str, topic: str, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "device_simulators.mqtt.scale", "--mqtt-url", f"mqtt://127.0.0.1:{broker.mqtt_port}",
         "--username", str(user), "--password", password, "--topic", topic, "--interval", "0", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def answer(ingest: Any, number: int, outcome: str, seen: int = 1) -> dict[str, Any]:
    """Plays ingestion: answers the message `number` once it has come `seen` times."""
    assert ingest.until(lambda: len(ingest.messages) >= number + seen - 1, 20)
    topic, payload = ingest.messages[number - 1]
    message: dict[str, Any] = json.loads(payload)
    parsed = parse_topic(topic)
    assert parsed is not None
    reply = {"message_id": message["message_id"], "outcomes": [{"index": 0, "outcome": outcome}]}
    ingest.publish(topic_of(parsed.sender, "outcome"), json.dumps(reply).encode())
    return message


def test_it_waits_for_the_outcome_of_each_weighing(
    broker: EmbeddedBroker, ingest: Any, responder: Any, pair: Make
) -> None:
    device = pair()
    process = scale(broker, device.id, device.password, topic_of(device.id, "readings"), "--count", "2")
    first = answer(ingest, 1, "stored")
    second = answer(ingest, 2, "stored")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == ["weighing 1: stored", "weighing 2: stored"]
    assert first["message_id"] != second["message_id"]
    decoded = OwnDialect().decode("readings", ingest.messages[0][1], datetime.now(UTC))
    assert isinstance(decoded, Decoded)
    (reading,) = decoded.readings
    assert isinstance(reading, Reading)
    assert (reading.metric, reading.value, reading.unit, reading.seq) == ("body-weight", "72.40", "kg", 1)


def test_what_is_not_answered_is_sent_again_unchanged(
    broker: EmbeddedBroker, ingest: Any, responder: Any, pair: Make
) -> None:
    device = pair()
    more = ("--count", "1", "--retry", "1")
    with scale(broker, device.id, device.password, topic_of(device.id, "readings"), *more) as process:
        answer(ingest, 1, "duplicate", seen=2)
        assert process.wait(20) == 0
    assert ingest.messages[0] == ingest.messages[1]


def test_a_rejected_weighing_shows_in_the_exit_code(
    broker: EmbeddedBroker, ingest: Any, responder: Any, pair: Make
) -> None:
    device = pair()
    process = scale(broker, device.id, device.password, topic_of(device.id, "readings"), "--count", "1")
    answer(ingest, 1, "rejected")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "weighing 1: rejected\n")
    assert "1 weighings were rejected" in err


def test_refused_credentials_are_told_and_end_it(broker: EmbeddedBroker, responder: Any, pair: Make) -> None:
    device = pair()
    process = scale(broker, device.id, "wrong", topic_of(device.id, "readings"))
    _, err = process.communicate(timeout=20)
    assert process.returncode == 77
    assert f"refused the credentials of {device.id}" in err


def test_an_absent_broker_is_told_and_ends_it(broker: EmbeddedBroker, pair: Make) -> None:
    device = pair()
    broker.stop()
    process = scale(broker, device.id, device.password, topic_of(device.id, "readings"))
    _, err = process.communicate(timeout=20)
    assert process.returncode == 69
    assert str(broker.mqtt_port) in err


def test_as_a_xiaomi_scale_every_repetition_is_the_same_reading(
    broker: EmbeddedBroker, ingest: Any, responder: Any, pair: Make
) -> None:
    hub = pair("hub")
    more = ("--dialect", "theengs", "--count", "1", "--kg", "81.25")
    with scale(broker, hub.id, hub.password, hub_topic(hub.id, "theengs"), *more) as process:
        assert process.wait(20) == 0
    assert ingest.until(lambda: len(ingest.messages) == 3)
    readings = set()
    for topic, payload in ingest.messages:
        parsed = parse_topic(topic)
        assert parsed is not None
        assert (parsed.sender, parsed.dialect) == (hub.id, "theengs")
        decoded = TheengsDialect().decode(parsed.subtopic, payload, datetime.now(UTC))
        assert isinstance(decoded, Decoded)
        (reading,) = decoded.readings
        assert isinstance(reading, Reading)
        readings.add((reading.device, reading.at, reading.value, reading.unit))
    assert len(readings) == 1
    assert readings.pop()[2] == "81.25"


def test_a_hub_may_publish_on_its_base_topic_itself(
    broker: EmbeddedBroker, ingest: Any, responder: Any, pair: Make
) -> None:
    hub = pair("hub")
    base = hub_topic(hub.id, "ble-scale-sync")
    more = ("--dialect", "ble-scale-sync", "--count", "1", "--kg", "81.25")
    with scale(broker, hub.id, hub.password, base, *more) as process:
        assert process.wait(20) == 0
    assert ingest.until(lambda: len(ingest.messages) == 1)
    [(topic, payload)] = ingest.messages
    assert topic == base
    assert json.loads(payload)["weight"] == 81.25
