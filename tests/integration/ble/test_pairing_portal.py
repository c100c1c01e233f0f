"""The whole way: a patient's browser, the gateway, a broker, an edge, a meter on the radio, and back."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from ble_world import PASSKEY, Meter, Program, until
from edge_world import Broker
from portal_world import Patient, Product, field, text_of

from device_gateway import jobs
from device_gateway.ingest.worker import Worker
from device_gateway.settings import Settings
from device_gateway.transports.edge import state as edge_state

StartMeter = Callable[..., Meter]
StartEdge = Callable[..., Program]


@dataclass
class House:
    """A gateway with its workers, and an edge that belongs to a patient."""

    product: Product
    patient: Patient
    edge: UUID

    def holders(self, address: str) -> list[tuple[UUID, bool]]:
        """(space, whether it holds the device now), in the order of time."""
        rows = self.product.owner(
            "SELECT h.space_id, upper_inf(h.during) AS now FROM gateway.device_holding h JOIN gateway.device d"
            " ON d.id = h.device_id WHERE d.hardware_id = %s ORDER BY lower(h.during)", address
        )  # fmt: skip
        return [(row.space_id, row.now) for row in rows]


@pytest.fixture
async def house(owner_url: str, app_url: str, ingest_url: str, broker: Broker, edge_id: str) -> AsyncIterator[House]:
    mqtt = f"mqtt://127.0.0.1:{broker.port}"
    async with Product(owner_url, app_url, mqtt_url=mqtt) as product:
        settings = Settings(database_url=app_url, database_ingest_url=ingest_url, mqtt_url=mqtt, ingest_slots=1)
        stop, ready = threading.Event(), threading.Event()
        worker = threading.Thread(target=Worker(settings, stop, ready.set).run)
        worker.start()
        working = asyncio.create_task(work(settings, product))
        try:
            await until(ready.is_set, timeout_s=10)
            patient = product.patient()
            own(product, patient, UUID(edge_id))
            yield House(product, patient, UUID(edge_id))
        finally:
            stop.set()
            await asyncio.to_thread(worker.join)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


async def work(settings: Settings, product: Product) -> None:
    while True:
        if not await jobs._work(settings, product.app.state.pool):
            await asyncio.sleep(0.05)


def own(product: Product, patient: Patient, edge: UUID) -> None:
    """The patient's from now on."""
    product.owner(
        "INSERT INTO gateway.device (id, model, kind) VALUES (%s, 'edge', 'edge') ON CONFLICT DO NOTHING", edge
    )
    product.owner(
        "UPDATE gateway.device_holding SET during = tstzrange(lower(during), now())"
        " WHERE device_id = %s AND upper_inf(during)", edge
    )  # fmt: skip
    product.owner(
        "INSERT INTO gateway.device_holding (device_id, space_id, during, name) VALUES (%s, %s, tstzrange(now(), NULL),"
        " 'Living room')", edge, patient.space.id
    )  # fmt: skip


class Visit:
    """One pairing in a browser without JavaScript."""

    def __init__(self, browser: httpx2.AsyncClient) -> None:
        self._browser = browser
        self._url = ""
        self.page = ""

    async def begin(self, edge: UUID) -> None:
        start = await self._browser.get("/devices/pair")
        assert "Living room" in start.text
        token = field(start.text, "csrf_token")
        answer = await self._browser.post("/devices/pair", data={"edge": str(edge), "csrf_token": token})
        assert answer.status_code == 303, answer.text
        self._url = answer.headers["location"]

    async def see(self, text: str) -> str:
        """Waits, as the page itself does, until it has `text`."""
        for _ in range(300):
            self.page = (await self._browser.get(self._url)).text
            if text in self.page:
                return self.page
            await asyncio.sleep(0.1)
        raise AssertionError(text_of(self.page))

    async def send(self, **fields: str) -> httpx2.Response:
        token = field(self.page, "csrf_token")
        return await self._browser.post(self._url, data={"csrf_token": token, **fields})

    async def bond(self, address: str) -> None:
        await self.see(f'value="{address}"')
        assert (await self.send(address=address)).status_code == 303
        await self.see('name="passkey"')
        assert (await self.send(passkey=f"{PASSKEY:06d}")).status_code == 303
        await self.see('name="add"')


