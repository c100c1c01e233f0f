"""The same SQL on a real TimescaleDB (Apache), from Debian's packages in a private root."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from device_gateway.database.capabilities import capabilities
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import connect
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED
from device_gateway.readings.packed import ReadingRow
from device_gateway.readings.put import ReadingWriter, to_microseconds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCRIPT = Path(__file__).parents[2] / "timescaledb-root.sh"
BINARIES = "/usr/lib/postgresql/17/bin"
POSTGRES_ID = 5432  # the user and group that the script writes into the root's passwd


@pytest.fixture(scope="module")
def timescaledb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a superuser on a server that preloads TimescaleDB."""
    root = tmp_path_factory.mktemp("timescaledb") / "root"
    subprocess.run(["sh", str(SCRIPT), str(root)], check=True, timeout=240)
    os.chown(root / "data", POSTGRES_ID, POSTGRES_ID)
    inside = ["chroot", f"--userspec={POSTGRES_ID}:{POSTGRES_ID}", str(root)]
    initialise = [
        f"{BINARIES}/initdb",
        "-D",
        "/data/pg",
        "-U",
        "postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]
    subprocess.run([*inside, *initialise], check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "",
        "dynamic_shared_memory_type": "mmap", "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (root / "tmp" / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*inside, f"{BINARIES}/postgres", "-D", "/data/pg", *arguments], stdout=log, stderr=log
        )
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
            break
        except psycopg.OperationalError:
            assert server.poll() is None, (root / "tmp" / "server.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
    migrate(url)
    yield url
    server.terminate()
    server.wait(30)


def test_readings_are_a_hypertable_and_doctor_says_what_the_licence_lacks(timescaledb: str) -> None:
    with psycopg.connect(timescaledb) as connection:
        found = capabilities(connection)
        tables = connection.execute("SELECT hypertable_name FROM timescaledb_information.hypertables").fetchall()
    assert tables == [("reading",)]
    assert found.hypertable
    assert not found.columnstore
    assert "Apache" in found.refused[0]


def test_stored_duplicate_and_corrected_are_told_apart_over_many_chunks(timescaledb: str) -> None:
    start = datetime.now(UTC) - timedelta(days=400)
    with connect(timescaledb, "gateway_owner") as owner:
        series = _series(owner)
    rows: list[ReadingRow] = [
        (series, to_microseconds(start + timedelta(days=day)), day, 100.0 + day % 50, 0, 60, 1, None, None, None)
        for day in range(0, 400, 5)
    ]
    with connect(timescaledb, "gateway_ingest") as connection:
        writer = ReadingWriter(connection)
        assert set(writer.put([rows], lambda _: None)) == {STORED}
        assert set(writer.put([rows], lambda _: None)) == {DUPLICATE}
        corrected = (*rows[3][:3], 42.0, *rows[3][4:])
        assert list(writer.put([[corrected, rows[5]]], lambda _: None)) == [CORRECTED, DUPLICATE]
        assert list(writer.put([[rows[3]]], lambda _: None)) == [DUPLICATE], "a late redelivery undoes no correction"
    with connect(timescaledb, "gateway_owner") as owner:
        stored = owner.execute(
            "SELECT count(*) AS n, max(version) AS v FROM gateway.reading WHERE series = %s", (series,)
        )
        assert stored.fetchall() == [(len(rows), 2)]
        history = owner.execute("SELECT value, version FROM gateway.reading_version WHERE series = %s", (series,))
        assert history.fetchall() == [(rows[3][3], 1)]
        [chunks] = owner.execute("SELECT count(*) AS n FROM show_chunks('gateway.reading')").fetchall()
        assert chunks.n > 50


def test_the_application_reads_its_space_through_the_view_and_nothing_else(timescaledb: str) -> None:
    at = to_microseconds(datetime.now(UTC) - timedelta(days=1))
    with connect(timescaledb, "gateway_owner") as owner:
        mine, others = _series(owner), _series(owner)
        [row] = owner.execute("SELECT space_id FROM gateway.series WHERE id = %s", (mine,)).fetchall()
    with connect(timescaledb, "gateway_ingest") as ingest:
        parts = [[(number, at, 0, 5.0, 0, 0, 1, None, None, None) for number in (mine, others)]]
        ReadingWriter(ingest).put(parts, lambda _: None)
    with connect(timescaledb, "gateway_app") as connection:
        assert connection.execute("SELECT series FROM gateway.reading_scoped").fetchall() == []
        with connection.transaction():
            connection.execute("SELECT set_config('app.space', %s, true)", (str(row.space_id),))
            assert connection.execute("SELECT series FROM gateway.reading_scoped").fetchall() == [(mine,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT series FROM gateway.reading")


def _series(owner: psycopg.Connection[object]) -> int:
    [space] = owner.execute("INSERT INTO gateway.space DEFAULT VALUES RETURNING id").fetchall()
    [device] = owner.execute(
        "INSERT INTO gateway.device (model, kind) VALUES ('dg-cgm', 'device') RETURNING id"
    ).fetchall()
    [series] = owner.execute(
        "INSERT INTO gateway.series (space_id, metric, device_id) VALUES (%s, 'interstitial-glucose', %s) RETURNING id",
        (_id(space), _id(device)),
    ).fetchall()
    return int(series.id)  # type: ignore[attr-defined]


def _id(row: object) -> UUID:
    return UUID(str(row.id))  # type: ignore[attr-defined]
