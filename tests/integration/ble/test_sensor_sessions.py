"""Sessions of glucose sensors at an edge: started where that was asked for, told as they change."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ble_world import PASSKEY, Program, process_address, until
from edge_world import Gateway

from device_gateway.transports.edge import state as edge_state
from device_simulators.ble.cgm import Cgm, CgmOptions
from device_simulators.ble.running import join_air

StartEdge = Callable[..., Program]
StartSensor = Callable[..., Awaitable[Cgm]]
ADDRESS = process_address(0xF8)


@pytest.fixture
async def start_sensor(air: str, tmp_path: Path, edge_id: str) -> AsyncIterator[StartSensor]:
    """Switches a sensor on that the edge reads as `sensor-1`."""
    transports = []

    async def start(**options: Any) -> Cgm:
        edge_state.add_meter(tmp_path, device_id="sensor-1", address=ADDRESS, adapter="ble-cgm", passkey=PASSKEY)
        sensor = Cgm(CgmOptions(address=ADDRESS, passkey=PASSKEY, interval_s=0, **options))
        transports.append(await join_air(air))
        await sensor.start(transports[-1])
        return sensor

    yield start
    for transport in transports:
        await transport.close()


def states(gateway: Gateway) -> list[str]:
    return [event["state"] for event in gateway.told("session")]


@pytest.mark.parametrize("crc", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "CRC"])
async def test_a_waiting_sensor_is_started_only_when_that_was_asked_for(
    start_sensor: StartSensor, start_edge: StartEdge, gateway: Gateway, edge_id: str, crc: bool
) -> None:
    sensor = await start_sensor(records=0, waiting=True, crc=crc)
    start_edge()
    await until(lambda: states(gateway) == ["waiting"])
    await asyncio.sleep(1.0)  # it is visited again and again
    assert not sensor.memory.is_running
    assert not gateway.raw
    gateway.command(edge_id, {"command": "start_session", "device": "sensor-1"})
    await until(lambda: states(gateway) == ["waiting", "warming-up"])
    assert sensor.memory.is_running
    assert sensor.memory.is_dated
    assert abs(sensor.memory.began - datetime.now()) < timedelta(seconds=30)  # noqa: DTZ005


async def test_a_session_that_runs_is_not_started_anew_and_its_end_is_told(
    start_sensor: StartSensor, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    sensor = await start_sensor(records=12)
    sensor.memory.stop()
    start_edge()
    await until(lambda: len(gateway.readings) == 12 and bool(states(gateway)))
    assert states(gateway) == ["ended"]
    number = sensor.memory.number
    with edge_state.opened(tmp_path) as state:
        state.sessions.want_start("sensor-1", datetime.now(UTC) - timedelta(days=2))  # forgotten by now
        assert not state.sessions.start_wanted("sensor-1", datetime.now(UTC))
    gateway.command(edge_id, {"command": "start_session", "device": "no one"})
    gateway.command(edge_id, {"command": "start_session", "device": "sensor-1"})
    await until(lambda: sensor.memory.number == number + 1)
    await until(lambda: states(gateway)[-1:] == ["warming-up"])
    gateway.command(edge_id, {"command": "start_session", "device": "sensor-1"})

    def still_wanted() -> bool:
        with edge_state.opened(tmp_path) as state:
            return state.sessions.start_wanted("sensor-1", datetime.now(UTC))

    await until(lambda: not still_wanted())
    assert sensor.memory.number == number + 1
