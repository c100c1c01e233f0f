"""One database for each module; what ingestion puts into it, and a connection as the portal has it."""

from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest
from ingest_world import World, fresh_world
from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import Row
from device_gateway.ingest.batch import BatchWriter


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world


@pytest.fixture
def writer(world: World) -> BatchWriter:
    return world.writer()


@pytest.fixture
async def portal(postgres: EmbeddedPostgres, world: World) -> AsyncIterator[AsyncConnection[Row]]:
    url = postgres.url("gateway_app", world.database)
    async with await AsyncConnection.connect(url, autocommit=True, row_factory=namedtuple_row) as connection:
        yield connection


@pytest.fixture
def home(world: World) -> tuple[UUID, UUID, UUID]:
    """A household: the holder of a scale, another person with a space, and the scale."""
    holder, partner = world.space(), world.space()
    return holder, partner, world.device(holder, since="2026-01-01T00:00:00Z")
