"""What an edge does beside carrying readings: several devices at once, bonds that are lost, wishes, being there."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ble_scale import Scale, weighing
from ble_world import PASSKEY, Meter, Program, process_address, until
from edge_world import Gateway

from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.edge.pair import pair_meter
from device_simulators.ble.running import join_air

StartMeter = Callable[..., Meter]
StartEdge = Callable[..., Program]
MORNING = datetime(2026, 11, 21, 7, 30, 0)  # noqa: DTZ001  a scale's clock has no zone


async def test_several_meters_are_read_at_the_same_time(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    for number in range(4):  # 40 records at 0.1 s: 4 s each, 16 s one after the other
        meter = start_meter(records=40, delay_s=0.1)
        edge_state.add_meter(tmp_path, device_id=f"meter-{number}", address=meter.address, passkey=PASSKEY)
    start_edge()
    first = asyncio.get_running_loop().time()
    await until(lambda: len(gateway.readings) == 160)
    assert asyncio.get_running_loop().time() - first < 12
    assert {event["device"] for event in gateway.told("contact")} <= {f"meter-{number}" for number in range(4)}


async def test_battery_signal_and_last_contact_are_told(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    meter = start_meter(records=2, battery_percent=11)
    edge_state.add_meter(tmp_path, device_id="meter-nearly-empty", address=meter.address, passkey=PASSKEY)
    start_edge()

    def contacts() -> list[dict[str, Any]]:
        return [told for told in gateway.told("contact") if told["device"] == "meter-nearly-empty"]

    await until(lambda: bool(contacts()))
    (contact,) = contacts()
    assert contact["battery_percent"] == 11
    assert -100 < contact["rssi_dbm"] < 0
    assert datetime.fromisoformat(contact["at"]).tzinfo is not None


async def test_the_broker_says_that_an_edge_is_gone_which_did_not_say_goodbye(
    start_edge: StartEdge, gateway: Gateway, edge_id: str
) -> None:
    edge = start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    edge.kill()
    await until(lambda: gateway.status[-1:] == [{"online": False}])
    again = start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    assert again.stop() == 0
    await until(lambda: gateway.status[-1:] == [{"online": False}])


@pytest.mark.usefixtures("edge_id")
async def test_a_bond_that_the_meter_forgot_is_told_once_and_pairing_again_keeps_the_history(
    air: str, start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path
) -> None:
    state = tmp_path / "meter.json"
    meter = start_meter(records=5, state=state)
    await pair_meter(tmp_path, air, address=meter.address, passkey=PASSKEY)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address)
    start_edge()
    await until(lambda: len(gateway.readings) == 5)
    meter.program.stop()
    kept = json.loads(state.read_text())
    state.write_text(json.dumps(kept | {"bonds": {}}))
    start_meter(state=state, address=meter.address)
    await until(lambda: bool(gateway.told("bond_lost")))
    await asyncio.sleep(1.0)
    assert [event["device"] for event in gateway.told("bond_lost")] == ["meter-1"]
    paired = await pair_meter(tmp_path, air, address=meter.address, passkey=PASSKEY)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=paired.address)
    with edge_state.opened(tmp_path) as opened:
        assert opened.meters()[0].last_seq == 5
        assert opened.meters()[0].bond_lost is False


async def test_records_are_deleted_on_the_meter_only_where_asked_for_and_only_once_they_are_stored(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    gateway.answering = False
    states = [tmp_path / "asked.json", tmp_path / "not-asked.json"]
    for number, state in enumerate(states):
        meter = start_meter(records=30, state=state)
        edge_state.add_meter(tmp_path, device_id=f"meter-{number}", address=meter.address, passkey=PASSKEY)
    with edge_state.opened(tmp_path) as opened:
        opened.allow("meter-0", sets_clock=False, deletes_sent=True)
    start_edge()
    await until(lambda: len(gateway.message_ids) == 2)
    await asyncio.sleep(1.0)
    assert [len(json.loads(state.read_text())["records"]) for state in states] == [30, 30]
    gateway.answering = True
    await until(lambda: not json.loads(states[0].read_text())["records"])
    await until(lambda: len(gateway.readings) == 60)
    assert len(json.loads(states[1].read_text())["records"]) == 30


@pytest.mark.usefixtures("edge_id")
@pytest.mark.parametrize("asked", [True, False], ids=["asked", "not asked"])
async def test_a_wrong_clock_is_set_right_only_where_asked_for(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, asked: bool
) -> None:
    meter = start_meter(records=1, clock_skew_s=-7200, interval_s=0.5)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    with edge_state.opened(tmp_path) as opened:
        opened.allow("meter-1", sets_clock=asked, deletes_sent=False)
    start_edge()
    await until(lambda: len(gateway.clocks) >= 3)
    first, *_, last = gateway.clocks
    skews = [_skew_s(clock) for clock in (first, last)]
    assert skews[0] == pytest.approx(-7200, abs=3)
    assert skews[1] == pytest.approx(0 if asked else -7200, abs=3)


async def test_a_scale_that_wakes_up_is_connected_to_at_once(
    air: str, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    address = process_address(0xC0)
    edge_state.add_meter(tmp_path, device_id="scale-1", address=address, adapter="ble-weight-scale", passkey=PASSKEY)
    start_edge()
    await until(lambda: bool(gateway.status))
    scale = Scale(address, PASSKEY)
    scale.waiting = [weighing(72.4, MORNING)]
    transport = await join_air(air)
    await scale.start(transport)
    await until(lambda: len(gateway.readings) == 1, timeout_s=10)
    await transport.close()


def _skew_s(clock: dict[str, str]) -> float:
    measured = datetime.fromisoformat(clock["measured_at"]).replace(tzinfo=None)
    return (datetime.fromisoformat(clock["raw"]) - measured).total_seconds()
