"""The charts of the start page: glucose with its target range, and weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from markupsafe import Markup
from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.metrics import METRICS
from device_gateway.portal.charts.curve import Curve, Point, Series, draw
from device_gateway.portal.words import Words
from device_gateway.readings.reading_back import between
from device_gateway.readings.rows import KeptReading
from device_gateway.readings.summaries import Bucket, DayMean, Span, buckets, means

# mg/dL: the range of the international consensus on time in range (Battelino et al., Diabetes Care 2019;42:1593-1603).
GLUCOSE_TARGET = (70.0, 180.0)
GLUCOSE_DAYS = (1, 7, 30, 90, 365)
WEIGHT_DAYS = (30, 90, 365, 1826)
MOST_READINGS = 3000  # of one metric: ten days of a sensor; beyond it means are drawn
# What is drawn then, by the days shown: some 700 points at most. Beyond these lengths it is days.
STEPS = {1: timedelta(minutes=15), 7: timedelta(minutes=15), 30: timedelta(hours=1)}
MOST_ROWS = 100  # of the table: beyond it the table has a row per day
SENSOR_SILENCE = timedelta(minutes=45)  # a sensor sends every 1 to 15 minutes: a longer gap is shown as one
SPARSE_SILENCE = timedelta(days=10)


@dataclass(frozen=True)
class TableRow:
    """One reading (`mean` is its value, `low` and `high` are empty), or one day, week or month."""

    when: str
    readings: int
    low: str
    mean: str
    high: str


@dataclass(frozen=True)
class Trend:
    """What the template shows: `chart` is empty without readings. `choices` are the lengths that can be chosen.

    daily  the rows are days, or weeks or months as `span` says
    """

    key: str
    title: str
    unit: str
    chart: Markup
    summary: str
    rows: Sequence[TableRow]
    daily: bool
    span: Span
    names: Sequence[str]
    dense: bool
    target: tuple[float, float] | None
    days: int
    choices: Sequence[int]

    @property
    def readings(self) -> int:
        return sum(row.readings for row in self.rows)


@dataclass(frozen=True)
class _Stretch:
    """One metric's readings, or where they are too many its days, and perhaps the shorter means that are drawn."""

    metric: str
    readings: Sequence[KeptReading]
    days: Sequence[DayMean] = ()
    drawn: Sequence[Bucket] = ()

    def __bool__(self) -> bool:
        return bool(self.readings or self.days)


async def glucose_trend(connection: AsyncConnection[Row], words: Words, now: datetime, days: int) -> Trend:
    """Both kinds of glucose over `days` days. `connection` is in the patient's space."""
    title = words.gettext("Glucose")
    metrics = ("interstitial-glucose", "blood-glucose")
    return await _trend(connection, words, now, "glucose", title, metrics, days, GLUCOSE_DAYS, GLUCOSE_TARGET)


async def weight_trend(connection: AsyncConnection[Row], words: Words, now: datetime, days: int) -> Trend:
    return await _trend(
        connection, words, now, "weight", words.metric("body-weight"), ("body-weight",), days, WEIGHT_DAYS, None
    )


def chosen(text: str | None, choices: Sequence[int], default: int) -> int:
    """A length of time from the query, if it is one of those offered."""
    return next((days for days in choices if text == str(days)), default)


async def _trend(  # noqa: PLR0917  # private, and called twice
    connection: AsyncConnection[Row],
    words: Words,
    now: datetime,
    key: str,
    title: str,
    metrics: Sequence[str],
    days: int,
    choices: Sequence[int],
    target: tuple[float, float] | None,
) -> Trend:
    since = now - timedelta(days=days)
    stretches = [await _stretch(connection, metric, since, now, STEPS.get(days)) for metric in metrics]
    stretches = [stretch for stretch in stretches if stretch]
    metric = METRICS[metrics[0]]
    unit = words.unit(metric.unit)
    daily = any(stretch.days for stretch in stretches) or sum(len(s.readings) for s in stretches) > MOST_ROWS
    span = _span(days)
    rows = (
        [row for s in stretches for row in await _by_span(connection, s.metric, since, now, span, words)]
        if daily
        else _by_reading(stretches, words)
    )
    summary = _summary(stretches, words, unit, target)
    chart = Markup("")
    if stretches:
        curve = Curve(
            id=key,
            title=words.gettext("%(name)s over the last %(days)s", name=title, days=_days(words, days)),
            description=summary,
            unit=unit,
            series=[_series(stretch, words) for stretch in stretches],
            since=since,
            until=now,
            target=target,
            longest=SENSOR_SILENCE if stretches[0].metric == "interstitial-glucose" else SPARSE_SILENCE,
            decimals=0 if target else 1,
        )
        chart = draw(curve, words)
    return Trend(
        key=key, title=title, unit=unit, chart=chart, summary=summary,
        rows=rows, daily=daily, span=span, names=[words.metric(stretch.metric) for stretch in stretches],
        dense=bool(stretches) and stretches[0].metric == "interstitial-glucose",
        target=target, days=days, choices=choices,
    )  # fmt: skip


