"""Scales that tell people apart: silent until somebody consents, and who that is, is known from then on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ble_world import Program, process_address, until
from edge_world import Gateway

from device_gateway.readings.model import Reading
from device_gateway.transports.ble.adapter import record_adapter
from device_gateway.transports.ble.consent import ConsentRefused, User
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import find
from device_gateway.transports.ble.transfer import Batch
from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.edge.consenting import attributed, each_user
from device_gateway.transports.edge.consents import Consents
from device_gateway.transports.edge.pair import pair_meter
from device_simulators.ble.running import join_air
from device_simulators.ble.weight_scale import WeightScale, WeightScaleOptions

StartEdge = Callable[..., Program]
StartScale = Callable[..., Awaitable[WeightScale]]
ADDRESS = process_address(0xF4)
PAIRING = "9c1f5a2e-66a5-4a77-8c5d-1d3a3f2f7d44"


@pytest.fixture
async def start_scale(air: str) -> AsyncIterator[StartScale]:
    transports = []

    async def start(**options: Any) -> WeightScale:
        scale = WeightScale(WeightScaleOptions(address=ADDRESS, **options))
        transports.append(await join_air(air))
        await scale.start(transports[-1])
        return scale

    yield start
    for transport in transports:
        await transport.close()


@pytest.fixture
def consents(tmp_path: Path) -> Iterator[Consents]:
    with edge_state.opened(tmp_path) as state:
        yield state.consents


async def users(radio: Radio, consents: Consents, ask: Any = None) -> list[User | None]:
    heard = await find(radio, ADDRESS, 10)
    async with connected(radio, heard.device) as link:
        adapter = record_adapter("ble-weight-scale")
        return [user async for user in each_user(link, adapter, consents, ADDRESS, ask)]


async def test_a_user_is_registered_once_and_known_again(
    radio: Radio, start_scale: StartScale, consents: Consents
) -> None:
    scale = await start_scale(records=0, users=2)
    [first] = await users(radio, consents)
    assert first is not None
    assert scale.memory.consent_codes[3] == first.code
    assert await users(radio, consents) == [first]
    assert sorted(scale.memory.consent_codes) == [1, 2, 3]
    scale.memory.consent_codes = {1: 1000}  # its battery was changed, say
    [again] = await users(radio, consents)
    assert again is not None
    assert scale.memory.consent_codes[again.index] == again.code
    assert consents.of(ADDRESS) == [again]


async def test_where_no_user_can_be_registered_one_of_the_scales_own_is_asked_for(
    radio: Radio, start_scale: StartScale, consents: Consents
) -> None:
    await start_scale(records=0, users=8)
    with pytest.raises(ConsentRefused):
        await users(radio, consents)

    async def wrong() -> User:
        return User(2, 9999)

    async def shown() -> User:
        return User(2, 1001)

    with pytest.raises(ConsentRefused):
        await users(radio, consents, wrong)
    assert consents.of(ADDRESS) == []
    assert await users(radio, consents, shown) == [User(2, 1001)]
    assert consents.of(ADDRESS) == [User(2, 1001)]


async def test_each_users_measurements_arrive_under_their_number(  # noqa: PLR0917  fixtures
    air: str, start_scale: StartScale, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    scale = await start_scale(records=12, users=2)
    expected = {taken.user for taken in scale.memory.waiting}
    assert {1, 2} <= expected
    edge_state.add_meter(tmp_path, device_id="scale-1", address=ADDRESS, adapter="ble-weight-scale")
    with edge_state.opened(tmp_path) as state:
        state.consents.add(ADDRESS, User(1, 1000))
        state.consents.add(ADDRESS, User(2, 1001))
    await pair_meter(tmp_path, air, address=ADDRESS)
    start_edge()
    await until(lambda: len({at for _, _, at, _ in gateway.readings}) == 12)
    assert scale.memory.waiting == []


@pytest.mark.slow
async def test_the_patient_is_asked_for_user_and_code_while_pairing(
    start_scale: StartScale, start_edge: StartEdge, gateway: Gateway, edge_id: str, tmp_path: Path
) -> None:
    await start_scale(records=2, users=8)
    start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    gateway.command(edge_id, {"command": "pair", "pairing": PAIRING, "address": ADDRESS})
    await until(lambda: bool(gateway.told("risk")))
    gateway.command(edge_id, {"command": "confirm", "pairing": PAIRING, "accept": True})
    await until(lambda: bool(gateway.told("user_wanted")))
    gateway.command(edge_id, {"command": "user", "pairing": PAIRING, "user_index": 4, "code": 1003})
    await until(lambda: bool(gateway.told("paired")))
    assert gateway.told("paired")[0]["user_index"] == 4
    with edge_state.opened(tmp_path) as state:
        assert state.consents.of(ADDRESS) == [User(4, 1003)]
    assert "1003" not in str(gateway.events)


def test_a_measurement_that_names_nobody_is_the_consenting_users() -> None:
    at = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
    readings = tuple(
        Reading(metric="body-weight", unit="kg", at=at, value="70", context=context)
        for context in (None, {"user-index": 2}, {"user-unknown": True}, {"effective-time": "received"})
    )
    found = attributed(Batch(readings, (), None), User(1, 1000)).readings
    assert [reading.context for reading in found] == [
        {"user-index": 1},
        {"user-index": 2},
        {"user-unknown": True},
        {"effective-time": "received", "user-index": 1},
    ]
    assert attributed(Batch(readings, (), None), None).readings == readings
