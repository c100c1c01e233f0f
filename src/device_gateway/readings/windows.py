"""Stretches of a history as the index walks them: half-open in time, exact to the sequence where a page ended."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from device_gateway.readings.reading_id import EPOCH, INT8_MAX, INT8_MIN


class Interval(NamedTuple):
    """From `low` up to and without `high`: microseconds since the Unix epoch, None where it is open."""

    low: int | None
    high: int | None


ALWAYS = Interval(None, None)


class Position(NamedTuple):
    """Where a page ended, in the order of pages: time in microseconds, series (the store's key), sequence."""

    at_us: int
    series: int
    seq: int


class Window(NamedTuple):
    """Readings of `series` strictly after (low, low_seq) and strictly before (high, high_seq)."""

    series: int
    low: int
    low_seq: int
    high: int
    high_seq: int


def windows(series: Iterable[int], intervals: Sequence[Interval] = (ALWAYS,)) -> list[Window]:
    """One window per series and interval. Intervals are disjoint."""
    return [
        Window(
            key,
            INT8_MIN if interval.low is None else interval.low - 1,  # strictly after the last possible one before `low`
            INT8_MAX,
            INT8_MAX if interval.high is None else interval.high,
            INT8_MIN,
        )
        for key in series
        for interval in intervals
    ]


def just_at(series: int, at_us: int, seq: int) -> Window:
    """The window whose newest reading is that of the identity, if there is one."""
    high = (at_us + 1, INT8_MIN) if seq == INT8_MAX else (at_us, seq + 1)
    return Window(series, at_us - 1, INT8_MAX, *high)


def older_than(position: Position, among: Iterable[Window]) -> list[Window]:
    """What remains of the windows after a page, newest first, that ended at `position`."""
    rest = []
    for window in among:
        if window.series == position.series:
            end = (position.at_us, position.seq)
        elif window.series < position.series:
            end = (position.at_us + 1, INT8_MIN)  # the same instant is still to come
        else:
            end = (position.at_us, INT8_MIN)
        high, high_seq = min(end, (window.high, window.high_seq))
        if (high, high_seq) > (window.low + 1, INT8_MIN):
            rest.append(window._replace(high=high, high_seq=high_seq))
    return rest


def newer_than(position: Position, among: Iterable[Window]) -> list[Window]:
    """What remains of the windows after a page, oldest first, that ended at `position`."""
    rest = []
    for window in among:
        if window.series == position.series:
            start = (position.at_us, position.seq)
        elif window.series > position.series:
            start = (position.at_us - 1, INT8_MAX)
        else:
            start = (position.at_us, INT8_MAX)
        low, low_seq = max(start, (window.low, window.low_seq))
        if (low, low_seq) < (window.high - 1, INT8_MAX):
            rest.append(window._replace(low=low, low_seq=low_seq))
    return rest


def timestamp(at_us: int) -> str:
    """For a ``::timestamptz``; what no calendar of Python or PostgreSQL holds is infinitely far."""
    try:
        return (EPOCH + timedelta(microseconds=at_us)).isoformat()
    except OverflowError:
        return "infinity" if at_us > 0 else "-infinity"