async def test_a_patient_pairs_a_meter_at_an_edge_and_sees_its_first_measurement(
    house: House, start_meter: StartMeter, start_edge: StartEdge, tmp_path: Path
) -> None:
    meter = start_meter(records=4, name="Accu")
    start_edge()
    browser = await house.product.signed_in(house.patient.username)
    visit = Visit(browser)
    await visit.begin(house.edge)
    page = await visit.see(f'value="{meter.address}"')
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', page)
    await visit.bond(meter.address)
    assert (await visit.send(add="own", name="My meter", since="2020-01-01")).status_code == 303
    await visit.see("Its first measurement has arrived")
    counted = "SELECT count(*) AS n FROM gateway.reading"
    await until(lambda: house.product.owner(counted)[0].n == 4)
    devices = text_of((await browser.get("/devices")).text)
    assert "My meter" in devices
    assert "Online" in devices
    [row] = house.product.owner("SELECT id FROM gateway.device WHERE hardware_id = %s", meter.address)
    remove = f"/devices/{row.id}/remove"
    token = field((await browser.get(remove)).text, "csrf_token")
    assert (await browser.post(remove, data={"csrf_token": token})).status_code == 303
    await until(lambda: meters_of(tmp_path) == 0)  # the edge reads it no more
    bodies = "SELECT body FROM gateway.edge_command"
    await until(lambda: [row.body for row in house.product.owner(bodies)] == [None] * 5)  # no passkey stays anywhere
    assert str(PASSKEY) not in str(house.product.owner("SELECT details FROM gateway.edge_event"))
    assert str(PASSKEY) not in str(house.product.owner("SELECT payload FROM gateway.job"))


def meters_of(data_dir: Path) -> int:
    with edge_state.opened(data_dir) as state:
        return len(state.meters())


async def test_a_meter_that_someone_else_holds_changes_hands_only_by_a_bond_made_now(
    house: House, start_meter: StartMeter, start_edge: StartEdge, tmp_path: Path
) -> None:
    meter = start_meter(records=1)
    former = house.product.patient()
    [row] = house.product.owner(
        "INSERT INTO gateway.device (model, kind, hardware_id) VALUES ('ble-glucose', 'device', %s) RETURNING id",
        meter.address,
    )
    house.product.owner(
        "INSERT INTO gateway.device_holding (device_id, space_id, during, name)"
        " VALUES (%s, %s, tstzrange('2021-01-01', NULL), 'Hers')", row.id, former.space.id
    )  # fmt: skip
    start_edge()
    visit = Visit(await house.product.signed_in(house.patient.username))
    await visit.begin(house.edge)
    await visit.bond(meter.address)
    refused = await visit.send(add="own", name="Mine", since="2026-01-01")
    assert refused.status_code == 422
    assert "Someone else holds this device" in refused.text
    assert house.holders(meter.address) == [(former.space.id, True)]
    assert (await visit.send(add="take_over", name="Mine")).status_code == 303
    assert house.holders(meter.address) == [(former.space.id, False), (house.patient.space.id, True)]
    told = house.product.owner("SELECT event, reason FROM gateway.journal WHERE space_id = %s", former.space.id)
    assert ("portal:device:release", "paired by someone who has it in hand") in {(t.event, t.reason) for t in told}


async def test_a_stranger_sees_nothing_of_a_pairing_and_drives_nothing(
    house: House, start_edge: StartEdge, tmp_path: Path
) -> None:
    start_edge()
    visit = Visit(await house.product.signed_in(house.patient.username))
    await visit.begin(house.edge)
    stranger = await house.product.signed_in(house.product.patient().username)
    for path in (visit._url, f"{visit._url}/state"):
        assert (await stranger.get(path)).status_code == 404
    token = field((await stranger.get("/devices/pair")).text, "csrf_token")
    assert (
        await stranger.post("/devices/pair", data={"edge": str(house.edge), "csrf_token": token})
    ).status_code == 422


async def test_an_edge_without_a_broker_is_said_to_be_offline(house: House, start_edge: StartEdge) -> None:
    edge = start_edge()
    online = "SELECT online FROM gateway.device_holding WHERE device_id = %s"
    await until(lambda: house.product.owner(online, house.edge)[0].online is True)
    edge.kill()
    await until(lambda: house.product.owner(online, house.edge)[0].online is False)
    browser = await house.product.signed_in(house.patient.username)
    assert "Offline since" in text_of((await browser.get("/devices")).text)
