"""Weighings of a person who steps on the scale again and again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

DAY_TO_DAY_KG = 0.35  # standard deviation between two weighings of an adult whose weight is stable
PULL_HOME = 0.15  # share of the way back to the usual weight, each time
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
