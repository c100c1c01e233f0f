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
NOWHERE = Rejected("/device", "no device of that name sends through this sender: pair it first")
Kind = tuple[str | None, str, str]  # device, metric, unit as sent
NOBODY = Holding(0, 0, UUID(int=0), "UTC")
FUTURE = Rejected("/at", "in the future: check the clock of the device")
TOO_OLD = Rejected("/at", "before the year 2000: the clock of the device was reset")


class Lane(NamedTuple):
    """Readings of one device, metric and sent unit: everything but time and value is known.

    `since`, `until` and `series` are the latest holding's, the likely one; `holdings` has them all.
    """

    device: KnownDevice
    scale: Scale
    known: dict[str, tuple[float, int]]
    since: int
    until: int
    series: int
    holdings: tuple[tuple[Holding, int], ...]


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

    def open_lanes(self, sender: UUID, kinds: Iterable[Kind]) -> None:
        """Look up, and make where it is the first of its kind, the series that readings of `kinds` need.

        Before any `place`: while rows are streamed to the database it answers no questions.
        """
        for device, metric, unit in kinds:
            key = (sender, device, metric, unit)
            if key not in self._lanes:
                self._lanes[key] = self._lane(*key)

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
                if since <= time < until and 0 <= time <= latest:
                    if (offset := at.utcoffset()) != last_offset:
                        last_offset = offset
                        minutes = offset.days * 1440 + offset.seconds // 60  # type: ignore[union-attr]  # at is aware
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
        at = reading.at
        offset = at.utcoffset()
        if offset is None:
            if at.year < OLDEST_YEAR:
                return TOO_OLD
            at, offset_min = self._clocks[lane.device.id].resolve(reading.seq, at, lane.device.zone, self._now)
        else:
            offset_min = offset.days * 1440 + offset.seconds // 60
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
        series = next((s for holding, s in lane.holdings if holding.since <= time < holding.until), 0)
        row = (series, time, reading.seq, value, decimals, offset_min, flags, value2, value3, context)
        return row if series else Unassigned(lane.device.id, lane.scale.metric.key, row)

    def _lane(self, sender: UUID, name: str | None, metric: str, unit: str) -> Lane | Rejected:
        device = self._devices.get((sender, name))
        if device is None:
            return NOWHERE
        scale = scale_of(metric, unit)
        if isinstance(scale, Rejected):
            return scale
        holdings = [(h, self._registry.series(h.space, metric, device.id)) for h in reversed(device.holdings)]
        latest, series = holdings[0] if holdings else (NOBODY, 0)
        return Lane(device, scale, scale.known, latest.since, latest.until, series, tuple(holdings))


def devices_with_clocks(devices: Mapping[Name, KnownDevice], deliveries: Iterable[tuple[UUID, Decoded]]) -> set[UUID]:
    """Devices whose clock is needed: they sent a wall-clock time or a comparison."""
    needed: set[UUID] = set()
    for sender, decoded in deliveries:
        names = {clock.device for clock in decoded.clocks}
        names |= {r.device for r in decoded.readings if type(r) is Reading and r.at.tzinfo is None}
        needed |= {devices[sender, name].id for name in names if (sender, name) in devices}
    return needed
