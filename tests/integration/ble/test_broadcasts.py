"""Scales that only broadcast: from the air to a consumer behind a broker, each weighing once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ble_world import Program, process_address, until
from edge_world import Gateway

from device_gateway.transports.ble.errors import BindKeyWrong
from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.edge.pair import pair_meter
from device_simulators.ble.running import join_air
from device_simulators.ble.xiaomi_scale import DEFAULT_KEY, XiaomiOptions, XiaomiScale

StartEdge = Callable[..., Program]
StartScale = Callable[..., Awaitable[XiaomiScale]]
ADDRESS = process_address(0xF0)
PAIRING = "51d3c2b7-6f6e-4f52-9a55-0f9f2f4b8c33"
WRONG_KEY = "f" * 32


@pytest.fixture
async def start_scale(air: str) -> AsyncIterator[StartScale]:
    """Switches a scale on in this process; nobody steps on it but the test."""
    transports = []

    async def start(**options: Any) -> XiaomiScale:
        scale = XiaomiScale(XiaomiOptions(address=ADDRESS, interval_s=0, phase_s=0.25, **options))
        transports.append(await join_air(air))
        await scale.start(transports[-1])
        return scale

    yield start
    for transport in transports:
        await transport.close()


def add_scale(data_dir: Path, key: str | None = None) -> None:
    edge_state.add_meter(data_dir, device_id="scale-1", address=ADDRESS, adapter="ble-xiaomi-scale")
    with edge_state.opened(data_dir) as state, state.transaction():
        state.broadcasts.set_key(ADDRESS, bytes.fromhex(key) if key else None)


def weights(gateway: Gateway) -> list[str]:
    """What reached the consumer, each content of each reading once, in the order of time."""
    return [metric for _, metric, _, _ in sorted(gateway.readings, key=lambda identity: identity[2])]


@pytest.mark.usefixtures("edge_id")
@pytest.mark.parametrize("kind", [pytest.param("mi-scale", marks=pytest.mark.slow), "mi-body"])
async def test_a_weighing_that_is_repeated_is_one_reading_and_the_next_one_another(
    start_scale: StartScale, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, kind: str
) -> None:
    scale = await start_scale(kind=kind, clock_skew_s=-300)
    add_scale(tmp_path)
    start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    await scale.weigh(Decimal("72.40"))
    await until(lambda: len(gateway.readings) == 1)
    await asyncio.sleep(1.1)  # the scale's clock has seconds
    await scale.weigh(Decimal("72.40"))
    await until(lambda: len(gateway.readings) == 2)
    contents = [sorted(contents) for contents in gateway.contents.values()]
    assert all('"value": "72.400"' in content for each in contents for content in each)
    assert all(len(each) == (1 if kind == "mi-scale" else 2) for each in contents)  # the second one has the impedance
    assert set(gateway.message_ids.values()) == {1}
    assert gateway.clocks  # it was heard to settle: its clock is compared with ours
    assert [contact["device"] for contact in gateway.told("contact")][:1] == ["scale-1"]


@pytest.mark.usefixtures("edge_id")
async def test_a_scale_without_a_clock_has_one_time_for_all_that_it_says_of_a_weighing_also_over_a_restart(
    start_scale: StartScale, start_edge: StartEdge, gateway: Gateway, tmp_path: Path
) -> None:
    scale = await start_scale(kind="mi-body", never_set=True)
    add_scale(tmp_path)
    edge = start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    weighing = scale._weighing(Decimal("61.50"))
    _, plain, whole, _ = scale.course(weighing)
    await scale.say(plain)
    await until(lambda: len(gateway.readings) == 1)
    edge.kill()
    start_edge()
    await scale.say(whole)
    await until(lambda: sum(gateway.readings.values()) == 2)
    await scale.say(plain)
    await asyncio.sleep(0.5)
    assert len(gateway.readings) == 1  # the impedance came to the same reading
    assert sum(gateway.readings.values()) == 2


@pytest.mark.usefixtures("edge_id")
async def test_an_encrypted_scale_is_read_with_its_key_and_a_wrong_key_is_told_once_without_a_flood(
    start_scale: StartScale, start_edge: StartEdge, gateway: Gateway, tmp_path: Path
) -> None:
    scale = await start_scale(kind="s400")
    add_scale(tmp_path, WRONG_KEY)
    start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    for _ in range(2):
        await scale.weigh(Decimal("70.0"))
    await until(lambda: bool(gateway.told("key_wrong")))
    assert len(gateway.raw) == 1
    assert not gateway.readings
    with edge_state.opened(tmp_path) as state, state.transaction():
        assert state.broadcasts.of(ADDRESS).refused >= 3
        state.broadcasts.set_key(ADDRESS, bytes.fromhex(DEFAULT_KEY))
    await scale.weigh(Decimal("70.1"))
    await until(lambda: len(gateway.readings) == 2)
    assert weights(gateway) == ["body-weight", "heart-rate"]
    assert DEFAULT_KEY not in str(gateway.raw + gateway.events)
    assert len(gateway.told("key_wrong")) == 1


@pytest.mark.slow
async def test_an_encrypted_scale_is_paired_from_afar_by_its_key_and_a_weighing(
    start_scale: StartScale, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    scale = await start_scale(kind="s400")
    start_edge()
    await until(lambda: gateway.status[-1:] == [{"online": True}])
    gateway.command(edge_id, {"command": "scan", "pairing": PAIRING, "seconds": 30})
    await until(lambda: ADDRESS in [heard["address"] for heard in gateway.told("heard")])
    assert gateway.told("heard")[0]["model"] == "ble-xiaomi-s400"
    for attempt, key in enumerate((WRONG_KEY, DEFAULT_KEY), start=1):
        gateway.command(edge_id, {"command": "pair", "pairing": PAIRING, "address": ADDRESS})
        await until(lambda attempt=attempt: len(gateway.told("key_wanted")) == attempt)
        gateway.command(edge_id, {"command": "key", "pairing": PAIRING, "key": key})
        await until(lambda attempt=attempt: len(gateway.told("measurement_wanted")) == attempt)
        while len(gateway.told("failed") + gateway.told("paired")) < attempt:
            await scale.weigh()
    assert [failed["reason"] for failed in gateway.told("failed")] == ["BindKeyWrong"]
    assert gateway.told("paired")[0]["proof"] == "none"
    adopt = {"command": "adopt", "pairing": PAIRING, "device": "scale-1", "adapter": "ble-xiaomi-scale"}
    gateway.command(edge_id, adopt | {"address": ADDRESS})
    await until(lambda: bool(gateway.told("first_reading")))  # the weighing by which it was paired
    await until(lambda: len(gateway.readings) >= 2)


async def test_a_scale_is_paired_from_the_command_line_by_stepping_on_it(
    air: str, start_scale: StartScale, tmp_path: Path
) -> None:
    scale = await start_scale(kind="s400")
    stepping: list[asyncio.Task[Any]] = []

    async def steps() -> None:
        for _ in range(3):
            await scale.weigh()

    async def key(_address: str) -> str:
        return DEFAULT_KEY.upper()

    def ask() -> None:
        stepping.append(asyncio.create_task(steps()))

    paired = await pair_meter(tmp_path, air, address=ADDRESS, ask_bind_key=key, ask_to_measure=ask)
    assert (paired.adapter, paired.model_key) == ("ble-xiaomi-scale", "ble-xiaomi-s400")
    with edge_state.opened(tmp_path) as state:
        assert state.broadcasts.of(ADDRESS).bind_key == bytes.fromhex(DEFAULT_KEY)
    await asyncio.gather(*stepping)
    with pytest.raises(BindKeyWrong):
        await pair_meter(tmp_path, air, address=ADDRESS)
