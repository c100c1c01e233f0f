"""A page of a long history costs what a page costs: the index is walked from where the last page ended."""

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from reading_world import Space

from device_gateway.database.scoping import space_scope
from device_gateway.readings import reading_back, summaries
from device_gateway.readings.days import roll_up
from device_gateway.readings.reading_id import ReadingId, microseconds
from device_gateway.readings.windows import Interval, Position, newer_than, older_than, windows

READINGS = 60_000  # one every five minutes: seven months
PAGE = 50


@pytest.fixture
def history(owner_url):
    space = Space(owner_url)
    space.fill("interstitial-glucose", space.device(), "2026-04-01T00:00:00Z", "5 minutes", READINGS)
    space.fill("body-weight", space.device(), "2026-04-01T00:00:00Z", "1 day", 200)
    return space


async def statistics(app_pool, owner_url, work):
    """(sequential scans, blocks looked at) that `work` caused in the partitions of `reading`."""
    query = """SELECT coalesce(sum(t.seq_scan), 0), coalesce(sum(s.heap_blks_hit + s.heap_blks_read + s.idx_blks_hit
        + s.idx_blks_read), 0) FROM pg_stat_user_tables t JOIN pg_statio_user_tables s USING (relid)
        WHERE t.relname ~ '^(reading_2|_hyper_)'"""
    with psycopg.connect(owner_url, autocommit=True) as watching:
        before = watching.execute(query).fetchone()
        async with app_pool.connection() as connection:
            result = await work(connection)
            await connection.execute("SELECT pg_stat_force_next_flush()")
            await connection.execute("SELECT 1")
        after = watching.execute(query).fetchone()
    return result, int(after[0] - before[0]), int(after[1] - before[1])


async def test_page_after_page_is_read_from_the_index_and_costs_the_same(history, app_pool, owner_url):
    async def page(connection, position=None, descending=True):
        async with space_scope(connection, history.id):
            among = windows([series.id for series in await reading_back.series_of_space(connection)])
            if descending:
                rest = older_than(position, among) if position else among
                return await reading_back.newest(connection, rest, PAGE)
            rest = newer_than(position, among) if position else among
            return await reading_back.oldest(connection, rest, PAGE)

    for descending in (True, False):
        rows, scans, first = await statistics(app_pool, owner_url, lambda c, d=descending: page(c, None, d))
        assert len(rows) == PAGE
        assert scans == 0
        assert 0 < first < READINGS // 100
        middle = rows[0]._replace(time=rows[0].time.replace(month=7, day=1))
        position = Position(microseconds(middle.time), middle.series, middle.seq)
        rows, scans, later = await statistics(app_pool, owner_url, lambda c, p=position, d=descending: page(c, p, d))
        assert len(rows) == PAGE
        assert scans == 0
        assert later <= first * 1.3 + 20


async def test_one_reading_the_latest_and_a_count_of_a_day_do_not_read_the_history(history, app_pool, owner_url):
    async def look(connection, question):
        async with space_scope(connection, history.id):
            series = await reading_back.series_of_space(connection)
            return await question(connection, series)

    day = Interval(microseconds(datetime(2026, 7, 1, tzinfo=UTC)), microseconds(datetime(2026, 7, 2, tzinfo=UTC)))
    questions = {
        "one": lambda c, s: reading_back.identified(c, [(s[0], ReadingId(s[0].uuid, day.low, 0))]),
        "latest": lambda c, _: reading_back.latest(c),
        "any": reading_back.holding_readings,
        "count": lambda c, s: reading_back.count(c, windows([s[0].id], [day])),
    }
    for name, question in questions.items():
        answer, scans, blocks = await statistics(app_pool, owner_url, lambda c, q=question: look(c, q))
        assert answer, name
        assert scans == 0, name
        assert blocks < READINGS // 100, name


async def test_sums_of_a_stretch_read_that_stretch_and_nothing_else(history, app_pool, owner_url):
    since, until = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE gateway.reading")
    questions = {
        "days": lambda c: summaries.means(c, "interstitial-glucose", since, until),
        "buckets": lambda c: summaries.buckets(c, "interstitial-glucose", since, until, timedelta(minutes=15)),
        "gaps": lambda c: summaries.gaps(c, "interstitial-glucose", since, until, timedelta(minutes=4)),
        "profile": lambda c: summaries.day_profile(c, "interstitial-glucose", since, until, 30),
    }

    async def look(connection, question):
        async with space_scope(connection, history.id):
            return await question(connection)

    for name, question in questions.items():
        answer, scans, blocks = await statistics(app_pool, owner_url, lambda c, q=question: look(c, q))
        assert answer, name
        assert scans == 0, name
        assert blocks < READINGS // 100, name


async def test_a_year_of_days_is_read_from_the_roll_ups(history, app_pool, owner_url):
    async with app_pool.connection() as connection:
        await roll_up(connection, datetime(2027, 1, 1, tzinfo=UTC))

    async def look(connection):
        async with space_scope(connection, history.id):
            year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
            return await summaries.means(connection, "interstitial-glucose", *year, "month")

    months, scans, blocks = await statistics(app_pool, owner_url, look)
    assert sum(month.readings for month in months) == READINGS
    assert scans == 0
    assert blocks < 200


def test_the_newest_reading_of_many_months_is_found_in_the_newest_month(owner_url):
    """The statement inside gateway.reading_newest again: older partitions are not even opened."""
    space = Space(owner_url)
    key = space.fill("body-weight", space.device(), "2022-01-01T00:00:00Z", "7 days", 200)
    statement = """EXPLAIN (ANALYZE, FORMAT TEXT) SELECT r.* FROM gateway.reading r
        WHERE r.series = %s AND r.time >= '-infinity' AND r.time <= 'infinity' AND (r.time, r.seq) < ('infinity', 0)
        ORDER BY r.time DESC, r.seq DESC LIMIT 1"""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SET ROLE gateway_owner")
        lines = [row[0] for row in connection.execute(statement, (key,))]
    scans = [line for line in lines if "Scan" in line and "Custom Scan" not in line]
    assert len(scans) >= 40
    assert [line for line in scans if "Seq Scan" in line and "never executed" not in line] == []
    assert len([line for line in scans if "never executed" not in line]) == 1


async def test_the_plan_of_a_page_is_an_index_scan_and_no_sort(history, owner_url):
    """The statement inside gateway.reading_newest, planned as it is there: for any series, any window."""
    statement = """PREPARE page (int4, timestamptz, timestamptz, int8, int) AS SELECT r.* FROM gateway.reading r
        WHERE r.series = $1 AND r.time >= $2 AND r.time <= $3 AND (r.time, r.seq) < ($3, $4)
        ORDER BY r.time DESC, r.seq DESC LIMIT $5"""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        body = connection.execute("SELECT prosrc FROM pg_proc WHERE proname = 'reading_newest'").fetchone()[0]
        assert "ORDER BY r.time DESC, r.seq DESC LIMIT p_limit" in body
        connection.execute("SET ROLE gateway_owner")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute(statement)
        row = connection.execute("EXPLAIN (FORMAT JSON) EXECUTE page (1, '-infinity', '2026-07-01', 0, 50)").fetchone()
    plan = json.dumps(row[0])
    assert "Index Scan" in plan
    assert "Seq Scan" not in plan
    assert '"Sort"' not in plan
