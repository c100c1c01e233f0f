"""From native partitions onto a real TimescaleDB (Apache) while others write: nothing is lost, nothing comes twice."""

import json
import os
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from timescale_server import OF_TIMESCALEDB, TimescaleServer

from device_gateway.database.capabilities import capabilities
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import connect, open_pool
from device_gateway.database.scoping import space_scope
from device_gateway.errors import TimescaleMissing
from device_gateway.readings import reading_back
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED
from device_gateway.readings.put import ReadingRow, ReadingWriter, to_microseconds
from device_gateway.store import hypertable
from device_gateway.store.hypertable import Progress, to_hypertable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

START = datetime(2026, 3, 1, tzinfo=UTC)
MONTHS, DEVICES = 5, 4
WEEK = timedelta(days=7)


class Killed(Exception):
    """Stands for the end of the process: nothing of it is caught."""


@pytest.fixture
def server(idle_timescale: TimescaleServer) -> TimescaleServer:
    """Running as a plain PostgreSQL that has TimescaleDB installed; migrated."""
    idle_timescale.run({})
    migrate(idle_timescale.url("postgres"))
    return idle_timescale


class Writer(threading.Thread):
    """Puts fresh readings, corrections and replays without end, and knows what must be there."""

    def __init__(self, url: str, series: list[int]) -> None:
        super().__init__()
        self.versions: dict[tuple[int, int, int], list[float]] = {}
        self.ended = threading.Event()
        self.batches = 0
        self.failure: BaseException | None = None
        self._connection = connect(url, "gateway_ingest")
        self._writer = ReadingWriter(self._connection)
        self._series = series
        self._random = Random(7)

    def close(self) -> None:
        self.ended.set()
        if self.is_alive():
            self.join()
        self._connection.close()

    def put(self, rows: list[ReadingRow]) -> None:
        told = self._writer.put([rows], lambda _: None)
        for row, outcome in zip(rows, told, strict=True):
            versions = self.versions.setdefault(row[:3], [])
            expected = DUPLICATE if row[3] in versions else CORRECTED if versions else STORED
            assert outcome == expected
            if row[3] not in versions:
                versions.append(row[3])
        self.batches += 1

    def fresh(self, count: int) -> list[ReadingRow]:
        minutes = self._random.sample(range(MONTHS * 30 * 24 * 60), count)
        return [self._row(self._random.choice(self._series), minute) for minute in minutes]

    def run(self) -> None:
        try:
            while not self.ended.is_set():
                known = self._random.sample(sorted(self.versions), 30)
                self.put([row for row in self.fresh(40) if row[:3] not in self.versions])
                self.put([self._again(key, self.versions[key][0]) for key in known[:10]])
                self.put([self._again(key, self._random.uniform(60, 80)) for key in known[10:]])
        except BaseException as error:  # told to the test
            self.failure = error

    def _row(self, series: int, minute: int) -> ReadingRow:
        at = to_microseconds(START + timedelta(minutes=minute))
        return series, at, 0, self._random.uniform(60, 80), 1, 60, 5, None, None, None

    @staticmethod
    def _again(key: tuple[int, int, int], value: float) -> ReadingRow:
        return (*key, value, 1, 60, 5, None, None, None)


def new_series(server: TimescaleServer, space: UUID) -> int:
    with connect(server.url("gateway_owner"), "gateway_owner") as owner:
        owner.execute("INSERT INTO gateway.space (id) VALUES (%s) ON CONFLICT DO NOTHING", (space,))
        query = "INSERT INTO gateway.series (space_id, metric, source_id) VALUES (%s, 'body-weight', %s) RETURNING id"
        return int(owner.execute(query, (space, uuid4())).fetchall()[0].id)


def stored(server: TimescaleServer) -> dict[tuple[int, int, int], tuple[float, int]]:
    with connect(server.url("gateway_owner"), "gateway_owner") as owner:
        rows = owner.execute("SELECT series, time, seq, value, version FROM gateway.reading").fetchall()
    found = {(row.series, to_microseconds(row.time), row.seq): (row.value, row.version) for row in rows}
    assert len(found) == len(rows)
    return found


