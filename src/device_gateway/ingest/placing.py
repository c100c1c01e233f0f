"""Placing: which series, which instant, which value. The hot loop of ingestion."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import repeat
from operator import attrgetter, floordiv, sub
from typing import Final, NamedTuple, cast
from uuid import UUID

from psycopg.types.json import Jsonb

from device_gateway.devices.clocks import DeviceClock
from device_gateway.ingest.registry import Holding, KnownDevice, Name, Registry, User
from device_gateway.readings.model import Decoded, Reading, Rejected
from device_gateway.readings.normalise import CLOCK_TOLERANCE_S, STATUS_BITS, Scale, scale_of, value_of
from device_gateway.readings.packed import NO_TIME, PLAIN, SEQ_BYTES, Packed, ReadingRow, head_of, packed_row, tail_of
from device_gateway.readings.put import MICROSECOND, PG_EPOCH, to_microseconds
from device_gateway.readings.user_index import user_of

SECOND_US = 1_000_000
OLDEST_YEAR = 2000  # no device of this kind is older; a clock that was reset shows such a year
LAST_YEAR = 2099  # of a wall clock: beyond it no comparison of clocks could make sense of it
WEST_MIN, EAST_MIN = -12 * 60, 14 * 60  # min: UTC offsets that exist, and that FHIR can express
NOWHERE = Rejected("/device", "no device of that name sends through this sender: pair it first")
Measure = tuple[str | None, str, str]  # device, metric, unit as sent
# And the zone of the time, None for a wall clock's; whether there is nothing but one value.
Kind = tuple[Measure, tzinfo | None, bool]
NOBODY = Holding(0, 0, UUID(int=0), "UTC")
NEVER: Final = (1, 0)  # first and last instant of no time at all
VALUE: Final = attrgetter("value")
SEQ: Final = attrgetter("seq")
AT: Final = attrgetter("at")
FUTURE = Rejected("/at", "in the future: check the clock of the device")
TOO_OLD = Rejected("/at", "before the year 2000: the clock of the device was reset")
NO_OFFSET = Rejected("/at", "no place has this UTC offset: -12:00 to +14:00 exist")


class Lane(NamedTuple):
    """Readings of one device, metric and sent unit: everything but time and value is known.

    `head`, `first` and `last` are the latest holding's, the likely one: its series, and the microseconds between which
    a reading is its. `holdings` has them all, the latest first. `known` has the decimal strings that were seen before.
    A series is made when its first reading comes, and not before: that a device measured something is for its holder of
    that time to know, and for none before or after. Until then it is 0 here, and the lane is not `complete`.
    """

    device: KnownDevice
    scale: Scale
    known: Mapping[str, bytes]
    first: int
    last: int
    head: bytes
    series: int
    holdings: tuple[tuple[Holding, int], ...]
    users: tuple[tuple[User, int], ...]  # of a device that tells its users apart, in the place of the holdings
    complete: bool


class Unassigned(NamedTuple):
    """A reading that nobody held the device for, or was the user of it: it goes to the inbox."""

    device: UUID
    metric: str
    row: ReadingRow  # its series is 0


Others = dict[int, Rejected | Unassigned]  # readings of a message that became no row, by index


@dataclass(slots=True)
class Rows:
    """Rows in the order in which they were placed.

    series  of each row
    packed  rows that are not taken yet; `plain` and `oldest` are theirs, as `Packed` has them
    """

    series: list[int] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)
    plain: bool = True
    oldest: int = NO_TIME

    def add(self, more: "Rows") -> None:
        self.series += more.series
        self.packed += more.packed
        self.plain = self.plain and more.plain
        self.oldest = min(self.oldest, more.oldest)

    def take(self) -> Packed:
        """The rows since the last call."""
        taken = Packed(b"".join(self.packed), len(self.packed), self.plain, self.oldest)
        self.packed, self.plain, self.oldest = [], True, NO_TIME
        return taken


class Placer:
    """Places the readings of one batch. `devices` and `clocks` were read for this batch."""

    def __init__(
        self, registry: Registry, devices: Mapping[Name, KnownDevice], clocks: Mapping[UUID, DeviceClock], now: datetime
    ) -> None:
        self._registry = registry
        self._devices = devices
        self._clocks = clocks
        self._now = now
        self._latest = to_microseconds(now) + CLOCK_TOLERANCE_S * SECOND_US
        self._lanes: dict[UUID, dict[Measure, Lane | Rejected]] = {}

    def open_lanes(self, sender: UUID, measures: Iterable[Measure]) -> bool:
        """Look up the series that readings of `measures` may need; whether all of them exist.

        Otherwise they must be placed before rows are streamed to the database: meanwhile it answers no questions.
        """
        all_complete = True
        lanes = self._lanes.setdefault(sender, {})
        for measure in measures:
            lane = lanes.get(measure)
            if lane is None or (type(lane) is Lane and not lane.complete):
                lane = lanes[measure] = self._lane(sender, *measure)
            all_complete = all_complete and (type(lane) is not Lane or lane.complete)
        return all_complete

    def place(self, sender: UUID, decoded: Decoded, kinds: Collection[Kind], into: Rows) -> Others | None:
        """Add rows to `into`; what became none, if anything. Never raises for what a reading says.

        Lanes for `kinds` are open.
        """
        if not kinds and not decoded.readings:
            return None
        lanes = self._lanes.get(sender, {})
        if len(kinds) == 1:
            [(measure, zone, plain)] = kinds
            readings = cast(Sequence[Reading], decoded.readings)
            if plain and _alike(lanes[measure], readings, zone, self._latest, into):
                return None
        return self._one_by_one(lanes, decoded, into) or None

    def _one_by_one(self, lanes: Mapping[Measure, Lane | Rejected], decoded: Decoded, into: Rows) -> Others:
        """Any readings.

        The loop handles the common reading in place, for a call and a few look-ups more would double its cost; all
        others go through `_odd`.
        """
        others: Others = {}
        keep, count, pack = into.packed.append, into.series.append, PLAIN.pack
        device: str | None = None
        metric = unit = ""
        zone: tzinfo | None = None
        lane: Lane | Rejected = NOWHERE
        known: Mapping[str, bytes] = {}
        head = tail = b""
        epoch = PG_EPOCH
        first, last = NEVER
        oldest = into.oldest
        for index, reading in enumerate(decoded.readings):
            if type(reading) is not Reading:
                others[index] = cast(Rejected, reading)
                continue
            at = reading.at
            if reading.metric != metric or reading.unit != unit or reading.device != device or at.tzinfo is not zone:
                metric, unit, device, zone = reading.metric, reading.unit, reading.device, at.tzinfo
                lane = lanes[device, metric, unit]
                known = {}
                if type(lane) is Lane and zone is not None and (shared := _shared(zone, lane.scale.flags)) is not None:
                    known, head, first, last = lane.known, lane.head, lane.first, min(lane.last, self._latest)
                    epoch, tail = shared
            number = known.get(reading.value)  # type: ignore[arg-type]  # None is no key
            if (
                number is not None
                and reading.components is None
                and reading.context is None
                and reading.status == "final"
                and first <= (time := (at - epoch) // MICROSECOND) <= last
            ):
                if time < oldest:  # noqa: PLR1730  # a call of min for each reading costs more
                    oldest = time
                keep(pack(head, time, SEQ_BYTES, reading.seq, number, tail))
                count(lane.series)  # type: ignore[union-attr]  # a Rejected knows no number
                continue
            odd = lane if type(lane) is Rejected else self._odd(cast(Lane, lane), reading)
            if isinstance(odd, Rejected | Unassigned):
                others[index] = odd
            else:
                into.plain, oldest = False, min(oldest, odd[1])
                keep(packed_row(odd))
                count(odd[0])
        into.oldest = oldest
        return others

    def _odd(self, lane: Lane, reading: Reading) -> ReadingRow | Unassigned | Rejected:
        """Any reading, with all that it may have."""
        at, clock = reading.at, None
        offset = at.utcoffset()
        if offset is None:
            if at.year < OLDEST_YEAR:
                return TOO_OLD
            if at.year > LAST_YEAR:
                return FUTURE
            clock = self._clocks[lane.device.id]
            at, offset_min = clock.resolve(reading.seq, at, lane.device.zone, self._now)
        else:
            offset_min = offset.days * 1440 + offset.seconds // 60
            if not WEST_MIN <= offset_min <= EAST_MIN:
                return NO_OFFSET
        time = to_microseconds(at)
        if time > self._latest:
            return FUTURE
        if time < 0:
            return TOO_OLD
        parsed = value_of(reading, lane.scale)
        if isinstance(parsed, Rejected):
            return parsed
        value, value2, value3, decimals = parsed
        flags = lane.scale.flags | STATUS_BITS[reading.status]
        context = Jsonb(reading.context) if reading.context else None
        if clock:
            clock.accepted(reading.seq, reading.at)
        user = user_of(reading.context)
        if user is None and not lane.device.shared:
            series = self._series(lane, time)
        else:
            series = self._series_of_user(lane, user, time)
        row = (series, time, reading.seq, value, decimals, offset_min, flags, value2, value3, context)
        return row if series else Unassigned(lane.device.id, lane.scale.metric.key, row)

    def _lane(self, sender: UUID, name: str | None, metric: str, unit: str) -> Lane | Rejected:
        device = self._devices.get((sender, name))
        if device is None:
            return NOWHERE
        scale = scale_of(metric, unit)
        if isinstance(scale, Rejected):
            return scale
        key = (id(device), metric, unit)
        if (remembered := self._registry.lanes.get(key)) is not None:
            return remembered
        holdings = [(h, self._registry.known_series(h.space, metric, device.id)) for h in reversed(device.holdings)]
        latest, series = holdings[0] if holdings else (NOBODY, 0)
        users = [(u, self._registry.known_series(u.space, metric, device.id)) for u in device.users]
        # The loop in `place` takes neither a series that is to be made, nor one value where a metric has components,
        # nor what may be one of several people's.
        own = series and not device.shared
        first, last = (max(latest.since, 0), latest.until - 1) if own else NEVER
        known = {} if scale.metric.components else scale.packed
        complete = all(found for _, found in (users if device.shared else holdings))
        lane = Lane(device, scale, known, first, last, head_of(series), series, tuple(holdings), tuple(users), complete)
        if complete and not device.shared:
            self._registry.lanes[key] = lane
        return lane

    def _series(self, lane: Lane, time: int) -> int:
        """The series of whoever held the device then; 0 when nobody did."""
        for holding, series in lane.holdings:
            if holding.since <= time < holding.until:
                return series or self._registry.series(holding.space, lane.scale.metric.key, lane.device.id)
        return 0

    def _series_of_user(self, lane: Lane, number: int | None, time: int) -> int:
        """The series of the person who was that user of the device then; 0 when nobody is known to have been."""
        for user, series in lane.users:
            if user.number == number and user.since <= time < user.until:
                return series or self._registry.series(user.space, lane.scale.metric.key, lane.device.id)
        return 0


def _alike(lane: Lane | Rejected, readings: Sequence[Reading], zone: tzinfo | None, until: int, into: Rows) -> bool:
    """Whether all are common readings (one value, an instant `until` then, the latest holder), and were added."""
    if type(lane) is not Lane or zone is None or (shared := _shared(zone, lane.scale.flags)) is None:
        return False
    epoch, tail = shared
    until = min(until, lane.last)
    if len(readings) == 1:
        [reading] = readings
        number = lane.known.get(reading.value)  # type: ignore[arg-type]  # None is no key
        oldest = latest = (reading.at - epoch) // MICROSECOND
        if number is None or oldest < lane.first or latest > until:
            return False
        into.packed.append(PLAIN.pack(lane.head, oldest, SEQ_BYTES, reading.seq, number, tail))
        into.series.append(lane.series)
    else:
        numbers = [*map(lane.known.get, map(VALUE, readings))]
        if None in numbers:
            return False
        times = [*map(floordiv, map(sub, map(AT, readings), repeat(epoch)), repeat(MICROSECOND))]
        oldest, latest = min(times), max(times)
        if oldest < lane.first or latest > until:
            return False
        into.packed += map(
            PLAIN.pack, repeat(lane.head), times, repeat(SEQ_BYTES), map(SEQ, readings), numbers, repeat(tail)
        )
        into.series += repeat(lane.series, len(readings))
    into.oldest = min(into.oldest, oldest)
    return True


@lru_cache(maxsize=2048)  # bounded: offsets come from outside
def _shared(zone: tzinfo, flags: int) -> tuple[datetime, bytes] | None:
    """What readings of a fixed `zone` share: from which PostgreSQL counts, in that very zone, and the end of a row.

    Datetimes of the same zone are subtracted without asking it. None where no place has this UTC offset, or it changes
    with the time.
    """
    offset = zone.utcoffset(None)
    minutes = None if offset is None else offset.days * 1440 + offset.seconds // 60
    if minutes is None or not WEST_MIN <= minutes <= EAST_MIN:
        return None
    return PG_EPOCH.astimezone(zone), tail_of(minutes, flags)


def names_with_clocks(decoded: Decoded, kinds: Iterable[Kind]) -> set[str | None]:
    """Devices, as `Reading` names them, whose clock is needed: they sent a wall-clock time or a comparison."""
    return {clock.device for clock in decoded.clocks} | {measure[0] for measure, zone, _ in kinds if zone is None}
