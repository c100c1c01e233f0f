"""`broker`: the embedded broker alone, Mosquitto kept in step with the registry, and their certificates."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from types import FrameType
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import psycopg
import typer
from cryptography import x509
from psycopg import Connection

from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.broker.ending import Revoked, end_sessions
from device_gateway.broker.keys import write_private
from device_gateway.broker.listener import (
    SERVER_CERTIFICATE,
    Tls,
    keep_server_certificate,
    listener_of,
    local_names,
    own_authority,
)
from device_gateway.broker.mosquitto import Places, write_configuration, write_devices
from device_gateway.commands.options import (
    AsJson,
    ConfigFile,
    DataDir,
    announce_ready,
    console,
    print_json,
    settings_of,
)
from device_gateway.database.pool import Row, connect
from device_gateway.errors import GatewayError
from device_gateway.settings import LOOPBACK, RUNTIME_FILE, Settings

app = typer.Typer(help="The MQTT broker: run the embedded one, keep a Mosquitto in step, look after certificates.")

LOOK_S = 1.0  # a device that was paired gets in, and a released one is out, within this
CERTIFICATE_EVERY_S = 3600.0
PASSWORD_FILE = "ingest.password"  # noqa: S105  # the name of a file


class MosquittoEnded(GatewayError):
    """Mosquitto ended by itself; its log is above."""

    exit_code = 69


@app.command()
def run(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Run the embedded broker until it is told to stop. Other processes find it by DATA_DIR/runtime.json."""
    settings = settings_of(data_dir, config)
    broker = EmbeddedBroker(settings.data_dir, slots=settings.ingest_slots, listener=listener_of(settings))
    wanted = _until_stopped()
    broker.start()
    try:
        _add_to_runtime(settings.data_dir, broker.runtime())
        announce_ready("broker")
        renewal = time.monotonic() + CERTIFICATE_EVERY_S
        while wanted():
            if not broker.running:
                console.print("[yellow]The broker ended; starting it again[/yellow]")
                broker.start()
            if time.monotonic() >= renewal:
                renewal = time.monotonic() + CERTIFICATE_EVERY_S
                broker.renew_certificate()
            time.sleep(LOOK_S)
    finally:
        broker.stop()


@app.command()
def certificates(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    directory: Annotated[
        Path | None, typer.Option(help="Where the broker's certificate and key are put; default: DATA_DIR/broker.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="Host name or address that clients use; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the authority and the broker's certificate where they are missing, renew what is due, say where they are."""
    settings = settings_of(data_dir, config)
    place = (directory or settings.data_dir / "broker").resolve()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    public = urlsplit(settings.mqtt_public_url).hostname or ""
    tls = Tls(own_authority(settings), local_names(*(name or []), public))
    made = keep_server_certificate(tls, place)
    there = x509.load_pem_x509_certificates((place / SERVER_CERTIFICATE).read_bytes())[0]
    found = {
        "authority": str(tls.authority / "ca.pem"), "certificate": str(place / SERVER_CERTIFICATE),
        "names": list(tls.names), "until": there.not_valid_after_utc, "made": made,
    }  # fmt: skip
    if as_json:
        print_json(found)
        return
    console.print(f"Devices trust {found['authority']}", highlight=False, soft_wrap=True)
    state = "made now" if made else "still good"
    console.print(f"{found['certificate']}: {state}, until {there.not_valid_after_utc:%Y-%m-%d}", soft_wrap=True)


@app.command()
def mosquitto(
    directory: Annotated[Path, typer.Argument(help="Where its files are written.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    host: Annotated[str, typer.Option(help="Address for devices; anything but loopback has TLS.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="For devices with a password.", min=1, max=65535)] = 1883,
    ingest_port: Annotated[int, typer.Option(help="For ingestion, on loopback.", min=1, max=65535)] = 1884,
    certificate_port: Annotated[
        int | None, typer.Option(help="For devices with a certificate; none by default.", min=1, max=65535)
    ] = None,
    program: Annotated[str, typer.Option(help="The Mosquitto to run.")] = "",
    start: Annotated[
        bool, typer.Option("--run", help="Run it too, and keep who may connect in step with the registry.")
    ] = False,
) -> None:
    """Write the files for a Mosquitto 2.x, or run one with them."""
    settings = settings_of(data_dir, config)
    program = (
        program or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or "mosquitto"
    )
    directory = directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    secure = settings.mqtt_tls or host != LOOPBACK or certificate_port is not None
    public = urlsplit(settings.mqtt_public_url).hostname or ""
    tls = Tls(own_authority(settings), local_names(host, public)) if secure else None
    places = Places(port, ingest_port, certificate_port, host, tls)
    password = _kept_password(directory)
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        file = write_configuration(directory, connection, password, places, program)
    console.print(f"{program} -c {file}", highlight=False, soft_wrap=True)
    console.print(
        f"DEVICE_GATEWAY_MQTT_URL=mqtt://ingest:…@{LOOPBACK}:{ingest_port} with the password in"
        f" {directory / PASSWORD_FILE}", highlight=False, soft_wrap=True,
    )  # fmt: skip
    if start:
        _run_mosquitto(settings, program, directory, places)


def _run_mosquitto(settings: Settings, program: str, directory: Path, places: Places) -> None:
    wanted, revoked = _until_stopped(), Revoked()
    child = subprocess.Popen([program, "-c", str(directory / "mosquitto.conf")])
    try:
        announce_ready("broker")
        seen: set[UUID] = set()  # revoked, and not yet in the list that Mosquitto has
        gone: set[UUID] = set()  # in that list
        while wanted():
            if child.poll() is not None:
                raise MosquittoEnded
            with suppress(OSError):  # it does not answer: they are ended when it does
                end_sessions(places.ingest, _kept_password(directory), gone)
                gone = set()
            with (
                suppress(psycopg.OperationalError),  # the database is away: who was let in stays
                connect(settings.ingest_url, "gateway_ingest") as connection,
            ):
                seen |= revoked.look(connection)
                if _changed(connection, directory, places.tls):
                    child.send_signal(signal.SIGHUP)
                gone, seen = gone | seen, set()
            time.sleep(LOOK_S)
    finally:
        child.terminate()
        child.wait()


def _changed(connection: Connection[Row], directory: Path, tls: Tls | None) -> bool:
    others = write_devices(directory, connection, tls)
    return bool(tls and keep_server_certificate(tls, directory)) or others


def _kept_password(directory: Path) -> str:
    """Of ingestion; made once."""
    file = directory / PASSWORD_FILE
    if not file.exists():
        write_private(file, token_urlsafe(24).encode())
    return file.read_text("ascii")


def _add_to_runtime(data_dir: Path, settings: dict[str, str]) -> None:
    file = data_dir / RUNTIME_FILE
    known = msgspec.json.decode(file.read_bytes(), type=dict[str, object]) if file.exists() else {}
    write_private(file, msgspec.json.encode(known | settings))


def _until_stopped() -> Callable[[], bool]:
    """Whether nobody has said to stop yet: SIGTERM or Ctrl-C."""
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return lambda: not told
