"""The embedded broker with TLS: its certificate, and devices that sign in with one of their own."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from cryptography import x509

from device_gateway.broker.control import connections, disconnect_device, end, system_connection
from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.broker.listener import Listener, Tls, local_names
from device_gateway.devices.authority import Authority
from device_gateway.devices.topics import topic_of
from device_gateway.settings import Settings
from device_gateway.transports.edge.messages import event_message
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.state import configure, opened
from device_gateway.transports.mqtt.tls import tls_context

ACCEPTED, REFUSED = 0, 135
Make = Callable[..., Any]


@pytest.fixture
def broker(tmp_path: Path, authority: Authority, request: pytest.FixtureRequest) -> Iterator[EmbeddedBroker]:
    """One that asks for certificates, unless the test says otherwise."""
    tls = Tls(tmp_path / "authority", local_names(), clients=getattr(request, "param", True))
    server = EmbeddedBroker(tmp_path, listener=Listener(tls=tls))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(broker: EmbeddedBroker, clients: Make, authority: Authority, tmp_path: Path) -> Make:
    """Makes clients; by default they show the certificate of ingestion."""

    def client(user: str, password: str | None, *more: Any, shows: Path | None = None, **options: Any) -> Any:
        certificate = shows or tmp_path / "broker" / "ingest.pem"
        return clients(
            broker.mqtt_port, user, password, *more, **options, tls=tls_context(authority.ca_file, certificate)
        )

    return client


def test_a_device_signs_in_with_its_certificate_and_without_a_password(
    ingest: Any, responder: Any, pair: Make, client: Make, certify: Make
) -> None:
    device = pair()
    _, file = certify(device.id)
    scale = client(str(device.id), None, shows=file)
    assert scale.connect() == ACCEPTED
    scale.publish(topic_of(device.id, "readings"), b"{}")
    assert ingest.until(lambda: ingest.messages == [(topic_of(device.id, "readings"), b"{}")])
    assert client(str(device.id), device.password, shows=file).connect() == ACCEPTED


@pytest.mark.parametrize(
    "flaw", ["another's certificate", "unknown serial", "revoked", "wrong password", "of ingestion", "released"]
)
def test_a_certificate_that_is_not_the_devices_own_and_current_one_is_refused(
    flaw: str, *, responder: Any, pair: Make, client: Make, certify: Make, owner_url: str, release: Make, tmp_path: Path
) -> None:
    device, password = pair(), None
    issued, file = certify(device.id, known=flaw != "unknown serial")
    match flaw:
        case "another's certificate":
            _, file = certify(pair().id)
            password = device.password
        case "revoked":
            with psycopg.connect(owner_url) as connection:
                connection.execute(
                    "UPDATE gateway.device_certificate SET revoked_at = now() WHERE serial = %s", (issued.serial,)
                )
        case "wrong password":
            password = "guess"
        case "of ingestion":
            file = tmp_path / "broker" / "ingest.pem"
            password = device.password
        case "released":
            release(device.id)
    assert client(str(device.id), password, shows=file).connect() == REFUSED


def test_without_a_certificate_of_the_authority_nobody_speaks_mqtt_at_all(
    *, responder: Any, pair: Make, certify: Make, authority: Authority, tmp_path: Path, broker: EmbeddedBroker
) -> None:
    device = pair()
    _, foreign = certify(device.id, by=Authority(tmp_path / "other"))
    for shown in (None, foreign):
        assert _connack(broker.mqtt_port, device, tls_context(authority.ca_file, shown)) == b""
    assert _connack(broker.mqtt_port, device, None) == b"", "the listener speaks MQTT without TLS"
    _, own = certify(device.id)
    assert _connack(broker.mqtt_port, device, tls_context(authority.ca_file, own)) == b"\x20\x02\x00\x00"


def test_an_edge_sends_with_its_certificate_and_comes_back_with_the_next_one(
    *,
    broker: EmbeddedBroker,
    settings: Settings,
    ingest: Any,
    responder: Any,
    pair: Make,
    certify: Make,
    authority: Authority,
    owner_url: str,
    tmp_path: Path,
) -> None:
    device = pair("edge")
    issued, file = certify(device.id)
    home, url = tmp_path / "home", f"mqtts://127.0.0.1:{broker.mqtt_port}"
    configure(home, edge_id=str(device.id), mqtt_url=url, password="", ca=authority.ca_file, certificate=file)

    def told() -> bytes:
        return b" ".join(payload for topic, payload in ingest.messages if topic == topic_of(device.id, "event"))

    async def send() -> None:
        with opened(home) as state:
            publisher = Publisher(state.edge(), state)
            publisher.tell(event_message("started", datetime.now(UTC)))
            sending = asyncio.create_task(publisher.run())
            assert await asyncio.to_thread(ingest.until, lambda: b"started" in told())
            file.write_bytes(certify(device.id)[1].read_bytes())  # as it does when it renews
            with psycopg.connect(owner_url) as connection:
                connection.execute(
                    "UPDATE gateway.device_certificate SET revoked_at = now() WHERE serial = %s", (issued.serial,)
                )
            system = await system_connection(settings, "test")
            [one] = await connections(system, {"user": str(device.id)}, servers=1)
            await end(system, one)
            await system.close()
            publisher.tell(event_message("synced", datetime.now(UTC)))
            assert await asyncio.to_thread(ingest.until, lambda: b"synced" in told()), "it shows the old one"
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(send())


def test_releasing_a_device_revokes_its_certificate_and_ends_its_connection(
    *, settings: Settings, responder: Any, pair: Make, release: Make, client: Make, certify: Make, owner_url: str
) -> None:
    device = pair()
    _, file = certify(device.id)
    scale = client(str(device.id), None, "a-client-id-of-a-product", shows=file)
    assert scale.connect() == ACCEPTED
    release(device.id)
    assert asyncio.run(disconnect_device(settings, device.id)) >= 1
    assert scale.until(lambda: len(scale.codes) > 1), "paho did not try again"
    assert set(scale.codes[1:]) == {REFUSED}
    with psycopg.connect(owner_url) as connection:
        assert connection.execute(
            "SELECT revoked_at IS NOT NULL FROM gateway.device_certificate WHERE device_id = %s", (device.id,)
        ).fetchall() == [(True,)]


@pytest.mark.parametrize("broker", [False], indirect=True)
def test_a_certificate_renewed_while_the_broker_runs_loses_no_message(
    *, broker: EmbeddedBroker, settings: Settings, ingest: Any, responder: Any, pair: Make, client: Make, tmp_path: Path
) -> None:
    device = pair()
    scale = client(str(device.id), device.password, clean=False)
    assert scale.connect() == ACCEPTED
    before = _served(broker)
    assert not broker.renew_certificate(), "it was renewed long before its end"
    due = Tls(tmp_path / "authority", [*local_names(), "another-name.local"])
    broker.listener = Listener(tls=due)
    for number in range(50):
        scale.client.publish(topic_of(device.id, "readings"), str(number).encode(), 1)
    assert broker.renew_certificate()
    for number in range(50, 100):
        scale.client.publish(topic_of(device.id, "readings"), str(number).encode(), 1)
    assert ingest.until(lambda: {int(payload) for _, payload in ingest.messages} == set(range(100)), 15)
    assert _served(broker) != before
    assert urlsplit(settings.mqtt_url).scheme == "mqtts"


def _served(broker: EmbeddedBroker) -> bytes:
    pem = ssl.get_server_certificate(("127.0.0.1", broker.mqtt_port), timeout=5)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number.to_bytes(20, "big")


def _connack(port: int, device: Any, tls: ssl.SSLContext | None) -> bytes:
    """What the broker says to a CONNECT of MQTT 3.1.1 (3.1); nothing when it ends the connection before."""
    name, password = str(device.id).encode(), device.password.encode()
    fields = b"".join(len(text).to_bytes(2, "big") + text for text in (name, name, password))
    body = b"\x00\x04MQTT\x04\xc2\x00\x1e" + fields
    with ExitStack() as stack:
        talk = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        try:
            if tls is not None:
                talk = stack.enter_context(tls.wrap_socket(talk, server_hostname="127.0.0.1"))
            talk.sendall(b"\x10" + _length(len(body)) + body)
            return talk.recv(4)
        except (ssl.SSLError, ConnectionError):
            return b""


def _length(size: int) -> bytes:
    return bytes([size & 0x7F | 0x80, size >> 7]) if size > 0x7F else bytes([size])  # MQTT 3.1.1, 2.2.3
