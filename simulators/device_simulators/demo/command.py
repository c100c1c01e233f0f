"""`device-gateway demo`: start everything in its order, say where it is, keep it alive."""

import asyncio
import fcntl
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.errors import GatewayError, PortTaken
from device_gateway.settings import RUNTIME_FILE
from device_simulators.apps.app_descriptions import DESCRIPTIONS
from device_simulators.demo import people, report
from device_simulators.demo.catalogue import publish_apps
from device_simulators.demo.pairing import FREE_CODE_MINUTES, Pairing, claim_code
from device_simulators.demo.parts import Parts
from device_simulators.demo.supervision import Supervisor

DEMO_FILE = "demo.json"
HOST = "127.0.0.1"
WATCH_S = 0.2
SOCKET_PATH_MAX = 100  # bytes of a Unix socket's path that every system takes
XIAOMI_ADDRESS = "C8:47:8C:00:00:02"
FREE_CODES = 3  # claim codes per patient, for testers' own devices

console = Console()


class AlreadyRunning(GatewayError):
    """A demo runs in this directory already."""

    exit_code = 69


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the portal and the APIs.")] = 8000,
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where everything is kept.")] = Path(".demo"),
    reset: Annotated[
        bool, typer.Option("--reset", help="Begin anew: everything in the data directory is deleted.")
    ] = False,
) -> None:
    """Run the whole product here, with simulated devices, two sample apps and people to sign in as."""
    data_dir = data_dir.resolve()
    _check_port(port)
    stopping = _stop_on_signals()
    with _only_one(data_dir):
        if (reset or people.load(data_dir) is None) and not stopping():
            _empty(data_dir)  # a first start that was interrupted left half a world: begin anew
        Demo(data_dir, port, stopping).run()


