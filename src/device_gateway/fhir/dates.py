"""The search parameter type date (FHIR R4, 3.1.1.4.6): prefixes, implicit ranges, and sets of instants.

What is searched is the effective time of a reading: an instant. A parameter stands for the stretch that its precision
implies: 2026-11 for a month, 2026-11-21T07:31 for a minute. Without an offset it is meant in the patient's zone.
"""

import calendar
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from device_gateway.readings.reading_id import EPOCH, MICROSECOND
from device_gateway.readings.windows import ALWAYS, Interval

PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
APPROXIMATE_SHARE: Final = 10  # ap: a tenth of the distance from now on either side, as the standard recommends

_DATE = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<offset>Z|[+\- ][0-9]{2}:[0-9]{2})?)?)?)?",
    re.ASCII,
)
_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
_FINEST = 6  # digits of a second that an effective time has


class DateValue(NamedTuple):
    """One parsed value: wall-clock start and end (None past the year 9999) of what it stands for.

    offset_min is None where the value names no offset.
    """

    prefix: str
    start: datetime
    end: datetime | None
    offset_min: int | None


def parse_date(text: str) -> DateValue:
    """Raises ValueError, saying what to change."""
    found = _DATE.fullmatch(text)
    if found is None or (found["prefix"] or "eq") not in PREFIXES:
        raise ValueError(
            "a date is written YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss][Z|+hh:mm], after one of the prefixes "
            + ", ".join(PREFIXES)
        )
    prefix, hour = found["prefix"] or "eq", found["hour"]
    year, month, day = int(found["year"]), int(found["month"] or 1), int(found["day"] or 1)
    try:
        fraction = (found["fraction"] or "")[:_FINEST]
        start = datetime(  # noqa: DTZ001  a wall clock: the zone is applied when the space is known
            year, month, day, int(hour or 0), int(found["minute"] or 0), int(found["second"] or 0),
            int(fraction.ljust(_FINEST, "0")) if fraction else 0,
        )  # fmt: skip
    except ValueError:
        raise ValueError("there is no such date or time") from None
    if hour:
        end = _after(start, _precision(found["second"], fraction))
    elif found["day"]:
        end = _after(start, timedelta(days=1))
    elif found["month"]:
        end = _after(start, timedelta(days=calendar.monthrange(year, month)[1]))
    else:
        end = _after(start, date(year, 12, 31) - date(year, 1, 1) + timedelta(days=1))
    return DateValue(prefix, start, end, _offset(found["offset"]))


def intervals(value: DateValue, zone: tzinfo, now_us: int) -> list[Interval]:
    """The instants that satisfy `value`: disjoint, in order. `now_us` is for the prefix ``ap``."""
    low = _instant(value.start, value.offset_min, zone)
    high = None if value.end is None else _instant(value.end, value.offset_min, zone)
    match value.prefix:
        case "eq":
            return [Interval(low, high)]
        case "ne":
            return [Interval(None, low), *([] if high is None else [Interval(high, None)])]
        case "gt" | "sa":
            return [] if high is None else [Interval(high, None)]
        case "lt" | "eb":
            return [Interval(None, low)]
        case "ge":
            return [Interval(low, None)]
        case "le":
            return [Interval(None, high)]
        case _:
            slack = abs(now_us - low) // APPROXIMATE_SHARE
            return [Interval(low - slack, None if high is None else high + slack)]


def union(several: Sequence[Interval]) -> list[Interval]:
    """The same instants as disjoint intervals in order."""
    merged: list[Interval] = []
    for interval in sorted(several, key=lambda one: (one.low is not None, one.low or 0)):
        if merged and _touches(merged[-1], interval):
            merged[-1] = Interval(merged[-1].low, _later(merged[-1].high, interval.high))
        else:
            merged.append(interval)
    return merged


def intersection(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """Instants in both; each operand is disjoint and in order, and so is the result."""
    common = []
    for a in one:
        for b in other:
            low = b.low if a.low is None else a.low if b.low is None else max(a.low, b.low)
            high = b.high if a.high is None else a.high if b.high is None else min(a.high, b.high)
            if low is None or high is None or low < high:
                common.append(Interval(low, high))
    return common


def matching(criteria: Sequence[Sequence[DateValue]], zone: tzinfo, now_us: int) -> list[Interval]:
    """Instants that satisfy every one of `criteria`, each a list of alternatives."""
    remaining = [ALWAYS]
    for alternatives in criteria:
        wanted = union([interval for value in alternatives for interval in intervals(value, zone, now_us)])
        remaining = intersection(remaining, wanted)
    return remaining


def _precision(second: str | None, fraction: str) -> timedelta:
    if second is None:
        return timedelta(minutes=1)
    return timedelta(microseconds=10 ** (_FINEST - len(fraction)))


def _after(start: datetime, length: timedelta) -> datetime | None:
    try:
        return start + length
    except OverflowError:
        return None


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError("an offset is at most 14:00")
    return (hours * 60 + minutes) * (-1 if text[0] == "-" else 1)  # a bare + of a URL arrives as a space


def _instant(wall: datetime, offset_min: int | None, zone: tzinfo) -> int:
    """Microseconds since the Unix epoch; counted without making a datetime that no calendar holds."""
    offset = zone.utcoffset(wall) if offset_min is None else timedelta(minutes=offset_min)
    return (wall - _NAIVE_EPOCH - (offset or timedelta())) // MICROSECOND


def _touches(earlier: Interval, later: Interval) -> bool:
    return earlier.high is None or later.low is None or later.low <= earlier.high


def _later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
