"""Axes: where the ticks are, on days that have 23, 24 or 25 hours."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

from device_gateway.portal.words import Words

HOURS_UP_TO = timedelta(hours=36)  # up to here the axis shows hours, beyond it days
SAME = 1e-3  # of the larger value: closer values are shown as equal, not blown up into a mountain
NICE = (1, 2, 2.5, 5, 10)  # steps that people count in, times a power of ten


@dataclass(frozen=True)
class Scale:
    """A line from `low` to `high` of what is measured onto `start` to `end` of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return round(self.start + (self.end - self.start) * (inside - self.low) / (self.high - self.low), 1)


def nice_ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers, some `about` of them, that enclose `low` and `high`."""
    span = max(high - low, SAME * max(abs(low), abs(high), 1))
    magnitude = 10 ** math.floor(math.log10(span / about))
    step = next(nice * magnitude for nice in NICE if nice * magnitude * about >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, max(last, first + 1) + 1)]


def time_ticks(since: datetime, until: datetime, words: Words, about: int) -> list[tuple[datetime, str]]:
    """Instants and what to write under them: hours of the day, or days at their local midnight."""
    if until - since <= HOURS_UP_TO:
        hours = next((step for step in (1, 2, 3, 4, 6) if (until - since) / timedelta(hours=step) <= about), 12)
        instants = [at for at in _local_hours(since, until, words.zone) if at.hour % hours == 0]
        return [(at, words.clock(at)) for at in instants]
    days = list(_local_midnights(since, until, words.zone))
    step = max(1, math.ceil(len(days) / about))
    # Counted back from the newest day, so that today always has its label.
    return [(day, words.short_day(day.date())) for day in reversed(days[::-1][::step])]


def gaps(instants: list[datetime], longest: timedelta) -> list[int]:
    """Indexes before which more than `longest` passed: there a line is interrupted."""
    return [index + 1 for index, (before, after) in enumerate(pairwise(instants)) if after - before > longest]


def _local_hours(since: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
    at = since.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    step = timedelta(hours=1)
    seen = set()
    instant = at.timestamp()
    while instant <= until.timestamp():
        local = datetime.fromtimestamp(instant, zone)
        if local >= since and (local.date(), local.hour) not in seen:  # the hour that a clock shows twice in autumn
            seen.add((local.date(), local.hour))
            yield local
        instant += step.total_seconds()


def _local_midnights(since: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
    day = since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= until:
        if day >= since:
            yield day
        day = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
