"""The embedded PostgreSQL: whoever starts it, and however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from servers import AS_ORDINARY_USER, AS_ROOT, SUPERVISE, Supervisor, home_for

from device_gateway.database.embedded import EmbeddedPostgres

WAIT_S = 20


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """Started anew for each test, on one cluster: making one takes a second."""
    server = EmbeddedPostgres(data_dir)
    server.start()
    yield server
    server.stop()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def keep_a_row(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("gateway_owner"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")


def kept_row(server: EmbeddedPostgres) -> object:
    with psycopg.connect(server.url("gateway_owner")) as connection:
        return connection.execute("SELECT n FROM kept").fetchone()


def log_of(server: EmbeddedPostgres) -> str:
    return (server.directory / "server.log").read_text()


@pytest.mark.parametrize("prefix", [AS_ORDINARY_USER, AS_ROOT], ids=["ordinary-user", "root"])
def test_it_starts_for_root_and_for_an_ordinary_user_and_syncs_every_commit(prefix: Sequence[str]) -> None:
    with home_for(prefix) as home:
        supervisor = Supervisor(home, prefix)
        with psycopg.connect(supervisor.url) as connection:
            settings = dict(
                connection.execute(
                    "SELECT name, setting FROM pg_settings WHERE name IN"
                    " ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses', 'data_checksums')"
                ).fetchall()
            )
        assert supervisor.stop() == "stopped"
        assert settings == {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "listen_addresses": "127.0.0.1",
            "data_checksums": "on",
        }
        assert {path.name for path in home.iterdir()} == {"postgres", "postgres-secrets.json"}
        assert {path.stat().st_uid for path in home.rglob("*")} == {home.stat().st_uid}
        assert (home / "postgres-secrets.json").stat().st_mode & 0o777 == 0o600
        assert (home / "postgres").stat().st_mode & 0o777 == 0o700


def test_nobody_gets_in_without_the_password(server: EmbeddedPostgres) -> None:
    address = urlsplit(server.url("gateway_owner"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://gateway_owner:guess@{address.hostname}:{address.port}/gateway")


def test_what_was_committed_is_there_after_a_restart_under_the_same_url(server: EmbeddedPostgres) -> None:
    keep_a_row(server)
    url = server.url("gateway_owner")
    server.stop()
    assert not server.running
    server.start()
    assert server.url("gateway_owner") == url
    assert kept_row(server) == (42,)


def test_stopping_is_a_clean_shutdown_even_with_sessions_open(server: EmbeddedPostgres) -> None:
    before = len(log_of(server))
    session = psycopg.connect(server.url("gateway_owner"))
    session.execute("SELECT 1")
    server.stop()
    assert "database system is shut down" in log_of(server)[before:]
    server.start()
    assert "was not properly shut down" not in log_of(server)[before:]
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()


def test_what_was_committed_survives_kill_9_of_a_busy_server(server: EmbeddedPostgres) -> None:
    keep_a_row(server)
    sessions = [psycopg.connect(server.url("gateway_owner")) for _ in range(3)]
    for session in sessions:  # in the middle of a transaction that is never committed
        session.execute("INSERT INTO kept SELECT generate_series(1000, 20000)")
    server.kill()
    server.start()  # at once: processes of the old server may not have noticed yet
    assert kept_row(server) == (42,)
    for session in sessions:
        session.close()


def test_it_ends_cleanly_when_its_parent_is_killed(data_dir: Path) -> None:
    log = data_dir / "postgres" / "server.log"
    before = log.stat().st_size if log.exists() else 0
    supervisor = Supervisor(data_dir)
    pid = supervisor.pid
    assert alive(pid)
    supervisor.kill()
    until(lambda: not alive(pid))
    assert "database system is shut down" in log.read_text()[before:]


def test_another_port_is_used_when_somebody_took_the_former_one(server: EmbeddedPostgres) -> None:
    keep_a_row(server)
    port = urlsplit(server.url("postgres")).port
    server.stop()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        server.start()
        assert urlsplit(server.url("postgres")).port != port
        assert kept_row(server) == (42,)


def test_a_second_server_on_the_same_directory_is_refused_and_the_first_goes_on(server: EmbeddedPostgres) -> None:
    keep_a_row(server)
    second = Supervisor(server.directory.parent)
    second.stop()
    assert second.said.startswith("DatabaseUnreachable PostgreSQL did not start: ")
    assert "lock file" in second.said
    assert kept_row(server) == (42,)


def test_an_initialisation_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(tmp_path)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    until(lambda: (tmp_path / "postgres.new" / "PG_VERSION").exists() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "postgres").exists()
    server = EmbeddedPostgres(tmp_path)
    server.start()
    with psycopg.connect(server.url("gateway_app")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("gateway_app",)
    server.stop()


def test_a_crashed_server_starts_again_when_its_process_number_is_anothers(server: EmbeddedPostgres) -> None:
    keep_a_row(server)
    server.kill()
    lock = server.directory / "postmaster.pid"
    other = subprocess.Popen(["sleep", "60"])
    try:
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        server.start()
        assert kept_row(server) == (42,)
    finally:
        other.kill()
        other.wait()


def test_its_log_does_not_quote_what_a_refused_statement_held(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("gateway_owner"), autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE reading (value numeric PRIMARY KEY, context jsonb, CHECK (value < 1000))")
        connection.execute("INSERT INTO reading VALUES (98.7654321)")
        for statement, parameter in (
            ("INSERT INTO reading VALUES (%s)", "98.7654321"),
            ("INSERT INTO reading VALUES (%s::text::numeric)", "planted 98.7654321"),
            ("INSERT INTO reading VALUES (%s)", "9876543.21"),
            ("INSERT INTO reading VALUES (1, %s::text::jsonb)", '{"meal": "98.7654321'),
            ("SELECT 98.7654321 / (%s::int - 1)", "1"),
        ):
            with suppress(psycopg.DataError, psycopg.IntegrityError):
                connection.execute(statement, (parameter,))
    server.stop()
    assert "98.76" not in log_of(server)
    assert "9876543" not in log_of(server)
