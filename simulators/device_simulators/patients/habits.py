"""How a person lives with diabetes: three meals and some snacks a day, boluses that are late, misjudged or forgotten.

Sizes and errors are chosen so that time in range comes out as treated people's does. Carbohydrate is estimated about a
quarter wrong, somewhat more than A. S. Brazeau et al., Diabetes Res. Clin. Pract. 99(1), 2013, found (a fifth), and
more often too low than too high; one meal in eight gets no bolus. Who is mostly high takes more insulin than they
reckon, who is mostly low takes less.

A day is planned from the person's seed and its date alone: it has the same meals from whatever day a trace begins.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from device_simulators.patients.virtual_patient import VirtualPatient

TARGET_MG_DL = 120.0
CORRECT_ABOVE_MG_DL = 180.0
LOW_MG_DL = 72.0  # somebody who sees this, or feels it, eats something
HIGH_MG_DL = 230.0  # looked at with unease, and corrected when someone does look

_COUNTING_SPREAD = 0.25
_SNACK_COVERED = 0.3  # share of snacks that somebody takes insulin for
_FORGOTTEN = 0.13  # share of meals without a bolus
_LATE = 0.25
_SENSITIVITY_SPREAD = 0.18  # from day to day, of what insulin does
_CORRECTION_SHARE = 0.7  # nobody dares the whole of it
_LOOKS_EVERY_MIN = 45  # while awake
_ACTS_ON_HIGH = 0.2  # of the looks that find a high
_REMEMBERED_MIN = 1.5 * 1440  # how far back somebody's impression of their own glucose reaches
_CONTENT_MG_DL = 160.0  # below it people take less insulin for fear of lows, above it more
_UNEASE_MG_DL = 45.0  # so far from content, doses are doubled or left out
_RESCUE_G = 14.0
_RESCUE_PAUSE_MIN = 25
_INSULIN_ACTS_MIN = 240
_WAKES, _SLEEPS = 7 * 60, 23 * 60  # minutes of the day


@dataclass(frozen=True, slots=True)
class Meal:
    """What is eaten in this minute of the day, and what is thought to be."""

    minute: int
    carbohydrate_g: float
    counted_g: float
    bolus_after_min: int | None  # negative: before the meal; None: not at all


@dataclass(frozen=True, slots=True)
class _Occasion:
    hour: float
    spread_min: float
    carbohydrate_g: float  # of an adult of 75 kg
    chance: float
    is_snack: bool = False


_OCCASIONS = (
    _Occasion(7.3, 35, 52, 0.96),
    _Occasion(10.2, 25, 14, 0.35, is_snack=True),
    _Occasion(12.6, 30, 70, 0.97),
    _Occasion(16.2, 35, 24, 0.45, is_snack=True),
    _Occasion(19.4, 40, 76, 0.98),
    _Occasion(21.8, 25, 15, 0.35, is_snack=True),
)


class Habits:
    """Decides, minute by minute, what is eaten and how much insulin is given beside the basal rate."""

    def __init__(self, patient: VirtualPatient, seed: int) -> None:
        self._patient = patient
        self._name = f"{patient.name} {seed}"
        self._appetite = min(max((patient.BW / 75) ** 0.6, 0.5), 1.15)
        self._given: list[tuple[int, float]] = []  # boluses of the last hours, by minutes since the first day began
        self._day_began = -1440
        self._rescued_at = -1440
        self._impression_mg_dl = _CONTENT_MG_DL
        self.begin(date(1970, 1, 1))

    def begin(self, day: date) -> None:
        """A new day."""
        self._chance = random.Random(f"{self._name} {day.isoformat()}")
        self._day_began += 1440
        self.sensitivity = min(max(self._chance.gauss(1.0, _SENSITIVITY_SPREAD), 0.65), 1.35)
        self.meals = {meal.minute: meal for meal in self._planned()}

    def eats(self, minute: int, seen_mg_dl: float) -> float:
        """Carbohydrate in g that is put on the plate in this minute of the day, a rescue from a low included."""
        meal = self.meals.get(minute)
        eaten = meal.carbohydrate_g if meal else 0.0
        now = self._day_began + minute
        if seen_mg_dl < LOW_MG_DL and now - self._rescued_at >= _RESCUE_PAUSE_MIN and self._chance.random() < 0.2:
            self._rescued_at = now
            eaten += _RESCUE_G * self._appetite
        return eaten

    def injects(self, minute: int, seen_mg_dl: float) -> float:
        """Insulin in U beside the basal rate in this minute of the day."""
        now = self._day_began + minute
        self._impression_mg_dl += (seen_mg_dl - self._impression_mg_dl) / _REMEMBERED_MIN
        boldness = min(max(1 + (self._impression_mg_dl - _CONTENT_MG_DL) / _UNEASE_MG_DL, 0.4), 1.8)
        units = 0.0
        for meal in self.meals.values():
            if meal.bolus_after_min is not None and meal.minute + meal.bolus_after_min == minute:
                units += boldness * meal.counted_g / self._patient.carb_ratio + self._correction(now, seen_mg_dl)
        looks = _WAKES <= minute < _SLEEPS and minute % _LOOKS_EVERY_MIN == 0
        if looks and seen_mg_dl > HIGH_MG_DL and self._chance.random() < _ACTS_ON_HIGH:
            units += self._correction(now, seen_mg_dl)
        if units:
            self._given = [(at, u) for at, u in self._given if now - at < _INSULIN_ACTS_MIN]
            self._given.append((now, units))
        return units

    def _correction(self, now: int, seen_mg_dl: float) -> float:
        if seen_mg_dl <= CORRECT_ABOVE_MG_DL:
            return 0.0
        on_board = sum(units * (1 - (now - at) / _INSULIN_ACTS_MIN) for at, units in self._given if now - at < 240)
        wanted = _CORRECTION_SHARE * (seen_mg_dl - TARGET_MG_DL) / self._patient.correction_factor
        return max(wanted - on_board, 0.0)

    def _planned(self) -> Iterator[Meal]:
        chance = self._chance
        for occasion in _OCCASIONS:
            if chance.random() >= occasion.chance:
                continue
            minute = round(occasion.hour * 60 + chance.gauss(0, occasion.spread_min))
            grams = max(occasion.carbohydrate_g * self._appetite * chance.lognormvariate(0, 0.3), 4.0)
            counted = grams * chance.lognormvariate(-0.15, _COUNTING_SPREAD)
            missed = chance.random() < (1 - _SNACK_COVERED if occasion.is_snack else _FORGOTTEN)
            late = chance.random() < _LATE
            after = round(chance.uniform(15, 50)) if late else round(chance.gauss(-6, 7))
            yield Meal(min(max(minute, 30), 1380), grams, counted, None if missed else after)
