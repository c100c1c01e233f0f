"""One database for all tests of programs: people and organisations are each test's own."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from catalogue_host import Host

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import open_pool


@pytest.fixture(scope="package")
def shared_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = "programs"
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE gateway OWNER gateway_owner STRATEGY FILE_COPY")
    yield name
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def host(postgres: EmbeddedPostgres, shared_database: str) -> AsyncIterator[Host]:
    async with open_pool(postgres.url("gateway_app", shared_database), "gateway_app") as pool:
        yield Host(pool)
