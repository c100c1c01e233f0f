"""Who gets into the embedded broker, what they may do there, and what it keeps."""

import asyncio
import json
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest

from device_gateway.broker.control import disconnect_device
from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.devices.topics import hub_topic, topic_of
from device_gateway.errors import PortTaken
from device_gateway.settings import Settings

ACCEPTED, REFUSED = 0, 135  # MQTT 5 reason codes, into which paho translates the return codes of 3.1.1
SUBSCRIBED, NOT_SUBSCRIBED = 1, 128

Make = Callable[..., Any]  # the fixtures that make devices, clients and responders


def test_a_paired_device_with_its_password_is_let_in_and_heard(
    ingest: Any, responder: Any, pair: Make, client: Make
) -> None:
    device = pair()
    scale = client(str(device.id), device.password)
    assert scale.connect() == ACCEPTED
    scale.publish(topic_of(device.id, "readings"), b"{}")
    assert ingest.until(lambda: ingest.messages == [(topic_of(device.id, "readings"), b"{}")])


@pytest.mark.parametrize("flaw", ["wrong password", "no such device", "no id", "client id of another"])
def test_everybody_else_is_refused(flaw: str, responder: Any, pair: Make, client: Make) -> None:
    device = pair()
    user = {"no such device": str(uuid4()), "no id": "admin"}.get(flaw, str(device.id))
    password = "guess" if flaw == "wrong password" else device.password
    client_id = str(pair().id) if flaw == "client id of another" else None
    started = time.monotonic()
    assert client(user, password, client_id).connect() == REFUSED
    assert time.monotonic() - started < 2, "the refusal came from a time-out, not from the responder"


def test_what_a_device_publishes_outside_its_topic_reaches_nobody(
    ingest: Any, responder: Any, pair: Make, client: Make
) -> None:
    device, other = pair(), pair()
    scale = client(str(device.id), device.password)
    assert scale.connect() == ACCEPTED
    for topic in (
        topic_of(other.id, "readings"),
        hub_topic(device.id, "theengs") + "/BTtoMQTT/AABBCCDDEEFF",
        "dg/v1/00/any/readings",
    ):
        scale.publish(topic, b"forged")
    scale.publish(topic_of(device.id, "status"), b"end")
    assert ingest.until(lambda: bool(ingest.messages))
    assert ingest.messages == [(topic_of(device.id, "status"), b"end")]


def test_a_hub_publishes_under_x_only(ingest: Any, responder: Any, pair: Make, client: Make) -> None:
    hub = pair("hub")
    gateway = client(str(hub.id), hub.password)
    assert gateway.connect() == ACCEPTED
    topic = hub_topic(hub.id, "theengs") + "/OMG/BTtoMQTT/AABBCCDDEEFF"
    gateway.publish(topic_of(hub.id, "readings"), b"forged")
    gateway.publish(topic, b"{}")
    assert ingest.until(lambda: bool(ingest.messages))
    assert ingest.messages == [(topic, b"{}")]


def test_a_device_hears_its_outcomes_and_nothing_else(ingest: Any, responder: Any, pair: Make, client: Make) -> None:
    device, other = pair(), pair()
    scale = client(str(device.id), device.password)
    assert scale.connect() == ACCEPTED
    assert scale.subscribe(topic_of(device.id, "outcome")) == SUBSCRIBED
    assert scale.subscribe(topic_of(device.id, "command")) == SUBSCRIBED
    for topic in ("#", "dg/v1/#", "$SYS/#", topic_of(other.id, "outcome"), topic_of(device.id, "readings")):
        assert scale.subscribe(topic) == NOT_SUBSCRIBED, topic
    ingest.publish(topic_of(other.id, "outcome"), b"not yours")
    ingest.publish(topic_of(device.id, "outcome"), b"yours")
    assert scale.until(lambda: bool(scale.messages))
    assert scale.messages == [(topic_of(device.id, "outcome"), b"yours")]


