"""Two weeks of a person who does not exist: glucose, weight, blood pressure and pulse, the same for the same seed.

A shape to program against, no model of a body: meals raise glucose by a gamma-like curve, noise is autocorrelated as a
sensor's is.
"""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from device_gateway.readings.model import Reading

DAYS: Final = 14  # enough for a glucose profile
CGM_INTERVAL: Final = timedelta(minutes=5)
SENSOR, METER, SCALE, CUFF = "simulated sensor", "simulated meter", "simulated scale", "simulated cuff"

_MEALS: Final = ((time(7, 30), 55.0), (time(12, 40), 70.0), (time(19, 45), 65.0))  # typical rise in mg/dL
_PEAK_MIN: Final = 55.0  # minutes after a meal
_NOISE_KEPT: Final = 0.92  # of one sensor value's noise in the next


def days_of(seed: int, zone: ZoneInfo, until: datetime) -> Iterator[Reading]:
    """Readings of the `DAYS` days before `until`, in no particular order. Each names its device."""
    # No secret: the same patient each time.
    chance = Random(seed)  # noqa: S311  # nosec B311
    first = until.astimezone(zone).date() - timedelta(days=DAYS)
    meals = [
        (_at(first + timedelta(days=day), clock, zone) + timedelta(minutes=chance.gauss(0, 20)), chance.gauss(rise, 15))
        for day in range(-1, DAYS + 1)
        for clock, rise in _MEALS
    ]
    fasting, weight = chance.uniform(88, 112), chance.uniform(58, 92)
    yield from _sensor(chance, meals, fasting, until - timedelta(days=DAYS), until, zone)
    for day in range(DAYS + 1):
        today = first + timedelta(days=day)
        morning = _at(today, time(7, 5), zone) + timedelta(minutes=chance.uniform(0, 20))
        evening = _at(today, time(19, 15), zone) + timedelta(minutes=chance.uniform(0, 20))
        weight += chance.gauss(-0.03, 0.15)
        readings = [Reading("body-weight", "kg", morning, value=f"{weight:.1f}", device=SCALE)]
        for at in (morning, evening):
            readings += _cuff(chance, at)
            finger = _glucose(at, meals, fasting) * chance.gauss(1, 0.05)
            readings.append(Reading("blood-glucose", "mg/dL", at, value=f"{finger:.0f}", device=METER))
        yield from (reading for reading in readings if reading.at <= until)


def _sensor(  # noqa: PLR0917
    chance: Random,
    meals: list[tuple[datetime, float]],
    fasting: float,
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
) -> Iterator[Reading]:
    at = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    noise = 0.0
    number = 0
    while at <= until:
        noise = noise * _NOISE_KEPT + chance.gauss(0, 2.5)
        value = min(max(_glucose(at, meals, fasting) + noise, 45), 330)
        yield Reading(
            "interstitial-glucose", "mg/dL", at.astimezone(zone), value=f"{value:.0f}", device=SENSOR, seq=number
        )
        at += CGM_INTERVAL
        number += 1


def _cuff(chance: Random, at: datetime) -> list[Reading]:
    systolic = chance.gauss(128, 7)
    components = {"systolic": f"{systolic:.0f}", "diastolic": f"{systolic * 0.63 + chance.gauss(0, 3):.0f}"}
    return [
        Reading("blood-pressure", "mm[Hg]", at, components=components, device=CUFF),
        Reading("heart-rate", "/min", at, value=f"{chance.gauss(68, 5):.0f}", device=CUFF),
    ]


def _glucose(at: datetime, meals: list[tuple[datetime, float]], fasting: float) -> float:
    """mg/dL: the fasting level, and what the meals of the last six hours still raise it by."""
    level = fasting
    for meal, rise in meals:
        minutes = (at - meal).total_seconds() / 60
        if 0 < minutes < 360:
            level += rise * (minutes / _PEAK_MIN) * math.exp(1 - minutes / _PEAK_MIN)
    return level


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone)
