"""Reading back, on the real PostgreSQL: the newest values, stretches, pages, days; and only of the own space."""

from datetime import UTC, date, datetime

import psycopg
import pytest
from reading_world import Space

from device_gateway.database.scoping import space_scope
from device_gateway.readings import reading_back, summaries
from device_gateway.readings.reading_id import parse_reading_id
from device_gateway.readings.windows import windows

YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@pytest.fixture
def ana(owner_url):
    return Space(owner_url)


@pytest.fixture
async def scoped(app_pool, ana):
    async with app_pool.connection() as connection, space_scope(connection, ana.id):
        yield connection


async def test_the_latest_of_each_metric_is_the_newest_of_all_its_devices(ana, scoped):
    old, new = ana.device(), ana.device()
    ana.put("body-weight", "72.40", "2026-11-20T08:00:00+01:00", device=old)
    last = ana.put("body-weight", "159.6", "2026-11-21T08:00:00+01:00", device=new, unit="[lb_av]")
    sugar = ana.put("blood-glucose", "5.60", "2026-11-21T09:00:00+01:00", unit="mmol/L")
    found = await reading_back.latest(scoped)
    assert [reading.id for reading in found] == [sugar, last]
    assert (found[0].sent.value, found[0].sent.unit, found[0].canonical.value) == ("5.60", "mmol/L", "101")
    assert found[1].device_id == new
    assert found[1].at.isoformat() == "2026-11-21T08:00:00+01:00"
    assert [reading.metric.key for reading in await reading_back.latest(scoped, ["body-weight"])] == ["body-weight"]
    assert await reading_back.latest(scoped, ["steps"]) == []


async def test_a_stretch_holds_its_start_and_not_its_end(ana, scoped):
    ids = [ana.put("heart-rate", "60", f"2026-11-21T0{hour}:00:00Z") for hour in range(4)]
    since, until = datetime(2026, 11, 21, 1, tzinfo=UTC), datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert [reading.id for reading in await reading_back.between(scoped, ["heart-rate"], since, until)] == ids[1:3]
    assert [reading.id for reading in await reading_back.between(scoped, ["heart-rate"], *YEAR, limit=3)] == ids[:3]


async def test_days_are_those_that_the_patient_lived(ana, scoped):
    ana.put("body-weight", "70", "2026-11-21T23:30:00+01:00")
    ana.put("body-weight", "72", "2026-11-21T00:30:00+01:00")
    ana.put("body-weight", "75", "2026-11-21T22:00:00-05:00")  # in Montréal: still the 21st there
    ana.put("body-weight", "80", "2026-11-22T23:30:00+00:00", offset_known=False)  # in the zone of the space: the 23rd
    days = await summaries.means(scoped, "body-weight", *YEAR)
    assert [(day.day, day.readings, day.low, day.high) for day in days] == [
        (date(2026, 11, 21), 3, 70.0, 75.0),
        (date(2026, 11, 23), 1, 80.0, 80.0),
    ]
    assert days[0].mean == pytest.approx((70 + 72 + 75) / 3)


async def test_one_reading_is_found_by_its_id(ana, scoped):
    text = ana.put("blood-pressure", {"systolic": "121", "diastolic": "79"}, "2026-11-21T08:00:00+01:00", seq=7)
    reading = await reading_back.by_id(scoped, parse_reading_id(text))
    assert reading.id == text
    assert reading.canonical.components == {"systolic": "121", "diastolic": "79"}
    assert reading.seq == 7
    assert await reading_back.by_id(scoped, parse_reading_id(text)._replace(seq=8)) is None
    assert await reading_back.by_id(scoped, parse_reading_id(text)._replace(at_us=2**63 - 1)) is None


async def test_nothing_of_another_space_is_ever_read(ana, owner_url, app_pool):
    device = ana.device()
    text = ana.put("body-weight", "72.40", "2026-11-21T08:00:00+01:00", device=device)
    key, _ = ana.series("body-weight", device)
    async with app_pool.connection() as connection, space_scope(connection, Space(owner_url).id):
        assert await reading_back.latest(connection) == []
        assert await reading_back.by_id(connection, parse_reading_id(text)) is None
        among = windows([key])  # as if its key had been guessed
        assert await reading_back.newest(connection, among, 10) == []
        assert await reading_back.oldest(connection, among, 10) == []
        assert await reading_back.count(connection, among) == 0


async def test_outside_of_a_space_there_is_nothing(ana, app_pool):
    ana.put("body-weight", "72.40", "2026-11-21T08:00:00+01:00")
    async with app_pool.connection() as connection:
        assert await reading_back.series_of_space(connection) == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("SELECT * FROM gateway.reading")
