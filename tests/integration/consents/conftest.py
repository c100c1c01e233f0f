"""One database for all tests of a file: patients and apps are each test's own."""

from collections.abc import AsyncIterator, Iterator

import pytest
from catalogue_host import Host
from lent_databases import LentDatabases

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import open_pool


@pytest.fixture(scope="module")
def shared_database(databases: LentDatabases) -> Iterator[str]:
    with databases.lend() as name:
        yield name


@pytest.fixture
async def host(postgres: EmbeddedPostgres, shared_database: str) -> AsyncIterator[Host]:
    async with open_pool(postgres.url("gateway_app", shared_database), "gateway_app") as pool:
        yield Host(pool, master_key=b"k" * 32)
