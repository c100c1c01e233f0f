"""The same rights on Mosquitto, with the files that the registry makes."""

import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from device_gateway.broker.listener import Tls, local_names
from device_gateway.broker.mosquitto import Places, write_configuration, write_devices
from device_gateway.database.pool import connect
from device_gateway.devices.authority import Authority
from device_gateway.devices.topics import hub_topic, sent_filters, topic_of
from device_gateway.transports.mqtt.tls import tls_context

MOSQUITTO = "/usr/sbin/mosquitto"
ACCEPTED, REFUSED = 0, 135
INGEST_PASSWORD = "of-ingestion"

Make = Callable[..., Any]


class Mosquitto:
    def __init__(self, directory: Path, ingest_url: str) -> None:
        self.directory = directory
        self.port, self.ingest_port = _free_port(), _free_port()
        self.places = Places(self.port, self.ingest_port)
        self._ingest_url = ingest_url

    def configure(self) -> Path:
        with connect(self._ingest_url, "gateway_ingest") as connection:
            return write_configuration(self.directory, connection, INGEST_PASSWORD, self.places, MOSQUITTO)

    def secure(self, authority: Authority) -> None:
        tls = Tls(authority.ca_file.parent, local_names())
        self.places = Places(self.port, self.ingest_port, _free_port(), tls=tls)

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", str(self.directory / "mosquitto.conf")], stderr=log)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.ingest_port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.directory / "log").read_text())

    def reload(self) -> None:
        """As `device-gateway broker mosquitto --run` does every second."""
        with connect(self._ingest_url, "gateway_ingest") as connection:
            assert write_devices(self.directory, connection, self.places.tls), "nothing changed"
            assert not write_devices(self.directory, connection, self.places.tls)
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def mosquitto(tmp_path: Path, ingest_url: str) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path, ingest_url)
    yield server
    server.kill()


@pytest.fixture
def ingest(mosquitto: Mosquitto, clients: Make) -> Callable[[], Any]:
    """Connects the session of ingestion and subscribes it."""

    def ingest() -> Any:
        watched = clients(mosquitto.ingest_port, "ingest", INGEST_PASSWORD, "dg-ingest-0", clean=False)
        assert watched.connect() == ACCEPTED
        for topic in sent_filters():
            assert watched.subscribe(topic) == 1
        return watched

    return ingest


def test_the_rights_are_those_of_the_embedded_broker(
    mosquitto: Mosquitto, ingest: Callable[[], Any], pair: Make, clients: Make
) -> None:
    device, other, hub = pair(), pair(), pair("hub")
    mosquitto.configure()
    mosquitto.start()
    heard = ingest()
    assert clients(mosquitto.port, str(device.id), "guess").connect() == REFUSED
    assert clients(mosquitto.port, str(other.id), device.password).connect() == REFUSED
    assert clients(mosquitto.port, "ingest", INGEST_PASSWORD).connect() == REFUSED
    assert clients(mosquitto.ingest_port, str(device.id), device.password).connect() == REFUSED
    scale = clients(mosquitto.port, str(device.id), device.password)
    gateway = clients(mosquitto.port, str(hub.id), hub.password)
    assert (scale.connect(), gateway.connect()) == (ACCEPTED, ACCEPTED)

    scale.publish(topic_of(other.id, "readings"), b"forged")
    scale.publish(topic_of(device.id, "outcome"), b"forged")
    gateway.publish(topic_of(hub.id, "readings"), b"forged")
    gateway.publish(hub_topic(hub.id, "theengs") + "/BTtoMQTT/AABBCCDDEEFF", b"{}")
    scale.publish(topic_of(device.id, "readings"), b"{}")
    assert heard.until(lambda: len(heard.messages) >= 2)
    assert sorted(heard.messages) == sorted(
        [(hub_topic(hub.id, "theengs") + "/BTtoMQTT/AABBCCDDEEFF", b"{}"), (topic_of(device.id, "readings"), b"{}")]
    )

    for topic in ("#", topic_of(other.id, "outcome"), topic_of(device.id, "outcome")):
        scale.subscribe(topic)  # Mosquitto grants it and then delivers nothing that may not be read
    heard.publish(topic_of(other.id, "outcome"), b"not yours")
    heard.publish(topic_of(device.id, "outcome"), b"yours")
    assert scale.until(lambda: bool(scale.messages))
    assert set(scale.messages) == {(topic_of(device.id, "outcome"), b"yours")}


