"""Scales in the portal: one that only broadcasts, by its key and a weighing; one that wants to know who is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ble_world import process_address, until
from house_world import House, Visit, house_of
from portal_world import text_of

from device_simulators.ble.running import join_air
from device_simulators.ble.weight_scale import WeightScale, WeightScaleOptions
from device_simulators.ble.xiaomi_scale import DEFAULT_KEY, XiaomiOptions, XiaomiScale

BROADCASTING, SHARED = process_address(0xE4), process_address(0xE5)


@pytest.fixture
async def house(owner_url: str, app_url: str, ingest_url: str, air: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(owner_url, app_url, ingest_url, air, tmp_path) as house:
        yield house


@asynccontextmanager
async def on_the_air(house: House, device: Any, doing: Any = None) -> AsyncIterator[None]:
    transport = await join_air(house.air)
    await device.start(transport)
    working = asyncio.create_task(doing()) if doing else None
    try:
        yield
    finally:
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        await transport.close()


async def test_a_scale_that_broadcasts_encrypted_and_one_that_tells_people_apart_are_paired(house: House) -> None:
    house.start_edge()
    browser = await house.product.signed_in(house.patient.username)
    scale = XiaomiScale(XiaomiOptions(address=BROADCASTING, kind="s400", interval_s=0, phase_s=0.4))

    async def stepping() -> None:
        while True:
            await scale.weigh()

    async with on_the_air(house, scale, stepping):
        visit = Visit(browser)
        await visit.begin(house.edge)
        await visit.choose(BROADCASTING)
        await visit.see('name="bind_key"')
        refused = await visit.send(bind_key="1234")
        assert (refused.status_code, "32 digits" in refused.text) == (422, True)
        await visit.send(bind_key="f" * 32)
        assert "does not open what the device sends" in text_of(await visit.see("Try again"))
        await visit.send(address=BROADCASTING)
        await visit.see('name="bind_key"')
        await visit.send(bind_key=" ".join(DEFAULT_KEY[at : at + 8] for at in range(0, 32, 8)).upper())
        await visit.see('name="add"')
        await visit.send(add="own", name="Bathroom", since="2026-01-01")
        await visit.see("Its first measurement has arrived")
    everything = str(house.product.owner("SELECT details FROM gateway.edge_event"))
    assert DEFAULT_KEY not in everything
    bodies = "SELECT body FROM gateway.edge_command"
    await until(lambda: {row.body for row in house.product.owner(bodies)} == {None})  # no key stays anywhere

    shared = WeightScale(WeightScaleOptions(address=SHARED, records=0, users=8))
    async with on_the_air(house, shared):
        visit = Visit(browser)
        await visit.begin(house.edge)
        await visit.choose(SHARED)
        await visit.see("Pair all the same")
        await visit.send(answer="yes")
        await visit.see('name="consent_code"')
        refused = await visit.send(user_index="3", consent_code="12345")
        assert refused.status_code == 422
        await visit.send(user_index="3", consent_code="1002")
        await visit.see('name="add"')
        await visit.send(add="own", name="Shared", since="2026-01-01")
        while not [taken for taken in shared.memory.waiting if taken.user == 3]:
            await shared.measure()
        await visit.see("Its first measurement has arrived")
    stored = (
        "SELECT count(*) AS n FROM gateway.reading r JOIN gateway.series s ON s.id = r.series"
        " JOIN gateway.device d ON d.id = s.device_id WHERE d.hardware_id = %s AND s.metric = 'body-weight'"
    )
    await until(lambda: house.product.owner(stored, SHARED)[0].n >= 1)  # the patient is user 3: nobody has to ask
