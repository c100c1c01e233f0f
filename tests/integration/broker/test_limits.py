"""What a device cannot do at the embedded broker, row by row; and what becomes of one that floods it."""

from collections.abc import Callable
from typing import Any

import pytest

from device_gateway.broker import watch
from device_gateway.broker.callout import MAX_CONNECTIONS
from device_gateway.devices.topics import hub_topic, topic_of
from device_gateway.settings import Settings

ACCEPTED, REFUSED, NOT_SUBSCRIBED = 0, 135, 128
Make = Callable[..., Any]
KINDS = ("readings", "raw", "event", "status", "outcome", "command")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"mqtt_flood": 200})


@pytest.mark.parametrize("kind", ["device", "hub"])
def test_every_topic_of_others_and_of_the_broker_is_closed(
    kind: str, *, ingest: Any, responder: Any, pair: Make, client: Make
) -> None:
    own, other = pair(kind), pair()
    foreign = [topic_of(other.id, name) for name in KINDS] + [hub_topic(other.id, "theengs/a")]
    mine = [topic_of(own.id, name) for name in ("outcome", "command")]  # what only the gateway says
    mine += [f"{topic_of(own.id, 'readings')}/more", f"dg/v1/00/{own.id}/readings"]
    mine += [topic_of(own.id, "readings")] if kind == "hub" else [hub_topic(own.id, "theengs/a")]
    ours = ["$SYS/x", "$MQTT/sess/x", "$JS/API/x", "dg/v1", "a"]
    one = client(str(own.id), own.password)
    one.client.will_set(topic_of(other.id, "status"), b"a will about another", 1, retain=True)
    assert one.connect() == ACCEPTED
    for topic in [*foreign, *mine, *ours]:
        one.publish(topic, b"forged")
        one.client.publish(topic, b"forged and kept", 1, retain=True)
    wildcards = ["#", "+/#", "dg/#", "dg/v1/+/+/outcome", f"dg/v1/+/{other.id}/#", "$SYS/#", "$MQTT/#", "$JS/#"]
    for topic in [*foreign, *wildcards, f"{topic_of(own.id, 'outcome')}/#", topic_of(own.id, "readings")]:
        assert one.subscribe(topic) == NOT_SUBSCRIBED, topic
    one.client.socket().shutdown(2)  # a connection that breaks: the will is due
    assert one.until(lambda: len(one.codes) > 1), "paho did not come back"
    allowed = topic_of(own.id, "status")
    one.publish(allowed, b"end")
    assert ingest.until(lambda: (allowed, b"end") in ingest.messages)
    assert [message for message in ingest.messages if message[1] != b"end"] == []


def test_a_device_has_few_connections_under_names_of_its_choice_and_one_under_its_own(
    responder: Any, pair: Make, client: Make
) -> None:
    device = pair()
    codes = [client(str(device.id), device.password, f"tool-{n}").connect() for n in range(MAX_CONNECTIONS + 1)]
    assert codes == [ACCEPTED] * MAX_CONNECTIONS + [REFUSED]
    assert client(str(device.id), device.password).connect() == ACCEPTED


def test_a_device_that_floods_is_shut_out_for_a_while_and_the_others_notice_nothing(
    *, ingest: Any, settings: Settings, pair: Make, client: Make, make_responder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.5)
    make_responder()
    loud, quiet = pair(), pair()
    flood, scale = client(str(loud.id), loud.password), client(str(quiet.id), quiet.password)
    assert (flood.connect(), scale.connect()) == (ACCEPTED, ACCEPTED)
    for _ in range(60):
        for _ in range(300):
            flood.client.publish(topic_of(loud.id, "readings"), b"{}", 0)
        scale.publish(topic_of(quiet.id, "readings"), b"{}")
        if flood.until(lambda: flood.disconnects > 0, 0.1):
            break
    assert flood.until(lambda: REFUSED in flood.codes[1:]), "it was let in again at once"
    assert (scale.disconnects, client(str(quiet.id), quiet.password).connect()) == (0, ACCEPTED)
    assert ingest.until(lambda: any(topic == topic_of(quiet.id, "readings") for topic, _ in ingest.messages))


def test_a_message_that_is_too_long_ends_its_connection_only(
    ingest: Any, responder: Any, pair: Make, client: Make
) -> None:
    device, other = pair(), pair()
    scale, bystander = client(str(device.id), device.password), client(str(other.id), other.password)
    assert (scale.connect(), bystander.connect()) == (ACCEPTED, ACCEPTED)
    long = b"x" * 262_144
    scale.publish(topic_of(device.id, "raw"), long)
    assert ingest.until(lambda: ingest.messages == [(topic_of(device.id, "raw"), long)])
    scale.client.publish(topic_of(device.id, "raw"), b"x" * 2_000_000, 0)
    assert scale.until(lambda: scale.disconnects > 0)
    bystander.publish(topic_of(other.id, "readings"), b"{}")
    assert bystander.disconnects == 0