def test_no_device_takes_over_the_session_of_ingestion(
    mosquitto: Mosquitto, ingest: Callable[[], Any], pair: Make, clients: Make
) -> None:
    device = pair()
    mosquitto.configure()
    mosquitto.start()
    heard = ingest()
    scale = clients(mosquitto.port, str(device.id), device.password, "dg-ingest-0", clean=False)
    assert scale.connect() == ACCEPTED
    scale.publish(topic_of(device.id, "readings"), b"{}")
    assert heard.until(lambda: bool(heard.messages))
    assert heard.disconnects == 0


def test_after_a_reload_the_paired_get_in_and_the_released_are_out(
    mosquitto: Mosquitto, pair: Make, release: Make, clients: Make
) -> None:
    leaves, stays = pair(), pair()
    mosquitto.configure()
    mosquitto.start()
    leaving, staying = (clients(mosquitto.port, str(d.id), d.password) for d in (leaves, stays))
    assert (leaving.connect(), staying.connect()) == (ACCEPTED, ACCEPTED)
    release(leaves.id)
    comes = pair()
    mosquitto.reload()
    assert leaving.until(lambda: leaving.disconnects > 0), "the released device stayed connected"
    assert clients(mosquitto.port, str(leaves.id), leaves.password).connect() == REFUSED
    assert clients(mosquitto.port, str(comes.id), comes.password).connect() == ACCEPTED
    assert staying.disconnects == 0


def test_what_was_acknowledged_while_ingestion_was_away_survives_kill_9_but_for_the_last(
    mosquitto: Mosquitto, ingest: Callable[[], Any], pair: Make, clients: Make
) -> None:
    """Mosquitto 2.0 acknowledges before it writes: the one message in between may be lost."""
    device = pair()
    mosquitto.configure()
    mosquitto.start()
    ingest().close()
    scale = clients(mosquitto.port, str(device.id), device.password)
    assert scale.connect() == ACCEPTED
    sent = [str(number).encode() for number in range(100)]
    for payload in sent:
        scale.publish(topic_of(device.id, "readings"), payload)
    mosquitto.kill()
    mosquitto.start()
    back = ingest()
    assert back.until(lambda: len(back.messages) >= len(sent) - 1)
    assert [payload for _, payload in back.messages][: len(sent) - 1] == sent[:-1]


def test_a_certificate_is_a_devices_name_and_ends_with_its_revocation(
    *, mosquitto: Mosquitto, ingest: Callable[[], Any], pair: Make, clients: Make, certify: Make, owner_url: str,
    authority: Authority,
) -> None:  # fmt: skip
    device, other = pair(), pair()
    issued, file = certify(device.id)
    mosquitto.secure(authority)
    mosquitto.configure()
    mosquitto.start()
    heard = ingest()

    def client(port: int, user: str, password: str | None, shows: Path | None) -> Any:
        return clients(port, user, password, tls=tls_context(authority.ca_file, shows))

    assert mosquitto.places.certificates
    assert client(mosquitto.port, str(other.id), other.password, None).connect() == ACCEPTED
    assert client(mosquitto.port, str(device.id), device.password, None).connect() == REFUSED
    scale = client(mosquitto.places.certificates, str(other.id), other.password, file)  # the name is the certificate's
    assert scale.connect() == ACCEPTED
    scale.publish(topic_of(other.id, "readings"), b"forged")
    scale.publish(topic_of(device.id, "readings"), b"{}")
    assert heard.until(lambda: heard.messages == [(topic_of(device.id, "readings"), b"{}")])

    scale.client.disconnect()
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "UPDATE gateway.device_certificate SET revoked_at = now() WHERE serial = %s", (issued.serial,)
        )
    mosquitto.reload()
    deadline = time.monotonic() + 10
    while _gets_in(client(mosquitto.places.certificates, str(device.id), None, file), mosquitto.places.certificates):
        assert time.monotonic() < deadline, "a revoked certificate is still good"


def _gets_in(device: Any, port: int) -> bool:
    """Refusal comes at the hand-shake, or with TLS 1.3 right behind it."""
    try:
        device.client.connect("127.0.0.1", port)
    except ssl.SSLError:
        return False
    device.client.loop_start()
    assert device.until(lambda: bool(device.codes or device.disconnects))
    device.client.disconnect()
    return bool(device.codes)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
