"""Real parts for every test that needs them: one PostgreSQL per session, one database per test."""

import itertools
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import AsyncPool, open_pool

# Tests that wait for a handful of processes to do something in time: on a machine that is busy with something else one
# may be late. It has a second chance, and the summary names it ("rerun").
MANY_PROCESSES = frozenset({"acceptance", "apps", "ble", "bluez", "broker", "ingest"})

_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: while Playwright's synchronous API is open, no asynchronous test can run in this process."""
    items.sort(key=lambda item: "acceptance" in item.path.parts)
    for item in items:
        if MANY_PROCESSES & set(item.path.parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server whose database `gateway` is migrated and never used but as a template."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("store"))
    server.start()
    migrate(server.url("gateway_owner"))
    yield server
    server.stop()


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Name of a fresh migrated database."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE gateway OWNER gateway_owner")
    yield name
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def owner_url(postgres: EmbeddedPostgres, database: str) -> str:
    return postgres.url("gateway_owner", database)


@pytest.fixture
def app_url(postgres: EmbeddedPostgres, database: str) -> str:
    return postgres.url("gateway_app", database)


@pytest.fixture
def ingest_url(postgres: EmbeddedPostgres, database: str) -> str:
    return postgres.url("gateway_ingest", database)


@pytest.fixture
async def app_pool(app_url: str) -> AsyncIterator[AsyncPool]:
    async with open_pool(app_url, "gateway_app") as pool:
        yield pool
