"""The FHIR API over the real PostgreSQL, with tokens that the catalogue issued."""

from collections.abc import AsyncIterator

import pytest
from fhir_world import World

from device_gateway.database.pool import AsyncPool


@pytest.fixture
async def world(app_pool: AsyncPool, owner_url: str) -> AsyncIterator[World]:
    made = World(app_pool, owner_url)
    async with made.client:
        yield made
