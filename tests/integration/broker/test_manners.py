"""What `doctor` says of a broker that is not ours."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_gateway.broker.mosquitto import Places, write_configuration
from device_gateway.database.pool import connect
from device_gateway.transports.mqtt.broker_url import BrokerUrl
from device_gateway.transports.mqtt.check import broker_faults

MOSQUITTO = "/usr/sbin/mosquitto"
Start = Callable[[Path, int], None]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(configuration: Path, port: int) -> None:
        processes.append(subprocess.Popen([MOSQUITTO, "-c", str(configuration)], stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("mosquitto did not start")

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_with_our_files_mosquitto_behaves(start: Start, ingest_url: str, tmp_path: Path) -> None:
    ports = [_free_port(), _free_port()]
    with connect(ingest_url, "gateway_ingest") as connection:
        file = write_configuration(tmp_path, connection, "of-ingestion", Places(*ports), MOSQUITTO)
    start(file, ports[1])
    assert broker_faults(BrokerUrl("127.0.0.1", ports[1], False, "ingest", "of-ingestion")) == []


def test_a_broker_that_lets_everybody_do_everything_is_told_of(start: Start, tmp_path: Path) -> None:
    port = _free_port()
    file = tmp_path / "open.conf"
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 10000\n")
    start(file, port)
    faults = broker_faults(BrokerUrl("127.0.0.1", port, False, None, None))
    assert [fault.split(":")[0] for fault in faults] == [
        "it lets in anybody without a name",
        "the user of ingestion may publish and read on any topic",
        "a message of 256 kB ends the connection",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
