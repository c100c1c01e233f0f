"""A gateway on its embedded broker with its workers, an edge that belongs to a patient, and the patient's browser."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from ble_world import PASSKEY, Program, edge_process, until
from portal_world import Patient, Product, field, text_of

from device_gateway import jobs
from device_gateway.broker.callout import run_callout
from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.database.pool import open_pool
from device_gateway.devices.credentials import hash_password, new_password
from device_gateway.ingest.worker import Worker
from device_gateway.settings import Settings
from device_gateway.transports.edge import state as edge_state

ROOMY = 64 * 1024 * 1024


@dataclass
class House:
    """`directory` is the host of the edge; `air` the radio there."""

    product: Product
    patient: Patient
    edge: UUID
    directory: Path
    air: str
    broker: EmbeddedBroker
    edges: list[Program]

    def start_edge(self, directory: Path | None = None) -> Program:
        """The edge whose state is in `directory`: the patient's, unless another one is named."""
        program = Program(edge_process, directory or self.directory, self.air, ROOMY)
        self.edges.append(program)
        program.ready("edge")
        return program

    def holders(self, address: str) -> list[tuple[UUID, bool]]:
        """(space, whether it holds the device now), in the order of time."""
        rows = self.product.owner(
            "SELECT h.space_id, upper_inf(h.during) AS now FROM gateway.device_holding h JOIN gateway.device d"
            " ON d.id = h.device_id WHERE d.hardware_id = %s ORDER BY lower(h.during)", address
        )  # fmt: skip
        return [(row.space_id, row.now) for row in rows]

    def held_by_another(self, model: str, address: str) -> Patient:
        """The former holder of such a device."""
        former = self.product.patient()
        [row] = self.product.owner(
            "INSERT INTO gateway.device (model, kind, hardware_id) VALUES (%s, 'device', %s) RETURNING id",
            model, address,
        )  # fmt: skip
        self.product.owner(
            "INSERT INTO gateway.device_holding (device_id, space_id, during, name)"
            " VALUES (%s, %s, tstzrange('2021-01-01', NULL), 'Hers')", row.id, former.space.id
        )  # fmt: skip
        return former

    def count(self, table: str) -> int:
        return int(self.product.owner(f"SELECT count(*) AS n FROM gateway.{table}")[0].n)

    def journal(self, patient: Patient) -> list[tuple[str, str | None]]:
        """(event, reason), in their order."""
        rows = self.product.owner(
            "SELECT event, reason FROM gateway.journal WHERE space_id = %s ORDER BY n", patient.space.id
        )
        return [(row.event, row.reason) for row in rows]


@asynccontextmanager
async def house_of(
    owner_url: str, app_url: str, ingest_url: str, air: str, directory: Path, **settings: Any
) -> AsyncIterator[House]:
    """`directory` is for everything; the edge's host is a part of it. `settings` are those of HTTP."""
    broker = EmbeddedBroker(directory)
    broker.start()
    runtime: dict[str, Any] = dict(broker.runtime())
    here = Settings(database_url=app_url, database_ingest_url=ingest_url, data_dir=directory, ingest_slots=1, **runtime)
    stop, ready = threading.Event(), threading.Event()
    worker = threading.Thread(target=Worker(here, stop, ready.set).run)
    edges: list[Program] = []
    try:
        async with (
            Product(owner_url, app_url, **runtime, **settings) as product,
            open_pool(ingest_url, "gateway_ingest", size=2) as pool,
        ):
            worker.start()
            await until(ready.is_set, timeout_s=20)
            listening = asyncio.Event()
            working = [
                asyncio.create_task(run_callout(here, pool, listening)),
                asyncio.create_task(_work(here, product)),
            ]
            await listening.wait()
            try:
                patient = product.patient()
                edge = _edge_of(product, patient, directory / "host", broker.runtime()["mqtt_public_url"])
                yield House(product, patient, edge, directory / "host", air, broker, edges)
            finally:
                for program in edges:
                    program.stop()
                for task in working:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
    finally:
        stop.set()
        if worker.ident is not None:
            await asyncio.to_thread(worker.join)
        broker.stop()


async def _work(settings: Settings, product: Product) -> None:
    while True:
        if not await jobs._work(settings, product.app.state.pool):
            await asyncio.sleep(0.05)


def _edge_of(product: Product, patient: Patient, directory: Path, mqtt_url: str) -> UUID:
    edge, password = uuid4(), new_password()
    product.owner(
        "INSERT INTO gateway.device (id, model, kind, credential) VALUES (%s, 'edge', 'edge', %s)",
        edge, hash_password(password),
    )  # fmt: skip
    product.owner(
        "INSERT INTO gateway.device_holding (device_id, space_id, during, name) VALUES (%s, %s, tstzrange(now(), NULL),"
        " 'Living room')", edge, patient.space.id
    )  # fmt: skip
    edge_state.configure(directory, edge_id=str(edge), mqtt_url=mqtt_url, password=password)
    return edge


class Visit:
    """One pairing in a browser without JavaScript."""

    def __init__(self, browser: httpx2.AsyncClient) -> None:
        self._browser = browser
        self.url = ""
        self.page = ""

    async def begin(self, edge: UUID) -> None:
        start = await self._browser.get("/devices/pair")
        assert "Living room" in start.text
        token = field(start.text, "csrf_token")
        answer = await self._browser.post("/devices/pair", data={"edge": str(edge), "csrf_token": token})
        assert answer.status_code == 303, answer.text
        self.url = answer.headers["location"]

    async def see(self, text: str, seconds: float = 30) -> str:
        """Waits, as the page itself does, until it has `text`."""
        for _ in range(int(seconds * 10)):
            self.page = (await self._browser.get(self.url)).text
            if text in self.page:
                return self.page
            await asyncio.sleep(0.1)
        raise AssertionError(text_of(self.page))

    async def send(self, **fields: str) -> httpx2.Response:
        token = field(self.page, "csrf_token")
        return await self._browser.post(self.url, data={"csrf_token": token, **fields})

    async def choose(self, address: str) -> None:
        """From the list of devices nearby."""
        await self.see(f'value="{address}"')
        assert (await self.send(address=address)).status_code == 303

    async def bond(self, address: str) -> None:
        """With the passkey that the device shows."""
        await self.choose(address)
        await self.see('name="passkey"')
        assert (await self.send(passkey=f"{PASSKEY:06d}")).status_code == 303
        await self.see('name="add"')
