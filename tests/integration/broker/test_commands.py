"""`device-gateway broker`, as an operator starts it."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from device_gateway.devices.authority import Authority
from device_gateway.transports.mqtt.tls import tls_context

ACCEPTED, REFUSED = 0, 135
Make = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a command that says when it is ready, and ends it as an operator would."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **settings: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "device_gateway", "broker", *arguments], stdout=subprocess.PIPE, text=True,
            env={f"DEVICE_GATEWAY_{name}": value for name, value in settings.items()} | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        started.append(process)
        assert process.stdout
        for line in process.stdout:
            if line == "ready broker\n":
                return process
        raise AssertionError(f"it ended with {process.wait()}")

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout
        process.stdout.close()


def test_the_embedded_broker_of_a_home_has_tls_and_says_where_it_is(
    start: Start, clients: Make, tmp_path: Path
) -> None:
    start("run", "--data-dir", str(tmp_path), MQTT_TLS="true", MQTT_LISTEN="127.0.0.1")
    runtime = json.loads((tmp_path / "runtime.json").read_text())
    url = urlsplit(runtime["mqtt_url"])
    assert (url.scheme, runtime["mqtt_ca"]) == ("mqtts", str(tmp_path / "authority" / "ca.pem"))
    tls = tls_context(Path(runtime["mqtt_ca"]))
    assert clients(url.port, str(url.username), str(url.password), "dg-check", tls=tls).connect() == ACCEPTED


@pytest.mark.slow
def test_mosquitto_lets_the_paired_in_and_the_released_out_within_moments(
    *, start: Start, clients: Make, pair: Make, release: Callable[[UUID], None], certify: Make, ingest_url: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    port, ingest_port, certificate_port = _free_port(), _free_port(), _free_port()
    start(
        "mosquitto", str(tmp_path / "m"), "--data-dir", str(tmp_path), "--run", "--port", str(port), "--ingest-port",
        str(ingest_port), "--certificate-port", str(certificate_port), DATABASE_INGEST_URL=ingest_url, MQTT_TLS="true",
    )  # fmt: skip
    tls = tls_context(Authority(tmp_path / "authority").ca_file)
    device = pair()
    deadline = time.monotonic() + 15
    while (scale := clients(port, str(device.id), device.password, tls=tls)).connect() == REFUSED:
        assert time.monotonic() < deadline, "a device just paired is not let in"
    release(device.id)
    assert scale.until(lambda: scale.disconnects > 0, 15), "a device just released stays"
    certified = pair()
    shown = tls_context(Authority(tmp_path / "authority").ca_file, certify(certified.id)[1])
    deadline = time.monotonic() + 15
    while (meter := clients(certificate_port, str(certified.id), None, tls=shown)).connect() == REFUSED:
        assert time.monotonic() < deadline, "a device just certified is not let in"
    release(certified.id)
    assert meter.until(lambda: meter.disconnects > 0, 15), "a device that had a certificate stays"
    password = (tmp_path / "m" / "ingest.password").read_text()
    assert clients(ingest_port, "ingest", password, "dg-check").connect() == ACCEPTED


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