async def _stretch(
    connection: AsyncConnection[Row], metric: str, since: datetime, until: datetime, step: timedelta | None
) -> _Stretch:
    until += timedelta(seconds=1)
    readings = await between(connection, [metric], since, until, limit=MOST_READINGS + 1)
    if len(readings) <= MOST_READINGS:
        return _Stretch(metric, readings)
    days = await means(connection, metric, since, until)
    return _Stretch(metric, (), days, await buckets(connection, metric, since, until, step) if step else ())


def _series(stretch: _Stretch, words: Words) -> Series:
    decimals = METRICS[stretch.metric].decimals
    if stretch.days:
        drawn = [(bucket.start, bucket.mean) for bucket in stretch.drawn]
        drawn = drawn or [(datetime.combine(day.day, time(12), UTC), day.mean) for day in stretch.days]
        points = [Point(at, mean, _rounded(mean, decimals, words)) for at, mean in drawn]
        return Series(words.metric(stretch.metric), points, dense=True)
    points = [
        Point(reading.at, number, words.value(reading.canonical.value or ""))
        for reading in stretch.readings
        if (number := reading.numbers[0]) is not None
    ]
    return Series(words.metric(stretch.metric), points, dense=stretch.metric == "interstitial-glucose")


def _by_reading(stretches: Sequence[_Stretch], words: Words) -> list[TableRow]:
    readings = sorted((r for stretch in stretches for r in stretch.readings), key=lambda r: r.at, reverse=True)
    return [
        TableRow(f"{words.day(local.date())}, {words.clock(local)}", 1, "", words.value(r.canonical.value or ""), "")
        for r in readings
        for local in [r.at if r.at.utcoffset() else r.at.astimezone(words.zone)]
    ]


async def _by_span(  # noqa: PLR0917  # private, and called once
    connection: AsyncConnection[Row], metric: str, since: datetime, until: datetime, span: Span, words: Words
) -> list[TableRow]:
    """Newest first."""
    rows = []
    for part in reversed(await means(connection, metric, since, until + timedelta(seconds=1), span)):
        low, mean, high = (_rounded(n, METRICS[metric].decimals, words) for n in (part.low, part.mean, part.high))
        rows.append(TableRow(words.day(part.day), part.readings, low, mean, high))
    return rows


def _span(days: int) -> Span:
    """So that a table has a hundred rows at most."""
    return "day" if days <= 90 else "week" if days <= 366 else "month"


def _summary(stretches: Sequence[_Stretch], words: Words, unit: str, target: tuple[float, float] | None) -> str:
    """The chart in a sentence: how many readings, the lowest, the highest, and how many were in the target range."""
    count = sum(len(s.readings) + sum(day.readings for day in s.days) for s in stretches)
    if not count:
        return words.gettext("No reading in this time.")
    decimals = METRICS[stretches[0].metric].decimals
    numbers = [reading.numbers[0] or 0.0 for s in stretches for reading in s.readings]
    lowest = min([*numbers, *(day.low for s in stretches for day in s.days)])
    highest = max([*numbers, *(day.high for s in stretches for day in s.days)])
    text = words.ngettext(
        "%(num)s reading: %(lowest)s %(unit)s.",
        "%(num)s readings, between %(lowest)s and %(highest)s %(unit)s.",
        count, lowest=_rounded(lowest, decimals, words), highest=_rounded(highest, decimals, words), unit=unit,
    )  # fmt: skip
    if target and len(numbers) == count > 1:
        inside = sum(target[0] <= number <= target[1] for number in numbers)
        text += " " + words.ngettext(
            "%(num)s of them is within %(low)s–%(high)s.", "%(num)s of them are within %(low)s–%(high)s.", inside,
            low=words.number(target[0]), high=words.number(target[1]),
        )  # fmt: skip
    return text


def _rounded(number: float, decimals: int, words: Words) -> str:
    return words.value(f"{Decimal(number):.{decimals}f}")


def _days(words: Words, days: int) -> str:
    if days == 1:
        return words.gettext("24 hours")
    if days >= 365:
        return words.ngettext("%(num)s year", "%(num)s years", days // 365)
    return words.ngettext("%(num)s day", "%(num)s days", days)
