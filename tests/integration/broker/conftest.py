"""The embedded broker, its responder, devices in the registry, and MQTT clients that keep what they are told."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import paho.mqtt.client as mqtt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion

from device_gateway.broker.callout import run_callout
from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.database.pool import open_pool
from device_gateway.devices.authority import Authority, Issued, private_pem
from device_gateway.devices.credentials import hash_password, new_password
from device_gateway.devices.topics import sent_filters
from device_gateway.settings import Settings

WAIT_S = 5


class Paired(NamedTuple):
    id: UUID
    password: str


class Watched:
    """A paho client that remembers results; every wait ends."""

    def __init__(  # noqa: PLR0917  # who it is, and then how it comes
        self,
        port: int,
        user: str,
        password: str | None,
        client_id: str | None = None,
        clean: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id or user, clean_session=clean)
        self.client.username_pw_set(user, password)
        if tls is not None:
            self.client.tls_set_context(tls)
        self.client.reconnect_delay_set(0.1, 0.1)
        self.codes: list[int] = []
        self.messages: list[tuple[str, bytes]] = []
        self.published = 0
        self.disconnects = 0
        self.granted: list[list[int]] = []
        self._port = port
        self._changed = threading.Condition()
        self.client.on_connect = lambda _c, _u, _f, code, _p: self._note(lambda: self.codes.append(code.value))
        self.client.on_disconnect = lambda *_: self._note(self._lost)
        self.client.on_publish = lambda *_: self._note(self._acknowledged)
        self.client.on_message = lambda _c, _u, m: self._note(lambda: self.messages.append((m.topic, m.payload)))
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self._note(
            lambda: self.granted.append([code.value for code in codes])
        )

    def _note(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _lost(self) -> None:
        self.disconnects += 1

    def _acknowledged(self) -> None:
        self.published += 1

    def until(self, condition: Callable[[], bool], seconds: float = WAIT_S) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def connect(self) -> int:
        """The code of the first CONNACK."""
        self.client.connect("127.0.0.1", self._port, keepalive=30)
        self.client.loop_start()
        assert self.until(lambda: bool(self.codes)), "no CONNACK"
        return self.codes[0]

    def subscribe(self, topic: str) -> int:
        before = len(self.granted)
        self.client.subscribe(topic, 1)
        assert self.until(lambda: len(self.granted) > before), "no SUBACK"
        return self.granted[-1][0]

    def publish(self, topic: str, payload: bytes) -> None:
        """Returns when the broker has acknowledged it."""
        before = self.published
        self.client.publish(topic, payload, 1)
        assert self.until(lambda: self.published > before), "no PUBACK"

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def pair(owner_url: str) -> Callable[..., Paired]:
    """Puts a device that somebody holds into the registry."""

    def pair(kind: str = "device") -> Paired:
        device, password = uuid4(), new_password()
        with psycopg.connect(owner_url) as connection:
            connection.execute("INSERT INTO gateway.space DEFAULT VALUES")
            connection.execute(
                "INSERT INTO gateway.device (id, model, kind, credential) VALUES (%s, 'dg-scale', %s, %s)",
                (device, kind, hash_password(password)),
            )
            connection.execute(
                "INSERT INTO gateway.device_holding (device_id, space_id, during, name)"
                " SELECT %s, id, tstzrange(now(), NULL), 'test' FROM gateway.space LIMIT 1",
                (device,),
            )
        return Paired(device, password)

    return pair


@pytest.fixture
def release(owner_url: str) -> Callable[[UUID], None]:
    """Takes the device from its holder."""

    def release(device: UUID) -> None:
        with psycopg.connect(owner_url) as connection:
            connection.execute(
                "SELECT set_config('app.space', space_id::text, true) FROM gateway.device_holding WHERE device_id = %s",
                (device,),
            )
            assert connection.execute("SELECT gateway.device_release(%s)", (device,)).fetchone() == (True,)

    return release


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    server = EmbeddedBroker(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def settings(broker: EmbeddedBroker, ingest_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, database_ingest_url=ingest_url, **broker.runtime())


class Responder:
    """`run_callout` in a thread with a loop of its own, as in ingestion."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        ready = asyncio.Event()
        async with open_pool(self._settings.ingest_url, "gateway_ingest", size=2) as pool, asyncio.TaskGroup() as group:
            group.create_task(self._announce(ready))
            with suppress(asyncio.CancelledError):
                await run_callout(self._settings, pool, ready)

    async def _announce(self, ready: asyncio.Event) -> None:
        await ready.wait()
        self._listening.set()

    def start(self) -> None:
        self._thread.start()
        assert self._listening.wait(WAIT_S), "the responder does not listen"

    def stop(self) -> None:
        if self._thread.is_alive() and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(WAIT_S)
        self._loop.close()


@pytest.fixture
def make_responder(settings: Settings) -> Iterator[Callable[[], Responder]]:
    """Starts responders; those that still run are stopped at the end."""
    made: list[Responder] = []

    def make() -> Responder:
        made.append(Responder(settings))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def responder(make_responder: Callable[[], Responder]) -> Responder:
    return make_responder()


@pytest.fixture
def clients() -> Iterator[Callable[..., Watched]]:
    """Makes clients of the broker on a port, and closes them."""
    made: list[Watched] = []

    def client(port: int, user: str, password: str | None, *more: Any, **options: Any) -> Watched:
        made.append(Watched(port, user, password, *more, **options))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def client(broker: EmbeddedBroker, clients: Callable[..., Watched]) -> Callable[..., Watched]:
    """Makes clients of the embedded broker."""
    return partial(clients, broker.mqtt_port)


@pytest.fixture
def ingest(client: Callable[..., Watched], settings: Settings) -> Watched:
    """The session of ingestion, subscribed to everything that devices send."""
    url = urlsplit(settings.mqtt_url)
    watched = client(str(url.username), str(url.password), "ingest-0", clean=False)
    assert watched.connect() == 0
    for topic in sent_filters():
        assert watched.subscribe(topic) == 1
    return watched


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def certify(authority: Authority, owner_url: str, tmp_path: Path) -> Callable[..., tuple[Issued, Path]]:
    """A certificate for a device, known to the registry, in a file with its key."""

    def certify(device: UUID, by: Authority = authority, known: bool = True) -> tuple[Issued, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        issued = by.sign_client(key.public_key(), str(device), datetime.now(UTC))
        if known:
            with psycopg.connect(owner_url) as connection:
                connection.execute(
                    "INSERT INTO gateway.device_certificate (serial, device_id, until) VALUES (%s, %s, %s)",
                    (issued.serial, device, issued.until),
                )
        file = tmp_path / f"{issued.serial}.pem"
        file.write_bytes(private_pem(key) + issued.pem.encode())
        return issued, file

    return certify