def test_releasing_a_device_disconnects_it_at_once_and_for_good(
    settings: Settings, responder: Any, pair: Make, release: Callable[[UUID], None], client: Make
) -> None:
    device, other = pair(), pair()
    scale, bystander = client(str(device.id), device.password), client(str(other.id), other.password)
    assert scale.connect() == ACCEPTED
    assert bystander.connect() == ACCEPTED
    release(device.id)
    started = time.monotonic()
    ended = asyncio.run(disconnect_device(settings, device.id))
    took = time.monotonic() - started
    assert ended >= 1  # what tries again at once may be ended in the middle of its CONNECT, too
    assert scale.until(lambda: len(scale.codes) > 1), "paho did not try again"
    assert set(scale.codes[1:]) == {REFUSED}
    assert (bystander.disconnects, took < 6) == (0, True)


@pytest.mark.slow  # the second look comes after five seconds
def test_a_connection_that_slipped_past_the_first_look_is_ended_by_the_second(settings: Settings, client: Make) -> None:
    device = uuid4()
    url = urlsplit(settings.mqtt_url)
    late = client(str(url.username), str(url.password), str(device))  # the one client that needs no responder

    async def release() -> int:
        ending = asyncio.create_task(disconnect_device(settings, device))
        await asyncio.sleep(1)
        assert await asyncio.to_thread(late.connect) == ACCEPTED
        return await ending

    assert asyncio.run(release()) == 1
    assert late.until(lambda: late.disconnects == 1)


def test_without_a_responder_nobody_gets_in(broker: EmbeddedBroker, pair: Make, client: Make) -> None:
    device = pair()
    assert client(str(device.id), device.password).connect() == REFUSED


def test_any_of_several_responders_answers(make_responder: Make, pair: Make, client: Make) -> None:
    first, second, device = make_responder(), make_responder(), pair()
    assert client(str(device.id), device.password).connect() == ACCEPTED
    first.stop()
    assert client(str(device.id), device.password).connect() == ACCEPTED
    second.stop()


def test_the_responder_survives_a_restart_of_the_broker(
    broker: EmbeddedBroker, responder: Any, pair: Make, client: Make
) -> None:
    device = pair()
    port = broker.mqtt_port
    broker.kill()
    broker.start()
    assert broker.mqtt_port == port
    assert _connects_within(10, client, device)


def test_the_responder_survives_that_the_database_ends_its_connections(
    responder: Any, postgres: Any, database: str, pair: Make, client: Make
) -> None:
    device = pair()
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (database,),
        )
    assert client(str(device.id), device.password).connect() == ACCEPTED


def test_what_was_acknowledged_while_ingestion_was_away_survives_kill_9(
    broker: EmbeddedBroker, ingest: Any, responder: Any, pair: Make, client: Make
) -> None:
    ingest.close()
    device = pair()
    scale = client(str(device.id), device.password)
    assert scale.connect() == ACCEPTED
    sent = [json.dumps({"n": number}).encode() for number in range(200)]
    for payload in sent:
        scale.client.publish(topic_of(device.id, "readings"), payload, 1)
    assert scale.until(lambda: scale.published == len(sent))
    broker.kill()
    broker.start()
    url = urlsplit(broker.runtime()["mqtt_url"])
    back = client(str(url.username), str(url.password), "ingest-0", clean=False)
    assert back.connect() == ACCEPTED
    assert back.until(lambda: len(back.messages) >= len(sent), 15)
    assert [payload for _, payload in back.messages] == sent


def test_secrets_are_readable_by_their_user_only(broker: EmbeddedBroker, tmp_path: Path) -> None:
    for name in ("nats.conf", "secrets.json"):
        assert stat.S_IMODE((tmp_path / "broker" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            EmbeddedBroker(tmp_path, port).start()


def test_no_log_holds_a_password(
    responder: Any, pair: Make, client: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    device = pair()
    assert client(str(device.id), device.password).connect() == ACCEPTED
    assert client(str(device.id), "a-wrong-password").connect() == REFUSED
    of_broker = (tmp_path / "broker" / "server.log").read_text()
    of_responder = "".join(capfd.readouterr())
    assert "authentication error" in of_broker
    assert str(device.id) in of_responder
    for log in (of_broker, of_responder):
        assert device.password not in log
        assert "a-wrong-password" not in log


def _connects_within(seconds: float, client: Make, device: Any) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if client(str(device.id), device.password).connect() == ACCEPTED:
            return True
        time.sleep(0.2)
    return False
