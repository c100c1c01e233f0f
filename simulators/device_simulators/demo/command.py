"""`device-gateway demo`: start everything in its order, say where it is, keep it alive."""

import asyncio
import fcntl
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.broker.listener import AUTHORITY, Listener, Tls, local_names
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.errors import GatewayError, PortTaken
from device_gateway.settings import RUNTIME_FILE
from device_gateway.transports.edge.state import reach_broker
from device_simulators.apps.app_descriptions import DESCRIPTIONS
from device_simulators.demo import people, report
from device_simulators.demo.catalogue import Applied, apply_with_apps, approve_apps, pass_tests
from device_simulators.demo.pairing import FREE_CODE_MINUTES, Pairing, claim_code
from device_simulators.demo.parts import CUFF_ADDRESS, METER_ADDRESS, METER_PASSKEY, Parts
from device_simulators.demo.supervision import Child, Supervisor

DEMO_FILE = "demo.json"
HOST = "127.0.0.1"
WATCH_S = 0.2
CERTIFICATE_EVERY_S = 3600.0  # the broker's certificate has a month left when it is renewed
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
    mqtt_tls: Annotated[
        bool, typer.Option("--mqtt-tls", help="MQTT with TLS, by a certificate authority made here.")
    ] = False,
) -> None:
    """Run the whole product here, with simulated devices, two sample apps and people to sign in as."""
    data_dir = data_dir.resolve()
    _check_port(port)
    stopping = _stop_on_signals()
    with _only_one(data_dir):
        if (reset or people.load(data_dir) is None) and not stopping():
            _empty(data_dir)  # a first start that was interrupted left half a world: begin anew
        Demo(data_dir, port, stopping, mqtt_tls=mqtt_tls).run()


