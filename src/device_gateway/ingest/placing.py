"""Placing: which series, which instant, which value. The hot loop of ingestion."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import repeat
from operator import attrgetter
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
# Device, metric, unit as sent; the zone of the time, None for a wall clock's; whether there is nothing but one value.
Kind = tuple[str | None, str, str, tzinfo | None, bool]
NOBODY = Holding(0, 0, UUID(int=0), "UTC")
NEVER: Final = (1, 0)  # first and last instant of no time at all
VALUE: Final = attrgetter("value")
SEQ: Final = attrgetter("seq")
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


@dataclass
class Placed:
    """Where one message's readings went: `count` rows from `start` on in the batch, but for `others`, by index."""

    start: int = 0
    count: int = 0
    others: dict[int, Rejected | Unassigned] = field(default_factory=dict)


class Placer:
    """Places the readings of one batch into `rows`. `devices` and `clocks` were read for this batch."""

    def __init__(
        self, registry: Registry, devices: Mapping[Name, KnownDevice], clocks: Mapping[UUID, DeviceClock], now: datetime
    ) -> None:
        self.series: list[int] = []  # of each row that was placed
        self._registry = registry
        self._devices = devices
        self._clocks = clocks
        self._now = now
        self._latest = to_microseconds(now) + CLOCK_TOLERANCE_S * SECOND_US
        self._lanes: dict[tuple[UUID, str | None, str, str], Lane | Rejected] = {}

    def open_lanes(self, sender: UUID, kinds: Iterable[Kind]) -> bool:
        """Look up the series that readings of `kinds` may need; whether all of them exist.

        Otherwise they must be placed before rows are streamed to the database: meanwhile it answers no questions.
        """
        all_complete = True
        for device, metric, unit, _, _ in kinds:
            key = (sender, device, metric, unit)
            lane = self._lanes.get(key)
            if lane is None or (type(lane) is Lane and not lane.complete):
                lane = self._lanes[key] = self._lane(*key)
            all_complete = all_complete and (type(lane) is not Lane or lane.complete)
        return all_complete

    def place(self, sender: UUID, decoded: Decoded, kinds: Collection[Kind]) -> tuple[Placed, Packed]:
        """Where the readings went, and the rows. Never raises for what a reading says."""
        alike = self._alike(sender, decoded, *kinds) if len(kinds) == 1 else None
        return alike or self._one_by_one(sender, decoded)

    def _alike(self, sender: UUID, decoded: Decoded, kind: Kind) -> tuple[Placed, Packed] | None:
        """Common readings (one value, an instant, the latest holder) that are all of `kind`; None for any others."""
        device, metric, unit, zone, plain = kind
        lane = self._lanes[sender, device, metric, unit]
        if not plain or type(lane) is not Lane or zone is None or (minutes := _minutes(zone)) is None:
            return None
        readings = cast(list[Reading], decoded.readings)
        numbers = [*map(lane.known.get, map(VALUE, readings))]
        if None in numbers:
            return None
        epoch = _epoch(zone)
        times = [(reading.at - epoch) // MICROSECOND for reading in readings]
        oldest, count = min(times), len(times)
        if oldest < lane.first or max(times) > lane.last:
            return None
        tail = tail_of(minutes, lane.scale.flags)
        rows = map(PLAIN.pack, repeat(lane.head), times, repeat(SEQ_BYTES), map(SEQ, readings), numbers, repeat(tail))
        placed = Placed(len(self.series), count)
        self.series += repeat(lane.series, count)
        return placed, Packed(b"".join(rows), count, plain=True, oldest=oldest)

    def _one_by_one(self, sender: UUID, decoded: Decoded) -> tuple[Placed, Packed]:
        """Any readings.

        The loop handles the common reading in place, for a call and a few look-ups more would double its cost; all
        others go through `_odd`.
        """
        placed = Placed(start=len(self.series))
        others = placed.others
        rows: list[bytes] = []
        series: list[int] = self.series
        keep, pack, plain = rows.append, PLAIN.pack, True
        device: str | None = None
        metric = unit = ""
        zone: tzinfo | None = None
        lane: Lane | Rejected = NOWHERE
        known: Mapping[str, bytes] = {}
        head = tail = b""
        epoch = PG_EPOCH
        first, last = NEVER
        oldest = NO_TIME
        for index, reading in enumerate(decoded.readings):
            if type(reading) is not Reading:
                others[index] = cast(Rejected, reading)
                continue
            at = reading.at
            if reading.metric != metric or reading.unit != unit or reading.device != device or at.tzinfo is not zone:
                metric, unit, device, zone = reading.metric, reading.unit, reading.device, at.tzinfo
                lane = self._lanes[sender, device, metric, unit]
                known = {}
                if type(lane) is Lane and zone is not None and (minutes := _minutes(zone)) is not None:
                    known, head, first, last = lane.known, lane.head, lane.first, lane.last
                    tail, epoch = tail_of(minutes, lane.scale.flags), _epoch(zone)
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
                series.append(lane.series)  # type: ignore[union-attr]  # a Rejected knows no number
                continue
            odd = lane if type(lane) is Rejected else self._odd(cast(Lane, lane), reading)
            if isinstance(odd, Rejected | Unassigned):
                others[index] = odd
            else:
                plain, oldest = False, min(oldest, odd[1])
                keep(packed_row(odd))
                series.append(odd[0])
        placed.count = len(rows)
        return placed, Packed(b"".join(rows), len(rows), plain, oldest)

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
        holdings = [(h, self._registry.known_series(h.space, metric, device.id)) for h in reversed(device.holdings)]
        latest, series = holdings[0] if holdings else (NOBODY, 0)
        users = [(u, self._registry.known_series(u.space, metric, device.id)) for u in device.users]
        # The loop in `place` takes neither a series that is to be made, nor one value where a metric has components,
        # nor what may be one of several people's.
        own = series and not device.shared
        first, last = (max(latest.since, 0), min(latest.until - 1, self._latest)) if own else NEVER
        known = {} if scale.metric.components else scale.packed
        complete = all(found for _, found in (users if device.shared else holdings))
        return Lane(device, scale, known, first, last, head_of(series), series, tuple(holdings), tuple(users), complete)

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


@lru_cache(maxsize=2048)  # bounded: offsets come from outside
def _minutes(zone: tzinfo) -> int | None:
    """The UTC offset of a fixed `zone`, whole minutes; None where no place has it, or it changes with the time."""
    offset = zone.utcoffset(None)
    minutes = None if offset is None else offset.days * 1440 + offset.seconds // 60
    return minutes if minutes is not None and WEST_MIN <= minutes <= EAST_MIN else None


@lru_cache(maxsize=2048)
def _epoch(zone: tzinfo) -> datetime:
    """From which PostgreSQL counts, in `zone`: datetimes of the very same zone are subtracted without asking it."""
    return PG_EPOCH.astimezone(zone)


def names_with_clocks(decoded: Decoded, kinds: Iterable[Kind]) -> set[str | None]:
    """Devices, as `Reading` names them, whose clock is needed: they sent a wall-clock time or a comparison."""
    return {clock.device for clock in decoded.clocks} | {device for device, _, _, zone, _ in kinds if zone is None}
