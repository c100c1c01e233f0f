"""Emptying a broker's preloaded queue into committed rows, beside a paho-mqtt consumer that counts and acknowledges.

Both are processes of their own and empty a session of Mosquitto that waits with the same messages; ours is
`device-gateway ingest`. Mosquitto keeps them in memory: what a broker's disk takes is not ours to measure. A rate is
that of the messages between the first tenth and the last, so that no start counts. Ours and bare alternate.
"""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import msgspec
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import Connection

from benchmarks.figure import Figure
from benchmarks.write_path import new_device
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import connect
from device_gateway.devices.topics import sent_filters, topic_of
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.message import Message
from device_gateway.ingest.slots import client_id, shards

DEVICES = 64
SINGLE, FIFTY = 8_000, 1_200  # messages of a round: a second or two
PER_MESSAGE = 50
ROUNDS = 3
WARM = 0.1  # of the messages, before the clock starts
PATIENCE_S = 120.0
LOOK_S = 0.02
BARE = "bare-paho"
CONFIGURATION = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 65000
max_inflight_messages 1000
"""
STORED = "SELECT coalesce(sum(stored), 0) AS n FROM gateway.device_activity"
START = datetime.now(UTC) - timedelta(days=20)


@dataclass
class Stage:
    """The parts that all figures share."""

    directory: Path
    postgres: EmbeddedPostgres
    port: int
    devices: Sequence[UUID]
    owner: Connection[Any]
    seconds: int = 0  # every reading has a time of its own

    def payloads(self, count: int, readings: int, answered: bool) -> list[tuple[UUID, bytes]]:
        made = []
        for number in range(count):
            items = [
                {"metric": "interstitial-glucose", "value": str(70 + (number + index) % 200), "unit": "mg/dL",
                 "at": self._at().isoformat(), "seq": index}
                for index in range(readings)
            ]  # fmt: skip
            name = {"message_id": str(uuid4())} if answered else {}
            body = msgspec.json.encode({**name, "readings": items})
            made.append((self.devices[number % len(self.devices)], body))
        return made

    def _at(self) -> datetime:
        self.seconds += 1
        return START + timedelta(seconds=self.seconds)


def run() -> list[Figure]:
    with TemporaryDirectory(prefix="dg-bench-") as directory, staged(Path(directory)) as stage:
        return [*_singles(stage), *_fifties(stage)]


def _singles(stage: Stage) -> Iterator[Figure]:
    """One reading in a message; with outcomes, each message is answered as well."""
    pairs: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for answered, found in pairs.items():
            bare, ours = _both(stage, stage.payloads(SINGLE, 1, answered))
            found.append((ours, bare))
    how = "one reading per message, preloaded queue to COMMIT; limit: bare paho-mqtt that counts and acknowledges"
    yield _figure("mqtt-1-per-message-vs-paho", pairs[False], "messages/s", how)
    yield _figure("mqtt-1-answered-vs-paho", pairs[True], "messages/s", how.replace("COMMIT", "COMMIT and outcome"))


def _fifties(stage: Stage) -> Iterator[Figure]:
    """Fifty readings in a message, beside the write path alone; and two workers beside one."""
    found, two = [], []
    for _ in range(ROUNDS):
        alone = _write_path(stage)
        rate = _ours(stage, stage.payloads(FIFTY, PER_MESSAGE, True), PER_MESSAGE)
        found.append((rate, alone))
        two.append((_ours(stage, stage.payloads(FIFTY, PER_MESSAGE, True), PER_MESSAGE, workers=2), rate))
    yield _figure(
        "mqtt-50-per-message", found, "readings/s", "50 readings per message, answered; limit: the write path alone"
    )
    yield _figure("mqtt-two-workers", two, "readings/s", "the same with two workers; limit: with one")


def _figure(name: str, pairs: Sequence[tuple[float, float]], unit: str, how: str) -> Figure:
    ours, limit = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Figure(name, round(ours), round(limit), round(statistics.median(a / b for a, b in pairs), 3), unit, how)


def _both(stage: Stage, payloads: Sequence[tuple[UUID, bytes]]) -> tuple[float, float]:
    """(rate of the bare consumer, ours), both in messages a second."""
    session(stage, BARE)
    rate = _ours(stage, payloads, 1)
    command = [sys.executable, "-m", "benchmarks.bare_consumer", str(stage.port), BARE, str(len(payloads)), str(WARM)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    _session_ends(stage, BARE)
    return float(answer.stdout), rate


def _ours(stage: Stage, payloads: Sequence[tuple[UUID, bytes]], readings: int, workers: int = 1) -> float:
    """Messages, or readings, a second."""
    sessions = [client_id(slot) for slot in range(workers)]
    for slot, name in enumerate(sessions):
        session(stage, name, sent_filters(shards(slot, workers)))
    _publish(stage, payloads)
    before = stage.owner.execute(STORED).fetchone().n
    total = len(payloads) * readings
    with ingesting(stage, workers):
        first = _when(stage, before + total * WARM)
        last = _when(stage, before + total)
    for name in sessions:
        _session_ends(stage, name)
    return (last[1] - first[1]) / (last[0] - first[0])


def _when(stage: Stage, wanted: float) -> tuple[float, int]:
    """(when at least `wanted` readings were stored, how many)."""
    deadline = time.monotonic() + PATIENCE_S
    while (stored := stage.owner.execute(STORED).fetchone().n) < wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{stored} readings of {wanted} were stored in {PATIENCE_S} s")
        time.sleep(LOOK_S)
    return time.perf_counter(), int(stored)


def _write_path(stage: Stage) -> float:
    """Readings a second through `BatchWriter` alone, the messages in memory, in batches as a worker takes them."""
    with connect(stage.postgres.url("gateway_ingest"), "gateway_ingest") as connection:
        writer = BatchWriter(connection, 90)
        now = datetime.now(UTC)
        batches = [
            [
                Message(topic_of(device, "readings"), body, now)
                for device, body in stage.payloads(200, PER_MESSAGE, True)
            ]
            for _ in range(FIFTY // 200 + 1)
        ]
        writer.commit(batches.pop())
        begun = time.perf_counter()
        for batch in batches:
            writer.commit(batch)
        return len(batches) * 200 * PER_MESSAGE / (time.perf_counter() - begun)


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    port = _free_port()
    path = directory / "mosquitto.conf"
    path.write_text(CONFIGURATION.format(port=port), "utf-8")
    postgres = EmbeddedPostgres(directory)
    postgres.start()
    with (directory / "mosquitto.log").open("wb") as log:
        broker = subprocess.Popen([program, "-c", str(path)], stdout=log, stderr=log)
    try:
        migrate(postgres.url("gateway_owner"))
        _until(lambda: _answers(port))
        with connect(postgres.url("gateway_owner"), "gateway_owner") as owner:
            yield Stage(directory, postgres, port, [new_device(owner) for _ in range(DEVICES)], owner)
    finally:
        broker.terminate()
        broker.wait()
        postgres.stop()


@contextmanager
def ingesting(stage: Stage, workers: int) -> Iterator[None]:
    settings = {
        "DATABASE_URL": stage.postgres.url("gateway_ingest"), "MQTT_URL": f"mqtt://127.0.0.1:{stage.port}",
        "INGEST_SLOTS": str(workers), "DATA_DIR": str(stage.directory), "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    environment = os.environ | {f"DEVICE_GATEWAY_{name}": value for name, value in settings.items()}
    program = Path(sys.executable).with_name("device-gateway")
    running = [
        subprocess.Popen([program, "ingest"], env=environment, stdout=subprocess.DEVNULL) for _ in range(workers)
    ]
    try:
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(30)


def session(stage: Stage, name: str, filters: Sequence[str] = ("dg/v1/#",)) -> None:
    """A persistent session at the broker that nobody is connected to."""
    client = new_client(name, clean=False)
    subscribed: list[int] = []
    client.on_subscribe = lambda *_: subscribed.append(1)
    client.on_connect = lambda *_: client.subscribe([(topic, 1) for topic in filters])
    client.connect("127.0.0.1", stage.port)
    client.loop_start()
    _until(lambda: bool(subscribed))
    client.disconnect()
    client.loop_stop()


def _session_ends(stage: Stage, name: str) -> None:
    client = new_client(name, clean=True)
    ended: list[int] = []
    client.on_connect = lambda *_: ended.append(1)
    client.connect("127.0.0.1", stage.port)
    client.loop_start()
    _until(lambda: bool(ended))
    client.disconnect()
    client.loop_stop()


def _publish(stage: Stage, payloads: Sequence[tuple[UUID, bytes]]) -> None:
    client = new_client("publisher", clean=True)
    client.max_inflight_messages_set(500)
    client.connect("127.0.0.1", stage.port)
    client.loop_start()
    for device, body in payloads:
        last = client.publish(topic_of(device, "readings"), body, qos=1)
    last.wait_for_publish(PATIENCE_S)
    _until(lambda: not client.want_write())
    client.disconnect()
    client.loop_stop()


def new_client(name: str, *, clean: bool) -> mqtt.Client:
    return mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the broker does not answer")
        time.sleep(0.005)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
