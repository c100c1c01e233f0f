"""The whole edge as a process over BlueZ: from meters to a consumer behind a real broker, told what to do from afar."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from ble_world import PASSKEY, Meter, Program, until
from bluez_world import Daemon, edge_over_bluez
from edge_world import Broker, Gateway

from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.edge.pair import pair_meter

PAIRING = "5a0d8c1e-8f0b-4d7e-9d55-0a9d5b0d7c22"

StartMeter = Callable[..., Meter]
StartEdge = Callable[[], Program]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def gateway(broker: Broker) -> Iterator[Gateway]:
    gateway = Gateway(broker.port)
    yield gateway
    gateway.stop()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "edge"


@pytest.fixture
def edge_id(data_dir: Path, broker: Broker) -> str:
    edge_id = str(uuid4())
    edge_state.configure(data_dir, edge_id=edge_id, mqtt_url=f"mqtt://127.0.0.1:{broker.port}", password="any")
    return edge_id


@pytest.fixture
def start_edge(bluetoothd: Daemon, edge_id: str, data_dir: Path, bus: str) -> Iterator[StartEdge]:
    started: list[Program] = []

    def start() -> Program:
        program = Program(edge_over_bluez, bus, data_dir)
        started.append(program)
        program.ready("edge")
        return program

    yield start
    for program in started:
        program.stop()


def seqs_of(gateway: Gateway, device: str) -> list[int]:
    return sorted(seq for sender, _, _, seq in gateway.readings if sender == device)


async def test_every_record_of_two_meters_arrives_though_bluetoothd_dies_on_the_way(
    bluetoothd: Daemon, start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, data_dir: Path
) -> None:
    slow, known = start_meter(records=120, delay_s=0.01), start_meter(records=80)
    paired = await pair_meter(data_dir, None, address=known.address, passkey=PASSKEY)
    assert (paired.address, paired.adapter, paired.battery_percent) == (known.address, "ble-glucose", 87)
    edge_state.add_meter(data_dir, device_id="known", address=known.address)  # its bond is the system's
    edge_state.add_meter(data_dir, device_id="slow", address=slow.address, passkey=PASSKEY)
    start_edge()
    await until(lambda: len(seqs_of(gateway, "slow")) >= 50)
    bluetoothd.kill()
    bluetoothd.start()
    await until(lambda: len(gateway.readings) == 200)
    assert seqs_of(gateway, "slow") == list(range(1, 121))
    assert seqs_of(gateway, "known") == list(range(1, 81))


async def test_a_meter_is_paired_from_afar_and_read(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, edge_id: str
) -> None:
    meter = start_meter(records=30)
    start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    gateway.command(edge_id, {"command": "scan", "pairing": PAIRING, "seconds": 2})
    await until(lambda: meter.address in [heard["address"] for heard in gateway.told("heard")])
    for attempt, digits in enumerate((PASSKEY + 1, PASSKEY), start=1):
        gateway.command(edge_id, {"command": "pair", "pairing": PAIRING, "address": meter.address})
        await until(lambda attempt=attempt: len(gateway.told("passkey_wanted")) == attempt)
        gateway.command(edge_id, {"command": "passkey", "pairing": PAIRING, "passkey": str(digits)})
        await until(lambda attempt=attempt: len(gateway.told("failed") + gateway.told("paired")) == attempt)
    assert [failed["reason"] for failed in gateway.told("failed")] == ["BondRefused"]
    assert [paired["proof"] for paired in gateway.told("paired")] == ["passkey"]
    adopt = {"command": "adopt", "pairing": PAIRING, "device": "meter-1", "adapter": "ble-glucose"}
    gateway.command(edge_id, adopt | {"address": meter.address})
    await until(lambda: seqs_of(gateway, "meter-1") == list(range(1, 31)))
