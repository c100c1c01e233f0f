"""Wall-clock times of a file ▸ instants, in one IANA zone. See docs/decisions/017.

A time that the zone skips in spring was written by a clock not yet put forward: it is read with the offset before. A
time that the zone has twice in autumn is told by the sensor's own counter where the file has it, otherwise by the order
of the rows of a lane: once the clock went back (or, in a file that begins with the newest, forward) the other hour has
begun.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

WINTER, SUMMER = 1, 0  # values of `fold`: the second and the first time that a clock shows the hour
COUNTER_TRUSTED = timedelta(
    days=1
)  # between two rows: beyond it a sensor may have been changed, or its counter be slow


@dataclass(slots=True)
class Lane:
    """Where the rows of one lane are. `instant` and `ticks` are those of the last row that was no riddle."""

    last: datetime | None = None  # wall clock of the row before
    fold: int | None = None  # inside an hour that comes twice
    descends: bool = False
    instant: datetime | None = None
    ticks: int | None = None


class WallClock:
    """Resolves the rows of one file in their order."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], Lane] = {}

    def resolve(self, wall: datetime, zone: ZoneInfo, lane_name: str = "", ticks: int | None = None) -> datetime:
        """The instant of `wall` (naive), with the offset of the place."""
        lane = self._lanes.setdefault((zone.key, lane_name), Lane())
        first = wall.replace(tzinfo=zone, fold=SUMMER)
        second = wall.replace(tzinfo=zone, fold=WINTER)
        before, after = first.utcoffset() or timedelta(), second.utcoffset() or timedelta()
        if before <= after:  # the same, or a time that this day does not have
            chosen = wall.replace(tzinfo=timezone(before))
            if lane.last is not None and lane.last != wall:
                lane.descends = wall < lane.last
            lane.fold, lane.instant, lane.ticks = None, chosen, ticks
        else:
            counted = _counted(lane, first, second, ticks)
            lane.fold = _ordered(lane, wall) if counted is None else counted
            chosen = wall.replace(tzinfo=timezone(before if lane.fold == SUMMER else after))
        lane.last = wall
        return chosen


def _counted(lane: Lane, first: datetime, second: datetime, ticks: int | None) -> int | None:
    """By the sensor's counter, from the last row whose instant is certain."""
    if ticks is None or lane.ticks is None or lane.instant is None:
        return None
    elapsed = timedelta(seconds=ticks - lane.ticks)
    if abs(elapsed) > COUNTER_TRUSTED:
        return None
    expected = lane.instant + elapsed
    return SUMMER if abs(first - expected) <= abs(second - expected) else WINTER


def _ordered(lane: Lane, wall: datetime) -> int:
    begins, follows = (WINTER, SUMMER) if lane.descends else (SUMMER, WINTER)
    if lane.fold is None or lane.last is None:
        return begins
    turned = wall >= lane.last if lane.descends else wall <= lane.last
    return follows if turned else lane.fold
