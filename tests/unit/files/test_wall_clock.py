from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from device_gateway.imports.wall_clock import WallClock

PARIS = ZoneInfo("Europe/Paris")


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def resolved(*texts: str, lane: str = "a") -> list[str]:
    clock = WallClock()
    return [clock.resolve(wall(text), PARIS, lane).isoformat() for text in texts]


def test_a_time_that_spring_leaves_out_was_shown_by_a_clock_not_yet_put_forward() -> None:
    assert resolved("2026-03-29T01:55", "2026-03-29T02:30", "2026-03-29T03:35") == [
        "2026-03-29T01:55:00+01:00", "2026-03-29T02:30:00+01:00", "2026-03-29T03:35:00+02:00",
    ]  # fmt: skip


def test_once_the_clock_goes_back_the_second_hour_has_begun() -> None:
    texts = [f"2026-10-25T{time}" for time in ("01:57", "02:02", "02:57", "02:02", "02:57", "03:02")]
    assert [text[-6:] for text in resolved(*texts)] == ["+02:00", "+02:00", "+02:00", "+01:00", "+01:00", "+01:00"]


def test_in_a_file_that_begins_with_the_newest_it_goes_forward() -> None:
    texts = [f"2026-10-25T{time}" for time in ("03:30", "03:02", "02:57", "02:02", "02:57", "02:02", "01:57")]
    offsets = [text[-6:] for text in resolved(*texts)]
    assert offsets == ["+01:00", "+01:00", "+01:00", "+01:00", "+02:00", "+02:00", "+02:00"]


def test_the_same_minute_twice_is_both_hours() -> None:
    assert [text[-6:] for text in resolved("2026-10-25T02:15", "2026-10-25T02:15")] == ["+02:00", "+01:00"]


def test_lanes_do_not_disturb_each_other() -> None:
    clock = WallClock()
    for lane in ("historic", "scan"):
        at = clock.resolve(wall("2026-10-25T02:30"), PARIS, lane)
        assert at.utcoffset() == timedelta(hours=2)


def test_each_autumn_begins_anew() -> None:
    texts = ["2025-10-26T02:30", "2025-10-26T02:15", "2026-01-01T00:00", "2026-10-25T02:10", "2026-10-25T02:20"]
    assert [text[-6:] for text in resolved(*texts)] == ["+02:00", "+01:00", "+01:00", "+02:00", "+02:00"]


@pytest.mark.parametrize("begun_before", [True, False])
def test_a_sensors_counter_tells_the_hours_apart_where_rows_are_sorted_by_the_clock(begun_before: bool) -> None:
    """As in an export that sorts by wall clock: the rows of both hours alternate."""
    clock = WallClock()
    begin = wall("2026-10-25T01:57:00")
    if begun_before:
        clock.resolve(begin, PARIS, "a", 10_000)
    rows = [("02:02:00", 10_300, 2), ("02:02:30", 13_930, 1), ("02:07:00", 10_600, 2), ("02:07:30", 14_230, 1)]
    hours = [
        clock.resolve(wall(f"2026-10-25T{time}"), PARIS, "a", ticks).utcoffset() == timedelta(hours=offset)
        for time, ticks, offset in rows
    ]
    assert all(hours) is begun_before  # without a row before, the counter says nothing


def test_a_counter_that_began_anew_is_not_believed() -> None:
    clock = WallClock()
    clock.resolve(wall("2026-10-25T01:57:00"), PARIS, "a", 10_000_000)
    assert clock.resolve(wall("2026-10-25T02:02:00"), PARIS, "a", 300).utcoffset() == timedelta(hours=2)
