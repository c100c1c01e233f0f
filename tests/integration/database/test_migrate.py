"""Migrations: on any server, by any user who may, as often as one likes."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from servers import AS_ORDINARY_USER, home_for

from device_gateway.database.embedded import EmbeddedPostgres, _program
from device_gateway.database.migrate import migrate, pending
from device_gateway.database.pool import connect, open_pool
from device_gateway.errors import DatabaseUnreachable, MigrationConflict
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED
from device_gateway.readings.packed import ReadingRow
from device_gateway.readings.put import ReadingWriter, to_microseconds

DEBIAN = Path("/usr/lib/postgresql/15/bin")  # the oldest version that is supported


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of an empty database that belongs to a user who may create roles, and nothing else."""
    name = f"external_{uuid4().hex[:8]}"
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'secret'")
        connection.execute(f"CREATE DATABASE {name} OWNER {name}")
        for role in ("gateway_owner", "gateway_app", "gateway_ingest"):
            connection.execute(f"GRANT {role} TO {name} WITH ADMIN OPTION, SET FALSE, INHERIT FALSE")
    host = postgres.url("postgres").rpartition("@")[2].rpartition("/")[0]
    yield f"postgresql://{name}:secret@{host}/{name}"
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def external() -> Iterator[str]:
    """URL of a superuser of another PostgreSQL: Debian's, where it is installed."""
    binaries = DEBIAN if DEBIAN.exists() else _program("initdb").parent
    with home_for(AS_ORDINARY_USER) as home, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        data = home / "data"
        subprocess.run(
            [*AS_ORDINARY_USER, binaries / "initdb", "-N", "-D", data, "-U", "root", "-A", "trust", "-E", "UTF8"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [*AS_ORDINARY_USER, binaries / "postgres", "-D", data, "-p", str(port), "-k", "", "-c", "fsync=off"],
                stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        url = f"postgresql://root@127.0.0.1:{port}/postgres"
        try:
            for _ in range(200):
                try:
                    psycopg.connect(url).close()
                    break
                except psycopg.OperationalError:
                    time.sleep(0.05)
            yield url
        finally:
            server.terminate()
            server.wait(20)
            shutil.rmtree(data)


def a_role_that_may_create_roles(url: str) -> str:
    """URL of a database of its own for a new user, who has no other right."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE operator LOGIN CREATEROLE")
        connection.execute("CREATE DATABASE health OWNER operator")
    return url.replace("root@", "operator@").replace("/postgres", "/health")


def test_an_up_to_date_database_is_left_alone(owner_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        before = connection.execute("SELECT * FROM gateway.migration ORDER BY package, name").fetchall()
        assert pending(connection) == []
    assert migrate(owner_url) == []
    with psycopg.connect(owner_url) as connection:
        assert connection.execute("SELECT * FROM gateway.migration ORDER BY package, name").fetchall() == before


def test_a_file_that_was_changed_after_it_was_applied_is_refused_by_name(owner_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("UPDATE gateway.migration SET sha256 = 'other' WHERE name LIKE '0002%'")
    with pytest.raises(MigrationConflict, match=r"device_gateway/0002_devices\.sql"):
        migrate(owner_url)


def test_what_a_database_lacks_is_named_before_it_is_applied(empty: str) -> None:
    with psycopg.connect(empty) as connection:
        lacking = pending(connection)
    assert lacking[0] == "device_gateway/0001_spaces_and_accounts.sql"
    assert any(name.startswith("app_catalog/") for name in lacking)
    assert migrate(empty) == lacking


def test_a_server_that_does_not_answer_is_an_error_that_says_so() -> None:
    with pytest.raises(DatabaseUnreachable, match="does not answer"):
        migrate("postgresql://nobody@127.0.0.1:1/none")


def test_several_who_migrate_at_once_apply_each_file_once(empty: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        applied = [name for names in threads.map(migrate, [empty] * 3) for name in names]
    assert len(applied) == len(set(applied)) > 3


async def test_a_user_without_superuser_rights_migrates_and_serves(empty: str) -> None:
    """On a server where who creates a role may grant it, and is no member that could assume it."""
    migrate(empty)
    await works_for_every_role(empty)


async def test_any_server_by_url_will_do(external: str) -> None:
    url = a_role_that_may_create_roles(external)
    assert migrate(url)
    assert migrate(url) == []
    await works_for_every_role(url)


async def works_for_every_role(url: str) -> None:
    """Readings are stored, told apart and read back, each by a role that `url`'s user assumes."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("SET ROLE gateway_owner")
        [space] = owner.execute("INSERT INTO gateway.space DEFAULT VALUES RETURNING id").fetchone()  # type: ignore[misc]
        [series] = owner.execute(  # type: ignore[misc]
            "INSERT INTO gateway.series (space_id, metric, source_id) VALUES (%s, 'body-weight', %s) RETURNING id",
            (space, uuid4()),
        ).fetchone()
    time_us = to_microseconds(datetime(2026, 3, 1, tzinfo=UTC))
    row: ReadingRow = (series, time_us, 0, 71.5, 1, 60, 5, None, None, None)
    other: ReadingRow = (series, time_us, 0, 71.6, 1, 60, 5, None, None, None)
    with connect(url, "gateway_ingest") as connection:
        writer = ReadingWriter(connection)
        told = [writer.put([[each]], lambda _: None)[0] for each in (row, row, other, row)]
    assert told == [STORED, DUPLICATE, CORRECTED, DUPLICATE]
    async with open_pool(url, "gateway_app") as pool, pool.connection() as reader, reader.transaction():
        await reader.execute("SELECT set_config('app.space', %s, true)", (str(space),))
        found = await (await reader.execute("SELECT value, version FROM gateway.reading_scoped")).fetchall()
    assert found == [(71.6, 2)]
