"""Real parts for every test that needs them: one PostgreSQL per session, for each test a database that is as new."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import settings
from lent_databases import LentDatabases
from timescale_server import TimescaleServer

from device_gateway.accounts import passwords
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import AsyncPool, open_pool

# Tests that wait for a handful of processes to do something in time: on a machine that is busy with something else one
# may be late. It has a second chance, and the summary names it ("rerun").
MANY_PROCESSES = frozenset({"acceptance", "apps", "ble", "bluez", "broker", "ingest"})

settings.register_profile("any machine", settings(), deadline=None)  # how long an example takes says nothing here
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: while Playwright's synchronous API is open, no asynchronous test can run in this process."""
    items.sort(key=lambda item: "acceptance" in item.path.parts)
    for item in items:
        if MANY_PROCESSES & set(item.path.parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--timescaledb", metavar="DIRECTORY", type=Path,
        help="run on a real TimescaleDB (Apache) in this private root, made when it is missing",
    )  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[PasswordHasher]:
    """Argon2id with little memory, for what runs in this process: hundreds of hashes are made. Gives the real one."""
    real, passwords._HASHER = passwords._HASHER, PasswordHasher(time_cost=1, memory_cost=256, parallelism=1)
    yield real
    passwords._HASHER = real


@pytest.fixture(scope="session")
def postgres(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[EmbeddedPostgres | TimescaleServer]:
    """A server whose database `gateway` is migrated and never used but as a template."""
    root = request.config.getoption("--timescaledb")
    server = TimescaleServer(root) if root else EmbeddedPostgres(tmp_path_factory.mktemp("store"))
    server.start()
    migrate(server.url("gateway_owner"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres) -> LentDatabases:
    return LentDatabases(postgres)


@pytest.fixture
def database(databases: LentDatabases) -> Iterator[str]:
    """Name of a migrated database that is as new."""
    with databases.lend() as name:
        yield name


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
