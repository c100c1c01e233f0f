"""Readings summed up by the database: means of days, weeks, months and minutes, silences, the modal day.

Every function takes a connection inside `space_scope`, the key of a metric, and a stretch of time from `since` up to
and without `until` (aware). Numbers are in the canonical unit, of the first component where a metric has several. Days
and times of day are those of the patient: of the offset that a reading brought along, else of the zone of the space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from device_gateway.readings import queries
from device_gateway.readings.reading_back import Connection, series_keys

Span = Literal["day", "week", "month"]  # a week is named by its Monday, a month by its first


@dataclass(frozen=True, slots=True)
class DayMean:
    """A day, or the week or month that begins on it. Days without a reading are not there."""

    day: date
    mean: float
    low: float
    high: float
    readings: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch within a day, named by its first instant."""

    start: datetime
    mean: float
    low: float
    high: float
    readings: int


@dataclass(frozen=True, slots=True)
class Gap:
    """No reading after `since` and before `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A slot of the modal day, `minute` minutes after midnight; percentiles by linear interpolation (type 7)."""

    minute: int
    readings: int
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float


async def means(
    connection: Connection, metric: str, since: datetime, until: datetime, span: Span = "day"
) -> list[DayMean]:
    """Day by day, or by weeks or months; the mean is that of all readings in it. Days long past come from roll-ups."""
    parameters = (span, await series_keys(connection, metric), since, until)
    cursor = await connection.execute(queries.DAYS, parameters)
    return [DayMean(row.day, row.mean, row.low, row.high, row.readings) for row in await cursor.fetchall()]


async def buckets(
    connection: Connection, metric: str, since: datetime, until: datetime, step: timedelta
) -> list[Bucket]:
    """Stretches of `step`, which divides a day. An hour that a clock shows twice is two of them."""
    parameters = (await series_keys(connection, metric), since, until, step)
    cursor = await connection.execute(queries.BUCKETS, parameters)
    return [Bucket(row.start, row.mean, row.low, row.high, row.readings) for row in await cursor.fetchall()]


async def gaps(
    connection: Connection, metric: str, since: datetime, until: datetime, longest: timedelta
) -> Sequence[Gap]:
    """Silences longer than `longest`, oldest first, also at both ends; none where there is no reading at all."""
    parameters = (await series_keys(connection, metric), since, until, longest)
    cursor = await connection.execute(queries.GAPS, parameters)
    return [Gap(row.since, row.until) for row in await cursor.fetchall()]


async def day_profile(
    connection: Connection, metric: str, since: datetime, until: datetime, minutes: int
) -> list[TimeOfDay]:
    """The days laid over one another, in slots of `minutes` minutes; slots without a reading are not there."""
    parameters = (await series_keys(connection, metric), since, until, minutes)
    cursor = await connection.execute(queries.PROFILE, parameters)
    return [TimeOfDay(row.minute, row.readings, *row.percentiles) for row in await cursor.fetchall()]
