"""Compressed chunks on TimescaleDB under its own licence (PGlite): readings come late, again and corrected as ever."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from columnstore_server import columnstore_server
from psycopg import Connection

from device_gateway.database.capabilities import capabilities
from device_gateway.database.pool import connect
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED, Outcome
from device_gateway.readings.put import ReadingRow, ReadingWriter, to_microseconds
from device_gateway.store.compression import compress_older_than
from device_gateway.store.pieces import pieces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NOW = datetime.now(UTC).replace(microsecond=0)
AGE = timedelta(days=30)
STEP = timedelta(hours=8)
COUNT = 300  # readings of each of two series: a hundred days, the newest now
LOOKS = (
    "SELECT * FROM gateway.reading_scoped ORDER BY series, time, seq",
    """SELECT r.* FROM gateway.reading_newest(ARRAY[%(series)s], ARRAY[timestamptz '-infinity'],
        ARRAY[timestamptz 'infinity'], ARRAY[0::int8], 1000) r ORDER BY time""",
    "SELECT * FROM gateway.reading_days(ARRAY[%(series)s], '-infinity', 'infinity')",
    "SELECT * FROM gateway.reading_buckets(ARRAY[%(series)s], '-infinity', 'infinity', interval '12 hours')",
    "SELECT * FROM gateway.reading_gaps(ARRAY[%(series)s], '2020-01-01', '2030-01-01', interval '9 hours')",
    "SELECT * FROM gateway.reading_profile(ARRAY[%(series)s], '-infinity', 'infinity', 60)",
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection[Any]]:
    """The only connection, as gateway_owner."""
    with columnstore_server(tmp_path_factory.mktemp("pglite")) as url, connect(url, "gateway_owner") as connection:
        connection.execute("DEALLOCATE ALL")  # what the connection that migrated left: they share one session
        yield connection


@pytest.fixture
def space() -> UUID:
    return uuid4()


@pytest.fixture
def series(database: Connection[Any], space: UUID) -> list[int]:
    """Two, filled and compressed but for the last month."""
    database.execute("INSERT INTO gateway.space (id) VALUES (%s)", (space,))
    query = "INSERT INTO gateway.series (space_id, metric, source_id) VALUES (%s, 'body-weight', %s) RETURNING id"
    keys = [int(database.execute(query, (space, uuid4())).fetchall()[0].id) for _ in range(2)]
    rows = [row(key, ago) for key in keys for ago in range(COUNT)]
    assert set(put(database, *rows)) == {STORED}
    compress_older_than(database, AGE, NOW)
    return keys


def row(series: int, ago: int, value: float | None = None) -> ReadingRow:
    at = to_microseconds(NOW - ago * STEP)
    number = 100.0 + ago % 60 if value is None else value
    return series, at, ago, number, 0, 60, 1, None, None, None


def put(database: Connection[Any], *rows: ReadingRow) -> list[Outcome]:
    """As the role that ingests, without COPY, which PGlite does not have."""
    database.execute("SET ROLE gateway_ingest")
    writer = ReadingWriter(database)
    writer._replays = 1.0
    outcomes = [*writer.put([rows], lambda _: None)]
    database.execute("SET ROLE gateway_owner")
    return outcomes


def looks(database: Connection[Any], space: UUID, series: int) -> list[list[Any]]:
    """What the application sees."""
    with database.transaction():
        database.execute("SET LOCAL ROLE gateway_app")
        database.execute("SELECT set_config('app.space', %s, true)", (str(space),))
        return [database.execute(look.encode(), {"series": series}).fetchall() for look in LOOKS]


def test_this_server_may_compress_and_what_is_old_is_compressed(database: Connection[Any], series: list[int]) -> None:
    assert capabilities(database).columnstore
    found = pieces(database)
    assert [piece for piece in found if piece.compressed] == [piece for piece in found if piece.until <= NOW - AGE]
    assert 8 <= sum(piece.compressed for piece in found) <= 12


def test_every_reading_back_gives_the_same_answer_compressed(
    database: Connection[Any], space: UUID, series: list[int]
) -> None:
    compressed = looks(database, space, series[0])
    assert all(compressed)
    for piece in pieces(database):
        if piece.compressed:
            database.execute("SELECT decompress_chunk(%s::regclass)", (piece.name,))
    assert looks(database, space, series[0]) == compressed
    with database.transaction():
        database.execute("SET LOCAL ROLE gateway_app")
        database.execute("SELECT set_config('app.space', %s, true)", (str(uuid4()),))
        assert database.execute("SELECT * FROM gateway.reading_scoped").fetchall() == []


def test_replays_corrections_and_late_readings_are_told_apart_in_compressed_chunks(
    database: Connection[Any], series: list[int]
) -> None:
    key = series[0]
    assert set(put(database, *(row(key, ago) for ago in range(COUNT)))) == {DUPLICATE}
    old = [row(key, 250, 42.0), row(key, 251), row(key, 252, 43.0)]
    late = (key, row(key, 253)[1] + 1, *row(key, 253)[2:])
    assert put(database, *old, late) == [CORRECTED, DUPLICATE, CORRECTED, STORED]
    assert put(database, row(key, 250), late) == [DUPLICATE, DUPLICATE], "a late redelivery undoes no correction"
    history = database.execute(
        "SELECT value, version FROM gateway.reading_version WHERE series = %s ORDER BY seq", (key,)
    )
    assert history.fetchall() == [(row(key, 250)[3], 1), (row(key, 252)[3], 1)]
    stored = database.execute("SELECT count(*) AS n, max(version) AS v FROM gateway.reading WHERE series = %s", (key,))
    assert stored.fetchall() == [(COUNT + 1, 2)]


def test_chunks_that_were_written_to_are_compressed_again(database: Connection[Any], series: list[int]) -> None:
    put(database, row(series[0], 250, 42.0))
    assert [piece.partial for piece in pieces(database)].count(True) == 1
    assert len(compress_older_than(database, AGE, NOW)) == 1
    assert compress_older_than(database, AGE, NOW) == []
    assert put(database, row(series[0], 250, 42.0)) == [DUPLICATE]


def test_a_series_can_be_deleted_from_compressed_chunks(database: Connection[Any], series: list[int]) -> None:
    first, second = series
    database.execute("DELETE FROM gateway.reading WHERE series = %s", (first,))
    left = database.execute(
        "SELECT series, count(*) FROM gateway.reading WHERE series = ANY (%s) GROUP BY 1", (series,)
    )
    assert left.fetchall() == [(second, COUNT)]
    assert put(database, row(first, 250)) == [STORED]