class Demo:
    """One run, from nothing to everything and back."""

    def __init__(self, data_dir: Path, port: int, stopping: Callable[[], bool]) -> None:
        self._data_dir = data_dir
        self._port = port
        self._stopping = stopping
        self._base_url = f"http://{HOST}:{port}"
        self._radio = _radio_address(data_dir)
        self._postgres = EmbeddedPostgres(data_dir)
        self._broker = EmbeddedBroker(data_dir)
        self._parts = Parts(data_dir, self._base_url, self._radio)
        self._supervisor = Supervisor(lambda text: console.print(f"[yellow]{text}[/yellow]"))
        self._begun = time.monotonic()

    def run(self) -> None:
        with ExitStack() as stack:
            stack.callback((self._data_dir / DEMO_FILE).unlink, missing_ok=True)
            stack.callback((self._data_dir / RUNTIME_FILE).unlink, missing_ok=True)
            stack.callback(self._postgres.stop)
            stack.callback(self._broker.stop)
            stack.callback(self._supervisor.stop)
            try:
                self._start()
            except _Stopped:
                return
            while not self._stopping():
                self._watch()
                time.sleep(WATCH_S)
            console.print("Stopping…")

    def _start(self) -> None:
        with self._step("PostgreSQL"):
            self._postgres.start()
        with self._step("database schema"):
            migrate(self._postgres.url("gateway_owner"))
        with self._step("MQTT broker"):
            self._broker.start()
        self._write_runtime()
        with self._step("virtual radio, ingestion, jobs, HTTP"):
            children = [
                self._parts.radio(),
                self._parts.ingest(),
                self._parts.jobs(),
                self._parts.serve(HOST, self._port),
            ]
            for child in children:
                self._supervisor.start(child)
            for child in children:
                child.wait_ready()
        meter = self._parts.meter()
        with self._step("simulated glucose meter"):
            self._supervisor.start(meter)
            meter.wait_ready()
        known = people.load(self._data_dir) or self._first_time()
        with self._step("edge, simulated scale, sample apps"):
            self._start_users(known)
        ready_s = time.monotonic() - self._begun
        content = self._demo_json(known) | {"ready_seconds": round(ready_s, 1)}
        people.write_private(self._data_dir / DEMO_FILE, content)
        report.show(console, content, self._data_dir / DEMO_FILE, ready_s)

    def _first_time(self) -> dict[str, Any]:
        with self._step("people"):
            crowd = people.make_people(self._postgres.url("gateway_owner"))
        by_name = {person.username: person for person in crowd}
        with self._step("sample apps: application, review, approval"):
            ports = {description.command: _free_port() for description in DESCRIPTIONS}
            url = self._postgres.url("gateway_app")
            apps = asyncio.run(publish_apps(url, by_name["vendor"], by_name["reviewer"], ports))
        with self._step("pairing of devices"):
            devices = asyncio.run(self._pair(by_name))
        people.save(self._data_dir, crowd, devices, apps)
        known = people.load(self._data_dir)
        assert known is not None  # noqa: S101  # it was saved in the line before
        return known

    async def _pair(self, by_name: dict[str, people.DemoPerson]) -> list[dict[str, Any]]:
        url = self._postgres.url("gateway_app")
        alice = Pairing(self._base_url, url, by_name["alice"])
        bruno = Pairing(self._base_url, url, by_name["bruno"])
        devices = [await alice.stand_alone("dg-scale", "Bathroom scale")]
        devices += await alice.edge_with_meter(self._parts, self._data_dir, self._radio)
        hub = await bruno.stand_alone("theengs-hub", "OpenMQTTGateway")
        devices += [hub, await bruno.carried("xiaomi-scale", "Mi Scale", XIAOMI_ADDRESS, hub)]
        return devices

    def _start_users(self, known: dict[str, Any]) -> None:
        scale = next(device for device in known["devices"] if device["model"] == "dg-scale")
        mqtt_url = self._broker.runtime()["mqtt_public_url"]
        children = [
            self._parts.edge(),
            self._parts.scale(mqtt_url, scale["id"], scale["mqtt_password"], scale["topic"]),
            *(
                self._parts.app(app["command"], app["client_id"], app["client_secret"], urlsplit(app["url"]).port or 0)
                for app in known["apps"]
            ),
        ]
        for child in children:
            self._supervisor.start(child)
        for child in children:
            child.wait_ready()

    def _watch(self) -> None:
        """Whatever died is started again; what was acknowledged is on disk, so nothing is lost by it."""
        if not self._postgres.running:
            console.print("[yellow]PostgreSQL ended; starting it again[/yellow]")
            self._postgres.start()
            self._write_runtime()
        if not self._broker.running:
            console.print("[yellow]The broker ended; starting it again[/yellow]")
            self._broker.start()
            self._write_runtime()
        self._supervisor.tend()

    def _write_runtime(self) -> None:
        runtime = self._broker.runtime() | {
            "database_url": self._postgres.url("gateway_app"),
            "database_owner_url": self._postgres.url("gateway_owner"),
            "database_ingest_url": self._postgres.url("gateway_ingest"),
            "public_url": self._base_url,
            "radio": self._radio,
        }
        people.write_private(self._data_dir / RUNTIME_FILE, runtime)

    def _demo_json(self, known: dict[str, Any]) -> dict[str, Any]:
        def of(kind: str) -> list[dict[str, Any]]:
            return [
                {key: person[key] for key in ("username", "password", "space_id", "display_name") if person[key]}
                for person in known["people"]
                if person["kind"] == kind
            ]

        return {
            "base_url": self._base_url,
            "fhir_url": f"{self._base_url}/fhir",
            "mqtt": {"host": HOST, "port": self._broker.mqtt_port, "tls": False, "ca": None},
            "patients": of("patient"),
            "professionals": of("professional"),
            "reviewers": of("reviewer"),
            "vendors": of("vendor"),
            "operators": of("operator"),
            "devices": known["devices"],
            "claim_codes": asyncio.run(self._free_codes(known)),
            "apps": known["apps"],
            "radio": self._radio,
            "database_url": self._postgres.url("gateway_owner"),
        }

    async def _free_codes(self, known: dict[str, Any]) -> list[dict[str, str]]:
        codes = []
        for entry in known["people"]:
            person = people.DemoPerson(**entry)
            if person.kind != "patient":
                continue
            for number in range(1, FREE_CODES + 1):
                name = f"Tester's device {number}"
                url = self._postgres.url("gateway_app")
                code = await claim_code(url, person, name, people.since_long(), FREE_CODE_MINUTES)
                codes.append({"code": code, "space_id": str(person.space_id), "patient": person.username})
        return codes

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        if self._stopping():
            raise _Stopped
        begun = time.monotonic()
        with console.status(f"Starting {what}…"):
            yield
        console.print(f"[green]✓[/green] {what} [dim]{time.monotonic() - begun:.1f} s[/dim]", highlight=False)


class _Stopped(Exception):
    """Ctrl-C while starting."""


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} on {HOST} is in use; choose another one: make demo PORT={port + 1}"
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _radio_address(data_dir: Path) -> str:
    path = str(data_dir / "radio.sock")
    return f"unix:{path}" if len(path.encode()) <= SOCKET_PATH_MAX else f"tcp:{HOST}:{_free_port()}"


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Raises AlreadyRunning when another demo has the directory."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(f"A demo runs in {data_dir} already; use another DATA_DIR, or stop it.") from error
        yield


def _empty(data_dir: Path) -> None:
    for entry in data_dir.iterdir():
        if entry.name == "demo.lock":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _stop_on_signals() -> Callable[[], bool]:
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, remember)
    return lambda: bool(received)
