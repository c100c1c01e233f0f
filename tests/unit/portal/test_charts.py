import re
from datetime import UTC, datetime, timedelta
from random import Random
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.portal.charts.axes import nice_ticks, time_ticks
from device_gateway.portal.charts.curve import MAX_POINTS, Curve, Point, Series, draw, thinned
from device_gateway.portal.words import Words

PARIS = Words("fr", "Europe/Paris")
START = datetime(2026, 11, 14, tzinfo=UTC)
FINITE = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


def curve(points: list[Point], **changes: object) -> Curve:
    fields = {
        "id": "glucose", "title": "Glucose <7 days>", "description": "21 readings & more", "unit": "mg/dL",
        "series": [Series("Blood", points)], "since": START, "until": START + timedelta(days=7),
        "target": (70.0, 180.0), **changes,
    }  # fmt: skip
    return Curve(**fields)  # type: ignore[arg-type]


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(f"<div>{markup}</div>")  # noqa: S314  # our own output


@given(st.lists(st.tuples(st.integers(0, 7 * 86_400), FINITE), min_size=1, max_size=80))
def test_any_readings_give_a_well_formed_drawing_within_its_frame(raw: list[tuple[int, float]]) -> None:
    points = [Point(START + timedelta(seconds=s), v, f"{v:.0f}") for s, v in sorted(raw)]
    wide, narrow = parsed(draw(curve(points), PARIS))
    for svg in (wide, narrow):
        width, height = (float(number) for number in svg.attrib["viewBox"].split()[2:])
        for circle in svg.iter("circle"):
            assert 0 <= float(circle.attrib["cx"]) <= width
            assert 0 <= float(circle.attrib["cy"]) <= height


def test_the_drawing_is_named_and_described_for_those_who_do_not_see_it() -> None:
    for svg in parsed(draw(curve([Point(START, 100, "100")]), PARIS)):
        title, text = svg.attrib["aria-labelledby"].split()
        found = {element.attrib.get("id"): element.text for element in svg.iter()}
        assert found[title] == "Glucose <7 days>"
        assert found[text] == "21 readings & more"


def test_the_unit_stands_beside_the_axis_and_the_target_range_is_drawn() -> None:
    markup = draw(curve([Point(START, 100, "100")]), PARIS)
    assert markup.count(">mg/dL</text>") == 2
    assert markup.count('class="target"') == 2


def test_a_long_silence_interrupts_the_line() -> None:
    times = (0, 5, 10, 120, 125)
    points = [Point(START + timedelta(minutes=m), 100.0 + m, "") for m in times]
    series = [Series("Sensor", points, dense=True)]
    markup = draw(curve(points, series=series, longest=timedelta(minutes=45)), PARIS)
    assert len(re.findall('<path class="line"', markup)) == 2 * 2


@given(st.integers(), st.integers(MAX_POINTS + 1, 3 * MAX_POINTS))
def test_thinning_keeps_the_lowest_the_highest_and_the_newest(seed: int, count: int) -> None:
    chance = Random(seed)
    values = [chance.uniform(20, 400) for _ in range(count)]
    minutes = sorted(chance.sample(range(100_000), count))
    points = [Point(START + timedelta(minutes=at), value) for at, value in zip(minutes, values, strict=True)]
    kept = thinned(points)
    assert len(kept) <= MAX_POINTS + 1
    assert {min(values), max(values)} <= {point.value for point in kept}
    assert kept[-1] is points[-1]
    assert [point.at for point in kept] == sorted(point.at for point in kept)


@given(st.floats(-1e5, 1e5), st.floats(0, 1e5), st.integers(3, 8))
def test_ticks_enclose_what_is_shown(low: float, span: float, about: int) -> None:
    ticks = nice_ticks(low, low + span, about)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack
    assert 2 <= len(ticks) <= about + 3


@pytest.mark.parametrize(("day", "hours"), [(datetime(2026, 3, 29), 23), (datetime(2026, 10, 25), 25)])  # noqa: DTZ001
def test_hours_are_labelled_once_on_days_of_23_and_25_hours(day: datetime, hours: int) -> None:
    zone = ZoneInfo("Europe/Paris")
    since, until = day.replace(tzinfo=zone), (day + timedelta(days=1)).replace(tzinfo=zone)
    assert (until.astimezone(UTC) - since.astimezone(UTC)) == timedelta(hours=hours)
    labels = [label for _, label in time_ticks(since, until, PARIS, about=30)]
    assert len(labels[:-1]) == len(set(labels[:-1]))


def test_days_are_labelled_at_the_local_midnight_and_today_always_is() -> None:
    ticks = time_ticks(START, START + timedelta(days=90), PARIS, about=8)
    assert all(at.astimezone(PARIS.zone).hour == 0 for at, _ in ticks)
    assert ticks[-1][0].date() == (START + timedelta(days=90)).date()
    assert len(ticks) <= 8
