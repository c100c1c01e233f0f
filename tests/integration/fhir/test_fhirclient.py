"""Somebody else's client finds its way from the metadata to the readings, over a socket."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvicorn
from fastapi import FastAPI
from fhirclient.models.observation import Observation
from fhirclient.server import FHIRServer

from device_gateway.database.pool import open_pool
from device_gateway.fhir import router


@pytest.fixture
def fhir_url(world, app_url) -> Iterator[str]:
    """The API of `world` served by uvicorn in a thread, with a pool of its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(app_url, "gateway_app") as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}/fhir"
    app.state.wiring = replace(world.host.wiring, fhir_url=url)
    yield url
    server.should_exit = True
    thread.join()


async def test_fhirclient_reads_searches_and_pages(world, fhir_url):
    ana = await world.session("weight")
    stored = [ana.space.put("body-weight", f"72.{day}0", f"2026-11-2{day}T08:00:00+01:00") for day in range(3)]

    server = FHIRServer(None, base_uri=fhir_url)
    server.session.headers["Authorization"] = f"Bearer {ana.token['access_token']}"
    assert [each.type for each in server.capabilityStatement.rest[0].resource] == ["Observation", "Device", "Patient"]

    observation = Observation.read(stored[1], server)
    assert observation.valueQuantity.value == 72.1
    search = Observation.where({"code": "http://loinc.org|29463-7", "patient": ana.patient_id, "_count": "2"})
    assert [each.id for each in search.perform_resources_iter(server)] == stored[::-1]
