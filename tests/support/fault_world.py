"""A database, a broker and `device-gateway ingest` as processes that can be killed, and devices that do not give up."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import paho.mqtt.client as mqtt
import psycopg
from ingest_world import World, world_of
from paho.mqtt.enums import CallbackAPIVersion

from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.broker.mosquitto import Places, write_configuration
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.devices.credentials import new_password
from device_gateway.devices.topics import topic_of

PROGRAM = Path(sys.executable).with_name("device-gateway")
MOSQUITTO = Path("/usr/sbin/mosquitto")
START_S = 30  # a start that takes longer, on a busy machine, is a failure
UNACKNOWLEDGED_RETURN_S = 25  # the broker's ack_wait is 10 s; the rest is for a busy machine


def wait_until(condition: Callable[[], bool], seconds: float = START_S, what: str = "it") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


class Ingest:
    """One `device-gateway ingest`."""

    def __init__(self, settings: dict[str, str], directory: Path) -> None:
        self.log = directory / f"ingest-{uuid4().hex[:6]}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DEVICE_GATEWAY_")}
        environment |= {f"DEVICE_GATEWAY_{name.upper()}": value for name, value in settings.items()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "ingest"], stdout=subprocess.PIPE, stderr=log, env=environment, cwd=directory, text=True
            )
        self.ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == "ready ingest":
                self.ready.set()

    def wait_ready(self) -> "Ingest":
        assert self.ready.wait(START_S), f"ingest is not ready: {self.log.read_text()[-2000:]}"
        return self

    def said(self, event: str) -> bool:
        return event in self.log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()
        self.wait_end()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end()

    def peak_mb(self) -> int:
        """The most memory that it ever had, resident; 0 when it is gone."""
        path = Path(f"/proc/{self.process.pid}/status")
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)

    def wait_end(self) -> int:
        code = self.process.wait(30)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Sender:
    """A device with its own credentials. paho sends again what was not acknowledged, `insist` what was not answered."""

    def __init__(self, port: int, device: UUID, password: str) -> None:
        self.device = device
        self.sent: dict[str, bytes] = {}
        self.answers: dict[str, list[str]] = {}
        self.refusals: list[str] = []
        self._topic = topic_of(device, "readings")
        self._port = port
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=str(device), clean_session=False, reconnect_on_failure=True
        )
        client.username_pw_set(str(device), password)
        client.max_inflight_messages_set(100)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_message = self._on_message

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if reason.is_failure:
            self.refusals.append(str(reason))
        else:
            client.subscribe(topic_of(self.device, "outcome"), 1)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        answer = msgspec.json.decode(message.payload)
        self.answers[answer["message_id"]] = [line["outcome"] for line in answer["outcomes"]]

    def start(self) -> "Sender":
        self._client.connect_async("127.0.0.1", self._port, 30)
        self._client.loop_start()
        wait_until(self._client.is_connected, what="the device's connection")
        return self

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, *readings: dict[str, object]) -> str:
        """Returns the message id."""
        name = str(uuid4())
        self.sent[name] = msgspec.json.encode({"message_id": name, "readings": readings})
        self.publish(self.sent[name])
        return name

    def publish(self, payload: bytes, topic: str | None = None) -> None:
        self._client.publish(topic or self._topic, payload, qos=1)

    def insist(self, seconds: float = 60) -> None:
        """Send again what was not answered, until all is."""
        deadline = time.monotonic() + seconds
        while missing := self.sent.keys() - self.answers.keys():
            assert time.monotonic() < deadline, f"{len(missing)} of {len(self.sent)} messages were never answered"
            for name in missing:
                self.publish(self.sent[name])
            self.wait_for(self.sent, 5, strict=False)

    def wait_for(self, names: Iterable[str], seconds: float = START_S, *, strict: bool = True) -> None:
        """Until the messages are answered."""
        wanted = set(names)
        deadline = time.monotonic() + seconds
        while missing := wanted - self.answers.keys():
            if time.monotonic() > deadline:
                assert not strict, f"{len(missing)} of {len(wanted)} messages were not answered within {seconds} s"
                return
            time.sleep(0.02)

    def outcomes(self, name: str) -> list[str]:
        self.wait_for([name])
        return self.answers[name]


class Mosquitto:
    """Debian's Mosquitto with the files that are made for it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "mosquitto"
        self.password = new_password()
        self.port, self.ingest_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    def runtime(self) -> dict[str, str]:
        return {"mqtt_url": f"mqtt://ingest:{self.password}@127.0.0.1:{self.ingest_port}"}

    def configure(self, world: World) -> None:
        path = write_configuration(
            self.directory, world.connect(), self.password, Places(self.port, self.ingest_port), str(MOSQUITTO)
        )
        self._command = [str(MOSQUITTO), "-c", str(path)]

    def save_when_it_stops(self) -> None:
        """2.0 can only write its whole store: after each change, with many messages in it, takes for ever."""
        path = self.directory / "mosquitto.conf"
        text = path.read_text("utf-8").replace("autosave_on_changes true", "autosave_on_changes false")
        path.write_text(re.sub(r"^autosave_interval .*$", "autosave_interval 3600", text, flags=re.MULTILINE), "utf-8")
        self.reload()

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(lambda: _answers(self.port) and _answers(self.ingest_port), what="Mosquitto's start")

    def reload(self) -> None:
        """Passwords and rights anew."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Orderly: what it acknowledged is on disk."""
        if self._process:
            self._process.terminate()
            self._process.wait()

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


