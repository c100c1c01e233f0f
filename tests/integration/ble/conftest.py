"""A virtual radio that all tests share, meters on it, and the gateway's own place there."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from ble_world import PASSKEY, Meter, Person, Program, edge_process, process_address
from edge_world import Broker, Gateway

from device_gateway.transports.ble.radio import Radio, open_radio
from device_gateway.transports.edge import state as edge_state
from device_simulators.ble.command import run_meter
from device_simulators.ble.glucose_meter import MeterOptions
from device_simulators.radio.air import run_air

ROOMY = 64 * 1024 * 1024

_addresses = itertools.count(1)


@pytest.fixture(scope="session")
def air() -> Iterator[str]:
    """The address of the radio."""
    with tempfile.TemporaryDirectory() as directory:
        program = Program(run_air, f"unix:{directory}/air.sock")
        yield program.ready("radio ready ").split()[-1]
        assert program.stop() == 0


@pytest.fixture
def start_meter(air: str) -> Iterator[Callable[..., Meter]]:
    """Starts a meter: `start_meter(records=300)`, at an address of its own unless one is given."""
    meters: list[Meter] = []

    def start(*, address: str | None = None, radio: str = air, **options: Any) -> Meter:
        address = address or process_address(next(_addresses))
        meter = Meter(address, Program(run_meter, radio, MeterOptions(address=address, passkey=PASSKEY, **options)))
        meters.append(meter)
        meter.program.ready("meter ready ")
        return meter

    yield start
    for meter in meters:
        meter.program.stop()


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
async def radio(air: str, tmp_path: Path, person: Person) -> AsyncIterator[Radio]:
    async with open_radio(air, tmp_path / "bonds.json", person) as radio:
        yield radio


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("mosquitto"))
    yield broker
    broker.kill()


@pytest.fixture
def gateway(broker: Broker) -> Iterator[Gateway]:
    gateway = Gateway(broker.port)
    yield gateway
    gateway.stop()


@pytest.fixture
def edge_id(tmp_path: Path, broker: Broker) -> str:
    """An edge that knows its broker."""
    edge_id = str(uuid4())
    edge_state.configure(tmp_path, edge_id=edge_id, mqtt_url=f"mqtt://127.0.0.1:{broker.port}", password="any")
    return edge_id


@pytest.fixture
def start_edge(air: str, tmp_path: Path, edge_id: str) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(limit_octets: int = ROOMY, radio: str = air) -> Program:
        program = Program(edge_process, tmp_path, radio, limit_octets)
        started.append(program)
        program.ready("edge")
        return program

    yield start
    for program in started:
        program.stop()
