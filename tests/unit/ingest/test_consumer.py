"""A session at the broker, as far as it can be told without one."""

from pathlib import Path

import pytest

from device_gateway.transports.mqtt.broker_url import BrokerUrl, parse_broker_url
from device_gateway.transports.mqtt.consumer import Consumer
from device_gateway.transports.mqtt.inlet import Inlet
from device_gateway.transports.mqtt.packets import Arrived


@pytest.fixture
def inlet() -> Inlet:
    return Inlet(10)


@pytest.fixture
def consumer(inlet: Inlet) -> Consumer:
    return Consumer("mqtt://127.0.0.1:1", "test", [], inlet, slot=3)


def received(consumer: Consumer, packet_id: int, payload: bytes = b"x", topic: bytes = b"topic") -> None:
    consumer._arrived([Arrived(topic, payload, packet_id, again=False, retained=False)])


@pytest.mark.parametrize(
    ("octets", "text"), [(b"dg/v1/00/x", "dg/v1/00/x"), ("é".encode(), "é"), (b"dg/\xff/x", "dg/\\xff/x"), (b"", "")]
)
def test_a_topic_is_text_whatever_its_octets_are(consumer: Consumer, inlet: Inlet, octets: bytes, text: str) -> None:
    received(consumer, 7, topic=octets)
    assert [message.topic for message in inlet.take(1, 0, 0)] == [text]


def test_what_the_broker_sends_again_while_it_is_in_hand_is_not_handed_over_twice(
    consumer: Consumer, inlet: Inlet
) -> None:
    for _ in range(3):
        received(consumer, 7)
    [message] = inlet.take(10, 0, 0)
    assert message.slot == 3
    consumer.acknowledge([message])
    received(consumer, 7, payload=b"another message with the same packet id")
    assert len(inlet.take(10, 0, 0)) == 1


def test_after_a_reconnect_the_same_packet_id_is_another_message(consumer: Consumer, inlet: Inlet) -> None:
    received(consumer, 7)
    consumer._forget_tickets()
    received(consumer, 7)
    first, second = inlet.take(10, 0, 0)
    assert first.ticket != second.ticket


def test_tickets_of_different_sessions_never_meet(inlet: Inlet) -> None:
    for _ in range(2):
        received(Consumer("mqtt://127.0.0.1:1", "test", [], inlet), 7)
    first, second = inlet.take(10, 0, 0)
    assert first.ticket != second.ticket


def test_messages_that_need_no_acknowledgement_are_all_handed_over(consumer: Consumer, inlet: Inlet) -> None:
    for _ in range(2):
        received(consumer, 0)
    assert len(inlet.take(10, 0, 0)) == 2


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("mqtt://host", BrokerUrl("host", 1883, False, None, None)),
        ("mqtts://host", BrokerUrl("host", 8883, True, None, None)),
        ("mqtt://me:p%40ss%2F@10.0.0.1:99", BrokerUrl("10.0.0.1", 99, False, "me", "p@ss/")),
    ],
)
def test_a_brokers_url_is_taken_apart(url: str, parts: BrokerUrl) -> None:
    assert parse_broker_url(url) == parts


@pytest.mark.parametrize("url", ["http://host", "mqtt://", "host:1883", "", "mqtt://host:port"])
def test_what_is_no_url_of_a_broker_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_broker_url(url)


def test_a_certificate_authority_that_cannot_be_read_is_an_error_at_once(inlet: Inlet, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Consumer("mqtts://host", "test", [], inlet, ca=tmp_path / "missing.pem")