@dataclass
class Stack:
    """What a gateway consists of but for HTTP. Everything that was started is stopped in the end."""

    directory: Path
    postgres: EmbeddedPostgres
    broker: EmbeddedBroker | Mosquitto
    world: World
    ingests: list[Ingest] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)

    @property
    def mqtt_port(self) -> int:
        return self.broker.mqtt_port if isinstance(self.broker, EmbeddedBroker) else self.broker.port

    def ingest(self, **settings: str) -> Ingest:
        started = Ingest(
            {"database_ingest_url": self.world.ingest_url, **self.broker.runtime(), **settings}, self.directory
        )
        self.ingests.append(started)
        return started

    def sender(self, space: UUID, **more: str) -> Sender:
        """A device of `space`, connected."""
        password = new_password()
        device = self.world.device(space, password=password, **more)
        if isinstance(self.broker, Mosquitto):
            self.broker.configure(self.world)
            self.broker.reload()
        self.senders.append(Sender(self.mqtt_port, device, password).start())
        return self.senders[-1]

    def end_senders(self) -> None:
        while self.senders:
            self.senders.pop().stop()

    def end_ingests(self) -> None:
        while self.ingests:
            ingest = self.ingests.pop()
            if ingest.process.poll() is None:
                ingest.stop()

    def stored(self, space: UUID) -> int:
        return int(
            self.world.one(
                "SELECT count(*) FROM gateway.reading r JOIN gateway.series s ON s.id = r.series WHERE s.space_id = %s",
                space,
            )
        )

    def logs(self) -> dict[str, str]:
        """Everything that any process wrote into a log."""
        paths = [*self.directory.rglob("*.log"), *self.directory.rglob("log")]
        return {str(path.relative_to(self.directory)): path.read_text("utf-8", "replace") for path in paths}


@contextmanager
def stack_of(directory: Path, *, mosquitto: bool = False, slots: int = 1) -> Iterator[Stack]:
    postgres = EmbeddedPostgres(directory)
    postgres.start()
    try:
        migrate(postgres.url("gateway_owner"))
        with world_of(postgres.url("gateway_owner"), postgres.url("gateway_ingest")) as world:
            broker = Mosquitto(directory) if mosquitto else EmbeddedBroker(directory, slots=slots)
            if isinstance(broker, Mosquitto):
                broker.configure(world)
            broker.start()
            stack = Stack(directory, postgres, broker, world)
            try:
                yield stack
            finally:
                stack.end_senders()
                stack.end_ingests()
                broker.kill()
    finally:
        postgres.stop()


def locks_waited_for(world: World) -> int:
    return int(world.one("SELECT count(*) FROM pg_locks WHERE NOT granted"))


def owner(world: World) -> psycopg.Connection[Any]:
    return psycopg.connect(world.owner_url)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        with closing(each):
            pass
    return ports
