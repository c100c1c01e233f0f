"""The edge as a process: from a meter on the radio to a consumer behind a real broker, killed at every point."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from ble_world import PASSKEY, Meter, Program, until
from edge_world import Broker, Gateway

from device_gateway.devices.topics import topic_of
from device_gateway.transports.ble.errors import BondRefused
from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.edge.pair import pair_meter
from device_gateway.transports.edge.turn import Occupied, turn
from device_simulators.radio.air import run_air

StartMeter = Callable[..., Meter]
StartEdge = Callable[..., Program]


def spooled(data_dir: Path) -> int:
    with edge_state.opened(data_dir) as state:
        return state.spool.messages()


def position(data_dir: Path) -> int | None:
    with edge_state.opened(data_dir) as state:
        return state.meters()[0].last_seq


@pytest.mark.usefixtures("edge_id")
async def test_from_pairing_to_the_gateway_every_record_arrives_once(
    air: str, start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path
) -> None:
    meter = start_meter(records=120, clock_skew_s=-600, truncated_seq=60)
    paired = await pair_meter(tmp_path, air, address=meter.address, passkey=PASSKEY)
    assert (paired.adapter, paired.battery_percent) == ("ble-glucose", 87)
    assert paired.serial == f"SIM-{meter.address.replace(':', '')}"
    edge_state.add_meter(tmp_path, device_id="meter-1", address=paired.address, adapter=paired.adapter)
    edge = start_edge()
    await until(lambda: len(gateway.readings) == 119 and bool(gateway.raw))
    await until(lambda: spooled(tmp_path) == 0)
    assert gateway.seqs == [*range(1, 60), *range(61, 121)]
    assert set(gateway.readings.values()) == {1}
    raw = gateway.raw[0]
    assert (raw["device"], raw["adapter"], raw["characteristic"].split()[0]) == ("meter-1", "ble-glucose", "2A18")
    assert raw["pointer"] == "/type-sample-location"
    assert len(bytes.fromhex(raw["hex"].split()[0])) == 14
    assert {clock["device"] for clock in gateway.clocks} == {"meter-1"}
    assert "+" not in gateway.clocks[0]["raw"]
    assert edge.stop() == 0


async def test_a_wrong_passkey_pairs_nothing(air: str, start_meter: StartMeter, tmp_path: Path) -> None:
    meter = start_meter()
    with pytest.raises(BondRefused):
        await pair_meter(tmp_path, air, address=meter.address, passkey=PASSKEY + 1)


async def test_a_puback_deletes_nothing_and_only_the_outcome_does(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    gateway.answering = False
    meter = start_meter(records=110)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    start_edge()
    await until(lambda: len(gateway.message_ids) == 3 and min(gateway.message_ids.values()) >= 2)
    assert spooled(tmp_path) == 3
    gateway.answering = True
    await until(lambda: spooled(tmp_path) == 0)
    assert gateway.seqs == list(range(1, 111))
    assert len(gateway.message_ids) == 3


async def test_an_edge_killed_again_and_again_in_a_transfer_and_with_a_full_spool_loses_and_doubles_nothing(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    gateway.answering = False
    meter = start_meter(records=300, delay_s=0.002)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    for goal in (50, 150, 250):
        edge = start_edge()
        await until(lambda goal=goal: (position(tmp_path) or 0) >= goal)
        edge.kill()
    assert spooled(tmp_path) >= 5
    assert not gateway.readings
    edge = start_edge()
    await until(lambda: position(tmp_path) == 300)
    edge.kill()
    gateway.answering = True
    start_edge()
    await until(lambda: spooled(tmp_path) == 0 and len(gateway.readings) == 300)
    assert gateway.seqs == list(range(1, 301))
    assert all(len(contents) == 1 for contents in gateway.contents.values())


async def test_a_full_spool_leaves_the_rest_in_the_meter_until_there_is_room(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    gateway.answering = False
    meter = start_meter(records=200)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    start_edge(limit_octets=30_000)
    await until(lambda: len(gateway.message_ids) == 2)
    await asyncio.sleep(0.7)
    assert position(tmp_path) == 100
    assert spooled(tmp_path) == 2
    gateway.answering = True
    await until(lambda: len(gateway.readings) == 200 and spooled(tmp_path) == 0)
    assert gateway.seqs == list(range(1, 201))


@pytest.mark.usefixtures("edge_id")
async def test_what_a_broker_acknowledged_and_then_lost_is_sent_again(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, broker: Broker, tmp_path: Path
) -> None:
    gateway.answering = False
    meter = start_meter(records=110)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    start_edge()
    await until(lambda: len(gateway.message_ids) == 3)
    broker.kill()
    broker.start()
    gateway.answering = True
    await until(lambda: spooled(tmp_path) == 0)
    assert gateway.seqs == list(range(1, 111))


@pytest.mark.usefixtures("edge_id")
async def test_the_edge_goes_on_when_the_radio_was_away(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path
) -> None:
    spec = f"unix:{tmp_path}/air.sock"
    air = Program(run_air, spec)
    air.ready("radio ready ")
    meter = start_meter(records=150, delay_s=0.005, state=tmp_path / "meter.json", radio=spec)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    start_edge(radio=spec)
    await until(lambda: (position(tmp_path) or 0) >= 50)
    air.kill()
    air = Program(run_air, spec)
    air.ready("radio ready ")
    await until(lambda: len(gateway.readings) == 150)
    assert gateway.seqs == list(range(1, 151))
    assert air.stop() == 0


async def test_a_record_taken_while_the_edge_runs_arrives_by_itself(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    meter = start_meter(records=3, interval_s=1)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    start_edge()
    await until(lambda: len(gateway.readings) >= 5)
    assert gateway.seqs == list(range(1, len(gateway.seqs) + 1))


async def test_one_data_directory_has_one_edge(start_edge: StartEdge, tmp_path: Path, edge_id: str) -> None:
    async with turn(tmp_path, "edge", 0):
        with pytest.raises(Occupied):
            async with turn(tmp_path, "edge", 0.2):
                pass


def test_an_edge_publishes_where_its_id_says(tmp_path: Path, edge_id: str) -> None:
    with edge_state.opened(tmp_path) as state:
        edge = state.edge()
        assert f"{edge.topic_prefix}/readings" == topic_of(edge_id, "readings")
        assert edge.username == edge_id
    assert (edge_state.edge_directory(tmp_path) / edge_state.FILE).stat().st_mode & 0o077 == 0