class Demo:
    """One run, from nothing to everything and back."""

    def __init__(self, data_dir: Path, port: int, stopping: Callable[[], bool], *, mqtt_tls: bool) -> None:
        self._data_dir = data_dir
        self._port = port
        self._stopping = stopping
        self._base_url = f"http://{HOST}:{port}"
        self._radio = _radio_address(data_dir)
        self._postgres = EmbeddedPostgres(data_dir)
        self._mqtt_tls = mqtt_tls
        tls = Tls(data_dir / AUTHORITY, local_names()) if mqtt_tls else None
        self._broker = EmbeddedBroker(data_dir, listener=Listener(HOST, tls=tls))
        self._parts = Parts(data_dir, self._base_url, self._radio)
        self._supervisor = Supervisor(lambda text: console.print(f"[yellow]{text}[/yellow]"))
        self._begun = time.monotonic()
        self._look_at_certificate = self._begun + CERTIFICATE_EVERY_S

    def run(self) -> None:
        (self._data_dir / DEMO_FILE).unlink(missing_ok=True)  # of a run that was killed: its presence means "ready"
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
        parts = self._parts
        devices_on_air = [parts.radio(), parts.meter(), parts.cuff()]
        servers = [parts.serve(HOST, self._port), parts.ingest(), *devices_on_air, parts.jobs()]
        for child in servers:
            self._supervisor.start(child)
        known = people.load(self._data_dir)
        crowd = self._people(known)  # what needs only the database is made while the servers start
        applied = [] if known else self._apply(crowd)
        apps = known["apps"] if known else [app.entry for app in applied]
        samples = [
            parts.app(app["command"], app["client_id"], app["client_secret"], urlsplit(app["url"]).port or 0)
            for app in apps
        ]
        for child in samples:
            self._supervisor.start(child)
        self._await("HTTP, ingestion, jobs, virtual radio, glucose meter, blood pressure cuff", servers)
        with ThreadPoolExecutor(1) as beside:
            tested = beside.submit(self._test, crowd, applied, samples)
            devices = known["devices"] if known else self._devices(crowd)
            if applied:
                self._approve(crowd, applied, tested)
        self._point_edge()
        codes = self._codes(crowd, known["claim_codes"] if known else [])
        people.save(self._data_dir, list(crowd.values()), devices, apps, codes)
        users = [parts.edge(), self._scale(devices)]
        for child in users:
            self._supervisor.start(child)
        self._await("edge, smart scale, sample apps", [*users, *samples])
        ready_s = time.monotonic() - self._begun
        content = self._demo_json(crowd, devices, apps, codes) | {"ready_seconds": round(ready_s, 1)}
        people.write_private(self._data_dir / DEMO_FILE, content)
        report.show(console, content, self._data_dir / DEMO_FILE, ready_s)

    def _people(self, known: dict[str, Any] | None) -> dict[str, people.DemoPerson]:
        with self._step("people"):
            crowd = (
                [people.DemoPerson(**person) for person in known["people"]]
                if known
                else people.make_people(self._postgres.url("gateway_owner"))
            )
        return {person.username: person for person in crowd}

    def _apply(self, crowd: dict[str, people.DemoPerson]) -> list[Applied]:
        with self._step("sample apps: application, evaluation"):
            free = (port for port in range(self._port + 1, 65536) if _is_free(port))  # 8001, 8002 beside 8000
            ports = {description.command: next(free, None) or _free_port() for description in DESCRIPTIONS}
            url = self._postgres.url("gateway_app")
            return asyncio.run(apply_with_apps(url, crowd["vendor"], (crowd["reviewer"], crowd["reviewer2"]), ports))

    def _test(self, crowd: dict[str, people.DemoPerson], applied: list[Applied], samples: list[Child]) -> None:
        """Beside the pairing of devices: neither needs the other."""
        if applied:
            for child in samples:
                child.wait_ready()
            pass_tests(self._base_url, crowd["vendor"], applied)

    def _approve(self, crowd: dict[str, people.DemoPerson], applied: list[Applied], tested: "Future[None]") -> None:
        with self._step("sample apps: interoperability tests"):
            wait([tested])
        with self._step("sample apps: approval"):
            tested.result()
            reviewers = crowd["reviewer"], crowd["reviewer2"]
            asyncio.run(approve_apps(self._postgres.url("gateway_app"), crowd["vendor"], reviewers, applied))

    def _devices(self, crowd: dict[str, people.DemoPerson]) -> list[dict[str, Any]]:
        with self._step("pairing of devices"):
            return asyncio.run(self._pair(crowd))

    def _point_edge(self) -> None:
        """The edge of an earlier start finds the broker where it is now, with TLS or without."""
        runtime = self._broker.runtime()
        ca = runtime.get("mqtt_ca")
        reach_broker(self._data_dir, runtime["mqtt_public_url"], Path(ca) if ca else None)

    def _scale(self, devices: list[dict[str, Any]]) -> Child:
        scale = next(device for device in devices if device["model"] == "dg-scale" and device.get("in_use"))
        runtime = self._broker.runtime()
        return self._parts.scale(runtime["mqtt_public_url"], runtime.get("mqtt_ca"), scale)

    def _await(self, what: str, children: list[Child]) -> None:
        with self._step(what):
            for child in children:
                child.wait_ready()

    async def _pair(self, crowd: dict[str, people.DemoPerson]) -> list[dict[str, Any]]:
        url = self._postgres.url("gateway_app")
        alice = Pairing(self._base_url, url, crowd["alice"])
        bruno = Pairing(self._base_url, url, crowd["bruno"])
        # A broker knows one session per device: who tries the credentials of a simulated one would fight for it.
        devices = [await alice.stand_alone("dg-scale", "Travel scale")]
        devices += [await alice.stand_alone("dg-scale", "Bathroom scale") | {"in_use": True}]
        edge = await alice.edge(self._data_dir)
        here = self._data_dir, self._radio, edge
        devices += [
            edge,
            await alice.beside_edge(*here, "Glucose meter", METER_ADDRESS, METER_PASSKEY),
            await alice.beside_edge(*here, "Blood pressure cuff", CUFF_ADDRESS),
        ]
        hub = await bruno.stand_alone("theengs-hub", "OpenMQTTGateway")
        devices += [hub, await bruno.carried("xiaomi-mi-scale", "Mi Scale", XIAOMI_ADDRESS, hub)]
        return devices

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
        if time.monotonic() >= self._look_at_certificate:
            self._look_at_certificate = time.monotonic() + CERTIFICATE_EVERY_S
            self._broker.renew_certificate()
        self._supervisor.tend()

    def _write_runtime(self) -> None:
        runtime = self._broker.runtime() | {
            "database_url": self._postgres.url("gateway_app"),
            "database_owner_url": self._postgres.url("gateway_owner"),
            "database_ingest_url": self._postgres.url("gateway_ingest"),
            "public_url": self._base_url,
            "radio": self._radio,
            "bond_key": str(self._data_dir.absolute() / "bond.key"),
            "catalogue_key": str(self._data_dir.absolute() / "catalogue.key"),
        }
        people.write_private(self._data_dir / RUNTIME_FILE, runtime)

    def _demo_json(
        self,
        crowd: dict[str, people.DemoPerson],
        devices: list[dict[str, Any]],
        apps: list[dict[str, Any]],
        codes: list[dict[str, str]],
    ) -> dict[str, Any]:
        def of(kind: str) -> list[dict[str, Any]]:
            return [
                {"username": person.username, "password": person.password, "display_name": person.display_name}
                | ({"space_id": person.space_id} if person.space_id else {})
                for person in crowd.values()
                if person.kind == kind
            ]

        ca = self._broker.runtime().get("mqtt_ca")
        return {
            "base_url": self._base_url,
            "fhir_url": f"{self._base_url}/fhir",
            "mqtt": {"host": HOST, "port": self._broker.mqtt_port, "tls": self._mqtt_tls, "ca": ca},
            "patients": of("patient"),
            "professionals": of("professional"),
            "reviewers": of("reviewer"),
            "vendors": of("vendor"),
            "operators": of("operator"),
            "devices": devices,
            "claim_codes": codes,
            "apps": apps,
            "radio": self._radio,
            "database_url": self._postgres.url("gateway_owner"),
        }

    def _codes(self, crowd: dict[str, people.DemoPerson], former: list[dict[str, str]]) -> list[dict[str, str]]:
        """Those of a former start while they have a day to live, otherwise new ones."""
        if former and datetime.fromisoformat(former[0]["expires_at"]) > datetime.now(UTC) + timedelta(days=1):
            return former
        return asyncio.run(self._free_codes([person for person in crowd.values() if person.kind == "patient"]))

    async def _free_codes(self, patients: list[people.DemoPerson]) -> list[dict[str, str]]:
        codes = []
        expires_at = (datetime.now(UTC) + timedelta(minutes=FREE_CODE_MINUTES)).isoformat(timespec="seconds")
        url = self._postgres.url("gateway_app")
        for person in patients:
            for number in range(1, FREE_CODES + 1):
                name = f"Tester's device {number}"
                code = await claim_code(url, person, name, people.since_long(), FREE_CODE_MINUTES)
                codes.append(
                    {
                        "code": code,
                        "space_id": str(person.space_id),
                        "patient": person.username,
                        "expires_at": expires_at,
                    }
                )
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
    if not _is_free(port):
        raise PortTaken(f"Port {port} on {HOST} is in use; choose another one: make demo PORT={port + 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


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
