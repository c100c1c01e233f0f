"""Weighings of a person who steps on the scale again and again."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY_TO_DAY_KG = 0.35  # standard deviation between two weighings of an adult whose weight is stable
PULL_HOME = 0.15  # share of the way back to the usual weight, each time
SLOW_WAVE_KG, SLOW_WAVE_DAYS = 1.2, 120  # how an adult's weight comes and goes over months
GRADUATION_KG = 0.05  # bathroom scales show steps of 50 g


@dataclass(frozen=True)
class Weighing:
    """`steps` of 50 g, so that no digit is lost on the way; `ohm` between bare feet."""

    steps: int
    ohm: int

    @property
    def kg(self) -> str:
        """Decimal string with two digits after the point."""
        return f"{self.steps * 5 // 100}.{self.steps * 5 % 100:02d}"


def weighings(kg: float, seed: int) -> Iterator[Weighing]:
    """Endless; the same seed gives the same weighings."""
    source = random.Random(seed)
    weight = kg
    while True:
        yield Weighing(round(weight / GRADUATION_KG), source.randint(430, 560))
        weight += (kg - weight) * PULL_HOME + source.gauss(0, DAY_TO_DAY_KG)


def past_weighings(kg: float, seed: int, now: datetime, days: int) -> list[tuple[datetime, Weighing]]:
    """A weighing each morning of the `days` before today, oldest first; a day's weighing is always the same."""
    found = []
    for back in range(days, 0, -1):
        day = now - timedelta(days=back)
        source = random.Random(f"{seed} {day:%Y-%m-%d}")
        trend_kg = SLOW_WAVE_KG * math.sin(day.toordinal() / SLOW_WAVE_DAYS * 2 * math.pi)
        weight = kg + trend_kg + source.gauss(0, DAY_TO_DAY_KG)
        at = day.replace(hour=7, minute=source.randint(0, 45), second=source.randint(0, 59), microsecond=0)
        found.append((at, Weighing(round(weight / GRADUATION_KG), source.randint(430, 560))))
    return found
