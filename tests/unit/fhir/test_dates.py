"""The search parameter date: prefixes, implicit ranges, zones, sets of instants."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.fhir.dates import intersection, intervals, matching, parse_date, union
from device_gateway.readings.reading_id import microseconds
from device_gateway.readings.windows import Interval

PARIS = ZoneInfo("Europe/Paris")
NOW = microseconds(datetime(2026, 11, 22, tzinfo=UTC))
HOUR = 3_600_000_000


def us(text):
    return microseconds(datetime.fromisoformat(text))


def found(text, zone=PARIS):
    return intervals(parse_date(text), zone, NOW)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2026-02", "2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00"),
        ("2024-02-29", "2024-02-29T00:00:00+01:00", "2024-03-01T00:00:00+01:00"),
        ("2026-11-21T07:31", "2026-11-21T07:31:00+01:00", "2026-11-21T07:32:00+01:00"),
        ("2026-11-21T07:31Z", "2026-11-21T07:31:00Z", "2026-11-21T07:32:00Z"),
        ("2026-11-21T07:31:05+02:00", "2026-11-21T07:31:05+02:00", "2026-11-21T07:31:06+02:00"),
        ("2026-11-21T07:31:05 02:00", "2026-11-21T07:31:05+02:00", "2026-11-21T07:31:06+02:00"),
        ("2026-11-21T07:31:05.25-03:30", "2026-11-21T07:31:05.250-03:30", "2026-11-21T07:31:05.260-03:30"),
    ],
)
def test_a_date_stands_for_the_stretch_of_its_precision(text, low, high):
    assert found(text) == found("eq" + text) == [Interval(us(low), us(high))]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-21", 24)])
def test_a_day_is_as_long_as_the_patient_lived_it(day, hours):
    (interval,) = found(day)
    assert interval.high - interval.low == hours * HOUR


def test_prefixes_are_taken_from_the_edges_of_the_stretch():
    low, high = us("2026-11-21T00:00:00+01:00"), us("2026-11-22T00:00:00+01:00")
    assert found("ne2026-11-21") == [Interval(None, low), Interval(high, None)]
    assert found("gt2026-11-21") == found("sa2026-11-21") == [Interval(high, None)]
    assert found("lt2026-11-21") == found("eb2026-11-21") == [Interval(None, low)]
    assert found("ge2026-11-21") == [Interval(low, None)]
    assert found("le2026-11-21") == [Interval(None, high)]


def test_approximately_grows_with_the_distance_from_now():
    near, far = found("ap2026-11-20")[0], found("ap2020-11-20")[0]
    assert near.low < us("2026-11-20T00:00:00+01:00")
    assert far.high - far.low > 100 * (near.high - near.low)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13", "2026-02-30", "2026-11-21T25:00Z", "2026-11-21T07", "xx2026", "20261121", "2026-1-1",
     "2026-11-21T07:31:05+15:00", "2026-11-21T07:31:05+01:60", "0000", "2026-11-21T07:31:05.1234567890Z", "２０２６"],
)  # fmt: skip
def test_what_is_no_date_is_refused_with_words(text):
    with pytest.raises(ValueError, match=r"written|no such|offset"):
        parse_date(text)


@given(
    st.from_regex(r"(eq|ne|gt|ap)?[0-9]{4}(-[01][0-9](-[0-3][0-9](T[0-2][0-9]:[0-5][0-9])?)?)?", fullmatch=True),
    st.sampled_from(["UTC", "Europe/Paris", "Pacific/Apia", "America/Havana"]),
)  # fmt: skip
def test_every_date_of_the_calendar_gives_intervals_in_order(text, zone):
    try:
        value = parse_date(text)
    except ValueError:
        return
    for interval in intervals(value, ZoneInfo(zone), NOW):
        assert interval.low is None or interval.high is None or interval.low <= interval.high


def test_a_day_that_a_place_left_out_holds_nothing():
    assert matching([[parse_date("2011-12-30")]], ZoneInfo("Pacific/Apia"), NOW) == []


BOUND = st.none() | st.integers(-5, 25)
SETS = st.lists(
    st.tuples(BOUND, BOUND).filter(lambda ends: None in ends or ends[0] < ends[1]).map(lambda ends: Interval(*ends)),
    max_size=5,
)


def holds(several, at):
    return any((i.low is None or i.low <= at) and (i.high is None or at < i.high) for i in several)


@given(SETS, SETS)
def test_union_and_intersection_are_those_of_sets(one, other):
    either, both = union(one + other), intersection(union(one), union(other))
    for at in range(-8, 30):
        assert holds(either, at) == (holds(one, at) or holds(other, at))
        assert holds(both, at) == (holds(one, at) and holds(other, at))
    for result in (either, both):
        assert all(a.high <= b.low for a, b in pairwise(result))


def test_repeated_criteria_all_have_to_match_and_alternatives_one_of_them():
    criteria = [
        [parse_date("ge2026-11-01")],
        [parse_date("2026-10"), parse_date("2026-11-03"), parse_date("2026-11-04")],
    ]
    assert matching(criteria, PARIS, NOW) == [
        Interval(us("2026-11-03T00:00:00+01:00"), us("2026-11-05T00:00:00+01:00"))
    ]
    assert matching([[parse_date("2026-10")], [parse_date("2026-11")]], PARIS, NOW) == []
