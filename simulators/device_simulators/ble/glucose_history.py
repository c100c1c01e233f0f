"""What a person with diabetes measures: about six finger pricks a day, most with the meal they go with.

Values are those of a virtual patient at that minute, where one is named. Otherwise means and spreads are chosen so that
the history looks like that of an adult treated for type 2 diabetes (fasting around 120 mg/dL, a rise of some 50 mg/dL
after meals, a rare low, a rare high); they come from no patient.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from device_simulators.ble.glucose_record import (
    AFTER_MEAL,
    BEDTIME,
    BEFORE_MEAL,
    BREAKFAST,
    CASUAL,
    DINNER,
    FASTING,
    LUNCH,
    GlucoseRecord,
    Unit,
)
from device_simulators.patients.glucose import glucose_trace
from device_simulators.patients.replay import Row
from device_simulators.patients.virtual_patient import VirtualPatient

MMOL_FACTOR = Decimal("18.0156")  # mg/dL in 1 mmol/L: molar mass of glucose 180.156 g/mol
_LOWEST, _HIGHEST = 42, 420  # mg/dL: between the "LO" and "HI" of a meter


@dataclass(frozen=True, slots=True)
class Moment:
    """A habit of the day: when, how high on average, how widely it varies, and what goes with it."""

    hour: int
    minute: int
    mean_mg_dl: int
    spread_mg_dl: int
    meal: int
    carbohydrate: int | None = None
    kept_percent: int = 85  # how many days it is not forgotten


_DAY = (
    Moment(6, 55, 121, 17, FASTING, kept_percent=95),
    Moment(9, 10, 172, 34, AFTER_MEAL, BREAKFAST),
    Moment(12, 5, 128, 24, BEFORE_MEAL),
    Moment(14, 10, 168, 36, AFTER_MEAL, LUNCH, kept_percent=70),
    Moment(18, 50, 132, 26, BEFORE_MEAL),
    Moment(21, 0, 178, 40, AFTER_MEAL, DINNER, kept_percent=70),
    Moment(22, 40, 146, 29, BEDTIME, kept_percent=60),
)
_MEAL_MARKED_PERCENT = 80  # the others come without a context packet


def history(
    seed: int, count: int, newest: datetime, unit: Unit = "mg/dL", patient: VirtualPatient | None = None
) -> list[GlucoseRecord]:
    """`count` records up to `newest` on the meter's clock, oldest first, numbered from 1; repeatable."""
    chance = random.Random(f"history {seed}")
    person = chance.gauss(0, 9)
    found: list[tuple[datetime, Moment, Decimal]] = []
    for moment, at in _backwards(newest, chance):
        if len(found) == count:
            break
        found.append((at, moment, _value(chance, moment, person)))
    if patient is not None and found:
        body = _plasma(patient, seed, found[-1][0], newest)
        found = [(at, moment, body[at.replace(second=0, microsecond=0)]) for at, moment, _ in found]
    return [
        _record(chance, seq, at=at, moment=moment, mg_dl=value, unit=unit)
        for seq, (at, moment, value) in enumerate(reversed(found), start=1)
    ]


def replayed(row: Row, seq: int, unit: Unit) -> GlucoseRecord:
    """The record of one row of a file. Raises ValueError for a row that is no glucose."""
    (value,) = row.parts(1)
    if row.unit not in (None, "mg/dL", "mmol/L"):
        raise ValueError(f"{row.unit} is no unit of glucose: mg/dL or mmol/L is needed")
    given: Unit = "mmol/L" if row.unit == "mmol/L" else "mg/dL" if row.unit else unit
    return GlucoseRecord(seq=seq & 0xFFFF, base_time=row.at, value=str(value), unit=given)


def live_record(
    seed: int, seq: int, at: datetime, unit: Unit = "mg/dL", patient: VirtualPatient | None = None
) -> GlucoseRecord:
    """One more record, taken now: the habit nearest to this hour, or a casual one."""
    chance = random.Random(f"live {seed} {seq}")
    nearest = min(_DAY, key=lambda moment: abs(moment.hour * 60 + moment.minute - at.hour * 60 - at.minute))
    away_min = abs(nearest.hour * 60 + nearest.minute - at.hour * 60 - at.minute)
    moment = nearest if away_min <= 60 else Moment(at.hour, at.minute, 140, 28, CASUAL)
    value = _value(chance, moment, 0)
    if patient is not None:
        value = _plasma(patient, seed, at, at)[at.replace(second=0, microsecond=0)]
    return _record(chance, seq, at=at, moment=moment, mg_dl=value, unit=unit)


def _plasma(patient: VirtualPatient, seed: int, first: datetime, last: datetime) -> dict[datetime, Decimal]:
    """Plasma glucose in mg/dL by the minute, days as a whole, as far as a meter can show it."""
    start = first.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (last - start) / timedelta(days=1) + 1 / 1440
    return {
        at: Decimal(min(max(round(mg_dl), _LOWEST), _HIGHEST))
        for at, mg_dl in glucose_trace(patient, start, days, seed, step_s=60)
    }


def _backwards(newest: datetime, chance: random.Random) -> Iterator[tuple[Moment, datetime]]:
    day = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        for moment in reversed(_DAY):
            at = day + timedelta(hours=moment.hour, minutes=moment.minute, seconds=chance.randint(-1500, 1500))
            if chance.randrange(100) < moment.kept_percent and at <= newest:
                yield moment, at
        day -= timedelta(days=1)


def _value(chance: random.Random, moment: Moment, person: float) -> Decimal:
    mg_dl = round(chance.gauss(moment.mean_mg_dl + person, moment.spread_mg_dl))
    return Decimal(min(max(mg_dl, _LOWEST), _HIGHEST))


def _record(
    chance: random.Random, seq: int, *, at: datetime, moment: Moment, mg_dl: Decimal, unit: Unit
) -> GlucoseRecord:
    marked = chance.randrange(100) < _MEAL_MARKED_PERCENT
    value = mg_dl if unit == "mg/dL" else (mg_dl / MMOL_FACTOR).quantize(Decimal("0.1"))
    return GlucoseRecord(
        seq=seq & 0xFFFF,
        base_time=at.replace(microsecond=0),
        value=str(value),
        unit=unit,
        meal=moment.meal if marked else None,
        carbohydrate=moment.carbohydrate if marked else None,
        carbohydrate_g=chance.randrange(25, 90, 5) if moment.carbohydrate else 0,
    )
