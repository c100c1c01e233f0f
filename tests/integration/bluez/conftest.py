"""bleak as it is installed, on its BlueZ backend: a private bus, an `org.bluez` on it, meters on the air behind."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ble_world import PASSKEY, Meter, Program, process_address
from bluez_facade.private_bus import private_bus
from bluez_world import Daemon, Patient

from device_gateway.transports.ble.radio import Radio, open_radio
from device_simulators.ble.command import run_meter
from device_simulators.ble.glucose_meter import MeterOptions
from device_simulators.radio.air import run_air

_addresses = itertools.count(0x80)


@pytest.fixture(scope="session")
def air() -> Iterator[str]:
    """The address of the radio."""
    with tempfile.TemporaryDirectory() as directory:
        program = Program(run_air, f"unix:{directory}/air.sock")
        yield program.ready("radio ready ").split()[-1]
        assert program.stop() == 0


@pytest.fixture(scope="session")
def private_system_bus() -> Iterator[str]:
    with private_bus() as bus:
        yield bus.address


@pytest.fixture
def bus(private_system_bus: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of what this process takes for the system bus."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", private_system_bus)
    return private_system_bus


@pytest.fixture(scope="session")
def session_bluetoothd(private_system_bus: str, air: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(private_system_bus, air, tmp_path_factory.mktemp("bluetoothd") / "bonds.json")
    yield daemon
    daemon.kill()


@pytest.fixture
def bluetoothd(session_bluetoothd: Daemon, bus: str) -> Daemon:
    """Running on `bus`, whatever the test before has done to it."""
    session_bluetoothd.ensure()
    return session_bluetoothd


@pytest.fixture
def new_address() -> str:
    return process_address(next(_addresses))


@pytest.fixture
def start_meter(air: str) -> Iterator[Callable[..., Meter]]:
    """Starts a meter: `start_meter(records=300)`, at an address of its own unless one is given."""
    meters: list[Meter] = []

    def start(*, address: str | None = None, **options: Any) -> Meter:
        address = address or process_address(next(_addresses))
        meter = Meter(address, Program(run_meter, air, MeterOptions(address=address, passkey=PASSKEY, **options)))
        meters.append(meter)
        meter.program.ready("meter ready ")
        return meter

    yield start
    for meter in meters:
        meter.program.stop()


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
async def radio(bluetoothd: Daemon, tmp_path: Path, patient: Patient) -> AsyncIterator[Radio]:
    """The radio of this host; `patient` holds the device."""
    async with open_radio(None, tmp_path / "unused.json", patient) as radio:
        yield radio
