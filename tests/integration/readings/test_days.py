"""Roll-ups by day give the answer of the readings themselves, whatever comes late, is corrected or moves."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_world import World, fresh_world
from psycopg.rows import namedtuple_row

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.scoping import space_scope
from device_gateway.readings import summaries
from device_gateway.readings.days import ROLLED_AFTER, roll_up
from device_gateway.readings.put import ReadingRow, ReadingWriter, to_microseconds

App = psycopg.AsyncConnection[Any]  # rows are named tuples
NOW = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0)
OLD = NOW - timedelta(days=45)


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world


@pytest.fixture
async def app(postgres: EmbeddedPostgres, world: World) -> AsyncIterator[App]:
    """As `serve` and `jobs` are connected."""
    url = postgres.url("gateway_app", world.database)
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=namedtuple_row)
    async with connection:
        yield connection


@pytest.fixture(scope="module")
def writer(world: World) -> ReadingWriter:
    return ReadingWriter(world.connect())


@pytest.fixture
def space(world: World) -> UUID:
    return world.space()


def series_of(world: World, space: UUID) -> int:
    query = "INSERT INTO gateway.series (space_id, metric, device_id) VALUES (%s, 'body-weight', %s) RETURNING id"
    return int(world.one(query, space, world.device(space)))


def row(series: int, at: datetime, value: float = 70, offset_min: int | None = 60, seq: int = 0) -> ReadingRow:
    return series, to_microseconds(at), seq, float(value), 1, offset_min, 5, None, None, None


def put(writer: ReadingWriter, *rows: ReadingRow) -> None:
    writer.put([rows], lambda _: None)


async def rolled(app: App) -> None:
    await roll_up(app, NOW)


async def answers(
    app: App, space: UUID, since: datetime, until: datetime, span: summaries.Span = "day"
) -> list[tuple[date, int, float, float, float]]:
    async with space_scope(app, space):
        found = await summaries.means(app, "body-weight", since, until, span)
    return [(day.day, day.readings, day.low, day.high, pytest.approx(day.mean)) for day in found]


def from_the_readings(world: World, space: UUID, since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    """The same by the plainest statement there is."""
    query = """SELECT CASE WHEN r.offset_min IS NULL THEN (r.time AT TIME ZONE p.zone)::date
        ELSE (r.time AT TIME ZONE 'UTC' + make_interval(mins => r.offset_min))::date END AS day,
        count(*) AS n, min(r.value) AS low, max(r.value) AS high, avg(r.value) AS mean
        FROM gateway.reading r JOIN gateway.series s ON s.id = r.series JOIN gateway.space p ON p.id = s.space_id
        WHERE s.space_id = %s AND r.time >= %s AND r.time < %s GROUP BY 1 ORDER BY 1"""
    return [(f.day, f.n, f.low, f.high, f.mean) for f in world.rows(query, space, since, until)]


def marks(world: World) -> int:
    return int(world.one("SELECT count(*) FROM gateway.reading_day_dirty"))


async def test_a_day_long_past_is_answered_from_its_roll_up(
    world: World, writer: ReadingWriter, app: App, space: UUID
) -> None:
    series = series_of(world, space)
    put(writer, row(series, OLD, 70), row(series, OLD + timedelta(hours=1), 74))
    await rolled(app)
    assert marks(world) == 0
    world.rows(
        "UPDATE gateway.reading_day SET high = 75 WHERE series = %s", series
    )  # seen: so that is where it is from
    [day] = await answers(app, space, OLD - timedelta(days=5), NOW)
    assert day[1:4] == (2, 70, 75)


async def test_a_young_reading_names_no_day(world: World, writer: ReadingWriter, app: App, space: UUID) -> None:
    await rolled(app)
    put(writer, row(series_of(world, space), NOW - timedelta(days=20)))
    assert marks(world) == 0


@pytest.mark.parametrize("replays", [0.0, 1.0], ids=["copy", "put"])
async def test_what_comes_late_counts_at_once_and_after_the_next_roll_up(
    world: World, writer: ReadingWriter, app: App, space: UUID, replays: float
) -> None:
    series = series_of(world, space)
    put(writer, row(series, OLD, 70))
    await rolled(app)
    writer._replays = replays
    late = row(series, OLD + timedelta(minutes=5), 90)
    writer.put([[late]], lambda _: None)
    for _ in range(2):
        [day] = await answers(app, space, OLD - timedelta(days=5), NOW)
        assert day[1:4] == (2, 70, 90)
        await rolled(app)
    assert world.one("SELECT high FROM gateway.reading_day WHERE series = %s", series) == 90
    writer.put([[late]], lambda _: None)
    assert marks(world) == 0, "a duplicate changes nothing"


async def test_a_correction_that_moves_a_reading_to_another_day_leaves_none_behind(
    world: World, writer: ReadingWriter, app: App, space: UUID
) -> None:
    series, at = series_of(world, space), OLD.replace(hour=23)
    put(writer, row(series, at, 70, 0))
    await rolled(app)
    put(writer, row(series, at, 71, 120))
    await rolled(app)
    assert world.rows("SELECT day, high FROM gateway.reading_day WHERE series = %s", series) == [
        ((at + timedelta(days=1)).date(), 71)
    ]


async def test_a_writer_that_commits_after_the_roll_up_is_not_forgotten(
    world: World, writer: ReadingWriter, app: App, space: UUID
) -> None:
    series = series_of(world, space)
    put(writer, row(series, OLD, 70))
    with psycopg.connect(world.owner_url) as slow:
        slow.execute("INSERT INTO gateway.reading (series, time, value, decimals, offset_min, flags)"
                     " VALUES (%s, %s, 99, 0, 60, 5)", (series, OLD + timedelta(minutes=1)))  # fmt: skip
        slow.execute("INSERT INTO gateway.reading_day_dirty VALUES (%s, %s)", (series, OLD.date()))
        await rolled(app)
        assert marks(world) == 0, "its mark is not seen yet"
        slow.commit()
    [day] = await answers(app, space, OLD - timedelta(days=5), NOW)
    assert day[3] == 99
    await rolled(app)
    assert world.one("SELECT high FROM gateway.reading_day WHERE series = %s", series) == 99


async def test_days_without_an_offset_follow_the_patient_to_another_zone(
    world: World, writer: ReadingWriter, app: App, space: UUID
) -> None:
    series = series_of(world, space)
    put(writer, row(series, OLD.replace(hour=23, minute=30), 70, None), row(series, OLD, 71, 60))
    await rolled(app)
    for zone, days in (("Asia/Tokyo", 2), ("UTC", 1)):
        world.rows("UPDATE gateway.space SET zone = %s WHERE id = %s", zone, space)
        for _ in range(2):
            assert len(await answers(app, space, OLD - timedelta(days=5), NOW)) == days
            await rolled(app)


async def test_a_pass_in_small_steps_reaches_every_series_and_later_passes_only_what_is_new(
    world: World, writer: ReadingWriter, app: App, space: UUID
) -> None:
    numbers = [series_of(world, space) for _ in range(5)]
    put(writer, *(row(number, OLD, 70 + number) for number in numbers))
    world.rows("UPDATE gateway.reading_day_state SET rolled_until = '-infinity', target = NULL, passed = 0")
    world.rows("TRUNCATE gateway.reading_day, gateway.reading_day_dirty")
    until, answered = (NOW - ROLLED_AFTER).date(), []
    while not answered or answered[-1]:
        cursor = await app.execute("SELECT gateway.reading_days_advance(%s, 2)", (until,))
        answered += [row[0] for row in await cursor.fetchall()]
    assert len(answered) > 2
    assert world.one("SELECT count(*) FROM gateway.reading_day WHERE series = ANY (%s)", numbers) == 5
    assert world.one("SELECT rolled_until FROM gateway.reading_day_state") == until


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "roll", "zone"]),
        st.integers(0, 1),  # device
        st.integers(-40, 40),  # hours from OLD
        st.sampled_from([None, 0, 60, 120, -300, 840]),
        st.sampled_from([70.0, 71.5, 90.25]),
    ),
    max_size=14,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, since=st.integers(-100, 60), length=st.integers(0, 200))
async def test_roll_ups_and_readings_always_give_the_same_answer(  # noqa: PLR0917  # fixtures, and what is made up
    world: World, writer: ReadingWriter, app: App, changes: list[Any], since: int, length: int
) -> None:
    space = world.space()
    devices = [series_of(world, space) for _ in range(2)]
    for kind, device, hours, offset_min, value in changes:
        if kind == "put":
            put(writer, row(devices[device], OLD + timedelta(hours=hours), value, offset_min))
        elif kind == "roll":
            await rolled(app)
        else:
            zone = ["Europe/Paris", "Pacific/Kiritimati", "America/Toronto"][hours % 3]
            world.rows("UPDATE gateway.space SET zone = %s WHERE id = %s", zone, space)
    low = OLD + timedelta(hours=since)
    for begin, end in ((low, low + timedelta(hours=length)), (OLD - timedelta(days=400), NOW + timedelta(days=2))):
        assert await answers(app, space, begin, end) == from_the_readings(world, space, begin, end)


async def test_weeks_and_months_weigh_every_reading_the_same(
    world: World, writer: ReadingWriter, app: App, space: UUID
) -> None:
    series, random = series_of(world, space), Random(1)
    first = (NOW - timedelta(days=120)).replace(day=1)
    put(writer, *(row(series, first + timedelta(hours=7 * n), random.uniform(60, 80), 0) for n in range(200)))
    await rolled(app)
    for span in ("week", "month"):
        found = await answers(app, space, first - timedelta(days=3), NOW, span)  # type: ignore[arg-type]
        expected = world.rows(
            "SELECT date_trunc(%s, time AT TIME ZONE 'UTC')::date AS day, count(*) AS n, min(value) AS low,"
            " max(value) AS high, avg(value) AS mean FROM gateway.reading WHERE series = %s GROUP BY 1 ORDER BY 1",
            span, series,
        )  # fmt: skip
        assert found == [(e.day, e.n, e.low, e.high, e.mean) for e in expected]
