"""The one way in: identity, content, outcomes, history; whoever else writes at the same time."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_world import World, fresh_world
from psycopg.types.json import Jsonb

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED, Outcome
from device_gateway.readings.packed import ReadingRow
from device_gateway.readings.put import ReadingWriter, to_microseconds

T0 = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world


@pytest.fixture
def series(world: World) -> int:
    return int(
        world.one(
            "INSERT INTO gateway.series (space_id, metric, source_id) VALUES (%s, 'body-weight', %s) RETURNING id",
            world.space(), uuid4(),
        )
    )  # fmt: skip


@pytest.fixture
def writer(world: World) -> ReadingWriter:
    return ReadingWriter(world.connect())


def row(
    series: int,
    value: float = 71.5,
    *,
    minute: float = 0,
    seq: int = 0,
    decimals: int = 1,
    flags: int = 5,
    context: dict[str, str | int] | None = None,
) -> ReadingRow:
    time = to_microseconds(T0 + timedelta(minutes=minute))
    return series, time, seq, float(value), decimals, 60, flags, None, None, Jsonb(context) if context else None


def put(writer: ReadingWriter, *rows: ReadingRow) -> list[Outcome]:
    return list(writer.put([rows], lambda _: None))


def kept(world: World, series: int) -> list[tuple[float, int]]:
    """(value, version), by time and sequence."""
    return [
        (found.value, found.version)
        for found in world.rows("SELECT * FROM gateway.reading WHERE series = %s ORDER BY time, seq", series)
    ]


def history(world: World, series: int) -> list[tuple[float, int]]:
    query = "SELECT * FROM gateway.reading_version WHERE series = %s ORDER BY time, seq, version"
    return [(found.value, found.version) for found in world.rows(query, series)]


def test_a_reading_is_stored_once_however_often_it_comes(world: World, writer: ReadingWriter, series: int) -> None:
    assert put(writer, row(series)) == [STORED]
    for _ in range(4):
        assert put(writer, row(series)) == [DUPLICATE]
    assert kept(world, series) == [(71.5, 1)]
    assert history(world, series) == []


def test_time_and_sequence_tell_readings_apart(world: World, writer: ReadingWriter, series: int) -> None:
    rows = [row(series), row(series, seq=1), row(series, minute=1 / 60_000_000), row(series, minute=1)]
    assert put(writer, *rows) == [STORED] * 4
    assert len(kept(world, series)) == 4


def test_sequence_numbers_of_any_size_go_together(writer: ReadingWriter, series: int) -> None:
    rows = [row(series, seq=seq) for seq in (0, 1, 2**15, 2**31, 2**62, 2**63 - 1)]
    assert put(writer, *rows) == [STORED] * 6
    assert put(writer, *rows) == [DUPLICATE] * 6


def test_other_content_is_a_correction_and_the_old_one_stays_in_history(
    world: World, writer: ReadingWriter, series: int
) -> None:
    put(writer, row(series, 71.5))
    assert put(writer, row(series, 71.6)) == [CORRECTED]
    assert put(writer, row(series, 71.7)) == [CORRECTED]
    assert kept(world, series) == [(71.7, 3)]
    assert history(world, series) == [(71.5, 1), (71.6, 2)]


@pytest.mark.parametrize(
    "other",
    [
        {"decimals": 2}, {"flags": 6}, {"flags": 5 | 1 << 8}, {"context": {"meal": "fasting"}},
        {"context": {"meal": "fasting", "tester": 1}},
    ],
)  # fmt: skip
def test_digits_unit_status_and_context_are_content(writer: ReadingWriter, series: int, other: dict[str, Any]) -> None:
    put(writer, row(series))
    assert put(writer, row(series, **other)) == [CORRECTED]
    assert put(writer, row(series, **other)) == [DUPLICATE]


def test_the_order_of_keys_in_a_context_is_no_content(writer: ReadingWriter, series: int) -> None:
    put(writer, row(series, context={"meal": "fasting", "hand": "left"}))
    assert put(writer, row(series, context={"hand": "left", "meal": "fasting"})) == [DUPLICATE]


def test_the_patients_offset_is_no_content(writer: ReadingWriter, series: int) -> None:
    put(writer, row(series))
    moved = (*row(series)[:5], 120, *row(series)[6:])
    assert put(writer, moved) == [DUPLICATE]


def test_a_late_redelivery_of_any_past_version_does_not_undo_a_correction(
    world: World, writer: ReadingWriter, series: int
) -> None:
    for value in (71.5, 71.6, 71.7):
        put(writer, row(series, value))
    for value in (71.5, 71.6, 71.7, 71.5):
        assert put(writer, row(series, value)) == [DUPLICATE]
    assert kept(world, series) == [(71.7, 3)]


@pytest.mark.parametrize("order", list(permutations((1, 0, 2))))
def test_what_is_corrected_stays_current_and_what_is_final_before_what_is_preliminary_in_whatever_order_they_come(
    world: World, writer: ReadingWriter, series: int, order: tuple[int, ...]
) -> None:
    """As when a worker died that held the original, and the broker sends it again behind its correction."""
    contents = {status: row(series, 71 + status, flags=5 | status << 8) for status in order}
    assert [put(writer, contents[status]) for status in order] == [[STORED], [CORRECTED], [CORRECTED]]
    assert kept(world, series) == [(73, 3)]
    assert sorted(value for value, _ in history(world, series)) == [71, 72]
    assert sorted(version for _, version in history(world, series)) == [1, 2]
    assert put(writer, *contents.values()) == [DUPLICATE] * 3
    assert put(writer, row(series, 80, flags=5 | 2 << 8)) == [CORRECTED]
    assert kept(world, series) == [(80, 4)]


def test_a_redelivery_that_races_a_correction_does_not_undo_it(
    world: World, writer: ReadingWriter, series: int
) -> None:
    """The redelivery of an older version begins before the correction is committed, and waits for its row."""
    put(writer, row(series, 71.4))
    put(writer, row(series, 71.5))
    late = ReadingWriter(world.connect())
    redelivered: list[Sequence[Outcome]] = []
    thread = threading.Thread(target=lambda: redelivered.append(put(late, row(series, 71.4))))

    def meanwhile(_: Sequence[Outcome]) -> None:
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        deadline = time.monotonic() + 10
        while world.one(waiting) == 0:
            assert time.monotonic() < deadline, "the redelivery does not wait for the correction"
            time.sleep(0.01)

    writer._replays = late._replays = 1.0  # both by reading_put, which must tell versions apart
    assert writer.put([[row(series, 71.6)]], meanwhile) == [CORRECTED]
    thread.join(10)
    assert redelivered == [[DUPLICATE]]
    assert kept(world, series) == [(71.6, 3)]


def test_a_redelivery_of_what_is_current_does_not_wait_for_who_corrects_it(
    world: World, writer: ReadingWriter, series: int
) -> None:
    put(writer, row(series, 71.5))
    late = ReadingWriter(world.connect())
    redelivered: list[list[Outcome]] = []
    writer._replays = late._replays = 1.0
    told = writer.put([[row(series, 71.6)]], lambda _: redelivered.append(put(late, row(series, 71.5))))
    assert (list(told), redelivered) == ([CORRECTED], [[DUPLICATE]])
    assert kept(world, series) == [(71.6, 2)]


@pytest.mark.parametrize("known", [False, True], ids=["fresh", "known"])
@pytest.mark.parametrize("order", list(permutations((71.5, 71.5, 71.6))))
def test_one_identity_several_times_in_a_batch_is_taken_in_the_order_of_arrival(
    world: World, writer: ReadingWriter, series: int, order: Sequence[float], known: bool
) -> None:
    if known:
        put(writer, row(series, 71.5))
    told = put(writer, *[row(series, value) for value in order], row(series, 80, minute=9))
    current, seen = (71.5, {71.5}) if known else (None, set[float]())
    expected: list[Outcome] = []
    for value in order:
        expected.append(DUPLICATE if value in seen else CORRECTED if seen else STORED)
        current = value if value not in seen else current
        seen.add(value)
    assert told == [*expected, STORED]
    assert kept(world, series)[0] == (current, len(seen))


def test_a_batch_with_one_known_row_still_tells_every_row(world: World, writer: ReadingWriter, series: int) -> None:
    put(writer, row(series, minute=50))
    told = put(writer, *[row(series, minute=minute) for minute in range(100)])
    assert told == [DUPLICATE if minute == 50 else STORED for minute in range(100)]


def test_a_stream_of_replays_is_spared_the_attempt_to_copy_and_comes_back(
    world: World, writer: ReadingWriter, series: int
) -> None:
    put(writer, row(series))
    for _ in range(10):
        assert put(writer, row(series)) == [DUPLICATE]
    assert writer._replays > 0.5
    for minute in range(1, 10):
        assert put(writer, row(series, minute=minute)) == [STORED]
    assert writer._replays < 0.5


def test_an_empty_batch_commits_what_goes_with_it(world: World, writer: ReadingWriter) -> None:
    for replays in (0.0, 1.0):
        writer._replays = replays
        called: list[int] = []
        assert list(writer.put([], lambda outcomes, called=called: called.append(len(outcomes)))) == []  # type: ignore[misc]
        assert called == [0]


@pytest.mark.parametrize("replays", [0.0, 1.0], ids=["copy", "put"])
def test_readings_and_what_goes_with_them_are_committed_together_or_not_at_all(
    world: World, writer: ReadingWriter, series: int, replays: float
) -> None:
    writer._replays = replays

    def fails(_: Sequence[Outcome]) -> None:
        raise psycopg.errors.DataException

    with pytest.raises(psycopg.errors.DataException):
        writer.put([[row(series)]], fails)
    assert kept(world, series) == []
    assert put(writer, row(series)) == [STORED]


def test_months_that_were_never_written_to_are_made_as_they_are_needed(
    world: World, writer: ReadingWriter, series: int
) -> None:
    months = [datetime(year, month, 1, tzinfo=UTC) for year in range(2003, 2009) for month in range(1, 13)]
    edges = [at for month in months for at in (month, month - timedelta(microseconds=1))]
    rows: list[ReadingRow] = [(series, to_microseconds(at), 0, 71.5, 1, 60, 5, None, None, None) for at in edges]
    assert put(writer, *rows) == [STORED] * len(rows)
    assert put(writer, *rows) == [DUPLICATE] * len(rows)


def test_a_new_month_waits_neither_for_readers_nor_for_writers_of_another(
    world: World, writer: ReadingWriter, series: int
) -> None:
    put(writer, row(series))
    with psycopg.connect(world.owner_url) as reader, psycopg.connect(world.owner_url) as other:
        reader.execute("SELECT count(*) FROM gateway.reading")  # a long transaction: an export, a backup
        other.execute("UPDATE gateway.reading SET offset_min = 0 WHERE series = %s", (series,))
        old: ReadingRow = (
            series,
            to_microseconds(datetime(2011, 5, 1, tzinfo=UTC)),
            0,
            71.5,
            1,
            60,
            5,
            None,
            None,
            None,
        )
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(put, writer, old).result(timeout=5) == [STORED]
        assert reader.execute("SELECT count(*) FROM gateway.reading WHERE series = %s", (series,)).fetchone()
        other.rollback()


def test_writers_that_need_the_same_new_month_at_once_all_succeed(world: World, series: int) -> None:
    writers = [ReadingWriter(world.connect()) for _ in range(4)]
    start = threading.Barrier(len(writers))

    def work(number: int) -> list[Outcome]:
        start.wait(10)
        times = [to_microseconds(datetime(2012, month, 1 + number, tzinfo=UTC)) for month in (7, 8, 9)]
        return put(writers[number], *[(series, at, 0, 71.5, 1, 60, 5, None, None, None) for at in times])

    with ThreadPoolExecutor(len(writers)) as threads:
        assert list(threads.map(work, range(len(writers)))) == [[STORED] * 3] * len(writers)


def test_writers_of_the_same_rows_in_any_order_store_each_exactly_once(world: World, series: int) -> None:
    writers = [ReadingWriter(world.connect()) for _ in range(4)]
    rows = [row(series, minute=minute) for minute in range(120)]

    def work(number: int) -> list[Outcome]:
        random, told = Random(number), []
        for start in range(0, len(rows), 40):
            batch = rows[start : start + 40]
            random.shuffle(batch)
            told += put(writers[number], *batch)
        return told

    with ThreadPoolExecutor(len(writers)) as threads:
        told = [outcome for outcomes in threads.map(work, range(len(writers))) for outcome in outcomes]
    assert (told.count(STORED), told.count(DUPLICATE)) == (len(rows), 3 * len(rows))
    assert len(kept(world, series)) == len(rows)


def test_writers_that_correct_the_same_reading_at_once_lose_no_version(world: World, series: int) -> None:
    values = [70 + number / 10 for number in range(12)]
    writers = [ReadingWriter(world.connect()) for _ in range(3)]

    def work(number: int) -> list[Outcome]:
        return [put(writers[number], row(series, value))[0] for value in values[number::3] + values[number::3]]

    with ThreadPoolExecutor(len(writers)) as threads:
        told = [outcome for outcomes in threads.map(work, range(len(writers))) for outcome in outcomes]
    assert told.count(STORED) == 1
    assert told.count(CORRECTED) == len(values) - 1
    [(current, version)] = kept(world, series)
    assert version == len(values)
    assert sorted([current, *(value for value, _ in history(world, series))]) == values


class Model:
    """What `put` promises, without a database."""

    def __init__(self) -> None:
        self.versions: dict[tuple[int, int], list[tuple[float, str]]] = {}

    def put(self, identity: tuple[int, int], content: tuple[float, str]) -> Outcome:
        versions = self.versions.setdefault(identity, [])
        if content in versions:
            return DUPLICATE
        versions.append(content)
        return STORED if len(versions) == 1 else CORRECTED


ITEMS = st.tuples(st.integers(0, 3), st.integers(0, 1), st.sampled_from([70.0, 70.5]), st.sampled_from(["", "fasting"]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(ITEMS, max_size=6), max_size=6), streamed=st.booleans())
def test_any_sequence_of_batches_equals_the_simple_model(
    world: World, writer: ReadingWriter, new_series: Callable[[], int],
    batches: list[list[tuple[int, int, float, str]]], streamed: bool,
) -> None:  # fmt: skip
    series, model = new_series(), Model()
    for batch in batches:
        rows = [
            row(series, value, minute=minute, seq=seq, context={"meal": meal} if meal else None)
            for minute, seq, value, meal in batch
        ]
        parts = [[each] for each in rows] if streamed else [rows]
        told = list(writer.put(parts, lambda _: None))
        assert told == [model.put((minute, seq), (value, meal)) for minute, seq, value, meal in batch]
    found = world.rows("SELECT * FROM gateway.reading WHERE series = %s ORDER BY time, seq", series)
    assert [(r.value, (r.context or {}).get("meal", ""), r.version) for r in found] == [
        (*model.versions[identity][-1], len(model.versions[identity]))
        for identity in product(range(4), range(2))
        if identity in model.versions
    ]
    assert len(history(world, series)) == sum(len(versions) - 1 for versions in model.versions.values())


@pytest.fixture
def new_series(world: World) -> Callable[[], int]:
    def new() -> int:
        query = "INSERT INTO gateway.series (space_id, metric, source_id) VALUES (%s, 'pain', %s) RETURNING id"
        return int(world.one(query, world.space(), uuid4()))

    return new
