"""Which values of a sensor session have not come: a sensor numbers them by minutes, at a pace of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field

Stretch = tuple[int, int]  # first and last minute, both included


@dataclass
class Gaps:
    """What is missing of one session.

    pace_min  minutes between two values: the least that was seen
    last      the latest minute that came
    open      stretches between values that came, which the sensor has not been asked for again yet
    """

    pace_min: int | None = None
    last: int | None = None
    open: list[Stretch] = field(default_factory=list)

    def note(self, minute: int) -> None:
        """A value came. Those that come late fill what was open."""
        if self.last is None:
            self.last = minute
        elif minute > self.last:
            ahead = minute - self.last
            self.pace_min = min(ahead, self.pace_min or ahead)
            if ahead >= 2 * self.pace_min:
                self.open.append((self.last + 1, minute - 1))
            self.last = minute
        else:
            self._fill(minute)

    def give_up(self) -> list[Stretch]:
        """What is still open after the sensor was asked again: it has not got it. It is not asked for any more."""
        missing, self.open = self.open, []
        return missing

    def values_in(self, stretches: Sequence[Stretch]) -> int:
        """How many values the sensor would have shown in them."""
        pace_min = self.pace_min or 1
        return sum(max((last - first + 1) // pace_min, 1) for first, last in stretches)

    def reset(self) -> None:
        """Another session begins."""
        self.pace_min = self.last = None
        self.open = []

    def _fill(self, minute: int) -> None:
        pace_min = self.pace_min or 1
        left: list[Stretch] = []
        for first, last in self.open:
            if first <= minute <= last:
                pieces = ((first, minute - 1), (minute + 1, last))
                left += [piece for piece in pieces if piece[1] - piece[0] + 1 >= pace_min]
            else:
                left.append((first, last))
        self.open = left
