"""Placing: which series, which instant, which value. The hot loop of ingestion."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, cast
from uuid import UUID

from psycopg.types.json import Jsonb

from device_gateway.devices.clocks import DeviceClock
from device_gateway.ingest.registry import Holding, KnownDevice, Name, Registry
from device_gateway.readings.model import Decoded, Reading, Rejected
from device_gateway.readings.normalise import CLOCK_TOLERANCE_S, STATUS_BITS, Scale, scale_of, value_of
from device_gateway.readings.put import PG_EPOCH, ReadingRow, to_microseconds

SECOND_US = 1_000_000
PG_EPOCH_US = round(PG_EPOCH.timestamp()) * SECOND_US  # PostgreSQL counts from 2000, Python from 1970
OLDEST_YEAR = 2000  # no device of this kind is older; a clock that was reset shows such a year
LAST_YEAR = 2099  # of a wall clock: beyond it no comparison of clocks could make sense of it
WEST_MIN, EAST_MIN = -12 * 60, 14 * 60  # min: UTC offsets that exist, and that FHIR can express
NOWHERE = Rejected("/device", "no device of that name sends through this sender: pair it first")
Kind = tuple[str | None, str, str]  # device, metric, unit as sent
NOBODY = Holding(0, 0, UUID(int=0), "UTC")
FUTURE = Rejected("/at", "in the future: check the clock of the device")
TOO_OLD = Rejected("/at", "before the year 2000: the clock of the device was reset")
NO_OFFSET = Rejected("/at", "no place has this UTC offset: -12:00 to +14:00 exist")


class Lane(NamedTuple):
    """Readings of one device, metric and sent unit: everything but time and value is known.

    `since`, `until` and `series` are the latest holding's, the likely one; `holdings` has them all, the latest first.
    A series is made when its first reading comes, and not before: that a device measured something is for its holder of
    that time to know, and for none before or after. Until then it is 0 here, and the lane is not `complete`.
    """

    device: KnownDevice
    scale: Scale
    known: dict[str, tuple[float, int]]
    since: int
    until: int
    series: int
    holdings: tuple[tuple[Holding, int], ...]

    @property
    def complete(self) -> bool:
        return all(series for _, series in self.holdings)


class Unassigned(NamedTuple):
    """A reading that nobody held the device for: it goes to the inbox."""

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
        self.rows: list[ReadingRow] = []
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
        complete = True
        for device, metric, unit in kinds:
            key = (sender, device, metric, unit)
            lane = self._lanes.get(key)
            if lane is None or (type(lane) is Lane and not lane.complete):
                lane = self._lanes[key] = self._lane(*key)
            complete = complete and (type(lane) is not Lane or lane.complete)
        return complete

    def place(self, sender: UUID, decoded: Decoded) -> Placed:
        """Never raises for what a reading says.

        The loop handles the common reading (one value, an instant, the latest holder) in place, for a call and a few
        look-ups more would double its cost; all others go through `_odd`.
        """
        rows, latest = self.rows, self._latest
        placed = Placed(start=len(rows))
        others = placed.others
        index = -1
        device: str | None = None
        metric = unit = ""
        lane: Lane | Rejected = NOWHERE
        known: dict[str, tuple[float, int]] = {}
        since = until = series = flags = minutes = 0
        last_offset: timedelta | None = None
        for reading in decoded.readings:
            index += 1
            if type(reading) is not Reading:
                others[index] = cast(Rejected, reading)
                continue
            if reading.metric != metric or reading.unit != unit or reading.device != device:
                metric, unit, device = reading.metric, reading.unit, reading.device
                lane = self._lanes[sender, device, metric, unit]
                if type(lane) is Lane:
                    known, since, until, series = lane.known, lane.since, lane.until, lane.series
                    flags = lane.scale.flags
            at = reading.at
            number = known.get(reading.value)  # type: ignore[arg-type]  # None is no key
            if (
                number is not None
                and at.tzinfo is not None
                and type(lane) is Lane
                and reading.components is None
                and reading.context is None
                and reading.status == "final"
            ):
                # Exact: microseconds since 1970 need 51 bits, a float8 has 53, and the rounding error is below a half.
                time = round(at.timestamp() * 1e6) - PG_EPOCH_US
                if (offset := at.utcoffset()) != last_offset:
                    last_offset = offset
                    minutes = offset.days * 1440 + offset.seconds // 60  # type: ignore[union-attr]  # at is aware
                if since <= time < until and 0 <= time <= latest and WEST_MIN <= minutes <= EAST_MIN:
                    rows.append((series, time, reading.seq, number[0], number[1], minutes, flags, None, None, None))
                    continue
            odd = lane if type(lane) is Rejected else self._odd(cast(Lane, lane), reading)
            if isinstance(odd, Rejected | Unassigned):
                others[index] = odd
            else:
                rows.append(odd)
        placed.count = len(rows) - placed.start
        return placed

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
        series = self._series(lane, time)
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
        # The loop in `place` takes neither a series that is to be made, nor one value where a metric has components.
        since, until = (latest.since, latest.until) if series else (0, 0)
        known = {} if scale.metric.components else scale.known
        return Lane(device, scale, known, since, until, series, tuple(holdings))

    def _series(self, lane: Lane, time: int) -> int:
        """The series of whoever held the device then; 0 when nobody did."""
        for holding, series in lane.holdings:
            if holding.since <= time < holding.until:
                return series or self._registry.series(holding.space, lane.scale.metric.key, lane.device.id)
        return 0


def names_with_clocks(decoded: Decoded) -> set[str | None]:
    """Devices, as `Reading` names them, whose clock is needed: they sent a wall-clock time or a comparison."""
    names = {clock.device for clock in decoded.clocks}
    return names | {r.device for r in decoded.readings if type(r) is Reading and r.at.tzinfo is None}