def history(server: TimescaleServer) -> list[tuple[Any, ...]]:
    with connect(server.url("gateway_owner"), "gateway_owner") as owner:
        query = "SELECT series, time, seq, version, value FROM gateway.reading_version ORDER BY 1, 2, 3, 4"
        return [(r.series, to_microseconds(r.time), r.seq, r.version, r.value) for r in owner.execute(query)]


def test_a_server_without_timescaledb_is_told_so_and_keeps_its_table(server: TimescaleServer) -> None:
    with pytest.raises(TimescaleMissing, match="shared_preload_libraries"):
        to_hypertable(server.url("postgres"), WEEK)
    with psycopg.connect(server.url("postgres")) as connection:
        assert capabilities(connection).timescaledb is None
        assert connection.execute("SELECT to_regclass('gateway.reading_moving')").fetchone() == (None,)


async def test_writers_go_on_while_the_table_moves_and_nothing_is_lost_or_twice(
    server: TimescaleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hypertable, "PAGE", 500)
    space = uuid4()
    series = [new_series(server, space) for _ in range(DEVICES)]
    server.halt()
    server.run(OF_TIMESCALEDB)
    async with AsyncExitStack() as stack:
        writer = stack.enter_context(closing(Writer(server.url("gateway_ingest"), series)))
        for _ in range(5):
            writer.put(writer.fresh(2_000))
        pool = await stack.enter_async_context(open_pool(server.url("gateway_app"), "gateway_app"))
        app = await stack.enter_async_context(pool.connection())
        async with space_scope(app, space):
            assert len(await reading_back.latest(app)) == 1
        writer.start()

        def killed_at(rows: int) -> Any:
            def told(progress: Progress) -> None:
                if progress.rows > rows:
                    raise Killed

            return told

        for rows in (1_000, 6_000):
            with pytest.raises(Killed):
                to_hypertable(server.url("postgres"), WEEK, killed_at(rows))
        batches = writer.batches
        moved = to_hypertable(server.url("postgres"), WEEK)
        assert moved.pieces >= MONTHS
        assert moved.rows >= 10_000 // 2
        assert writer.batches > batches, "nobody wrote meanwhile"
        after = writer.batches
        while writer.batches < after + 6 and not writer.failure:
            writer.join(0.02)
        writer.ended.set()
        writer.join()
        assert writer.failure is None
        async with space_scope(app, space):  # the connection of before, with what it had prepared
            assert len(await reading_back.latest(app)) == 1
            everything = await reading_back.between(app, ["body-weight"], START, START + timedelta(days=400))
            assert len(everything) == len(writer.versions)
        async with space_scope(app, uuid4()):
            assert await reading_back.latest(app) == []
    expected = {key: (versions[-1], len(versions)) for key, versions in writer.versions.items()}
    assert stored(server) == expected
    assert history(server) == [
        (*key, number, value)
        for key in sorted(writer.versions)
        for number, value in enumerate(writer.versions[key][:-1], start=1)
    ]
    with connect(server.url("gateway_owner"), "gateway_owner") as owner:
        tables = owner.execute("SELECT hypertable_name AS name FROM timescaledb_information.hypertables").fetchall()
        assert [table.name for table in tables] == ["reading"]
        left = owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'gateway'::regnamespace"
            " AND relname ~ '^reading_(plain|moving|moved|2)'"
        ).fetchall()
        assert left == []
    assert to_hypertable(server.url("postgres"), WEEK).rows == 0, "once is enough"


def test_the_command_moves_the_table_and_says_so_for_scripts(server: TimescaleServer) -> None:
    series = new_series(server, uuid4())
    server.halt()
    server.run(OF_TIMESCALEDB)
    with closing(Writer(server.url("gateway_ingest"), [series])) as writer:
        writer.put(writer.fresh(100))
    environment = os.environ | {"DEVICE_GATEWAY_DATABASE_OWNER_URL": server.url("postgres")}
    command = [sys.executable, "-m", "device_gateway", "migrate", "--to-timescale", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["moved"] == {"pieces": MONTHS, "rows": 100}
    assert len(stored(server)) == 100
