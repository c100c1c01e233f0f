"""A record of a file ▸ a row of the table `reading`, or why not. The checks are those of ingestion."""

from datetime import UTC, datetime
from typing import Final

from psycopg.types.json import Jsonb

from device_gateway.imports.sources import Sources, name_text
from device_gateway.imports.wall_clock import WallClock
from device_gateway.ingest.placing import (
    EAST_MIN,
    FUTURE,
    LAST_YEAR,
    NO_OFFSET,
    OLDEST_YEAR,
    SECOND_US,
    TOO_OLD,
    WEST_MIN,
)
from device_gateway.readings.model import Entry, Reading, Rejected
from device_gateway.readings.normalise import CLOCK_TOLERANCE_S, STATUS_BITS, scale_of, value_of
from device_gateway.readings.packed import ReadingRow
from device_gateway.readings.put import to_microseconds

NUL: Final = Rejected("/context", "text with the character NUL cannot be kept")


class FilePlacer:
    """Places the records of one file, in their order: the order tells the two hours at the end of summer time apart."""

    def __init__(self, sources: Sources, now: datetime) -> None:
        self._sources = sources
        self._clock = WallClock()
        self._latest = to_microseconds(now) + CLOCK_TOLERANCE_S * SECOND_US

    def place(self, entry: Entry) -> ReadingRow | Rejected:
        """`entry` holds a reading. Raises ZoneConflict."""
        reading = entry.result
        assert isinstance(reading, Reading)  # noqa: S101  # the caller sorts out the others
        device = name_text(reading.device)
        at, wall_clock = reading.at, reading.at.tzinfo is None
        if at.year < OLDEST_YEAR:
            return TOO_OLD
        if at.year > LAST_YEAR:
            return FUTURE
        if wall_clock:
            at = self._clock.resolve(at, self._sources.zone_of(device), entry.lane, entry.ticks)
        elif at.tzinfo is UTC:
            at = at.astimezone(self._sources.offset_zone())
        offset = at.utcoffset()
        assert offset is not None  # noqa: S101  # aware by now
        offset_min = offset.days * 1440 + offset.seconds // 60
        if not WEST_MIN <= offset_min <= EAST_MIN:
            return NO_OFFSET
        time = to_microseconds(at)
        if time > self._latest:
            return FUTURE
        if time < 0:
            return TOO_OLD
        scale = scale_of(reading.metric, reading.unit)
        if isinstance(scale, Rejected):
            return scale
        parsed = value_of(reading, scale)
        if isinstance(parsed, Rejected):
            return parsed
        if reading.context and any("\0" in f"{key}{value}" for key, value in reading.context.items()):
            return NUL
        series = self._sources.series(device, name_text(entry.model), reading.metric, wall_clock=wall_clock)
        return (
            series, time, reading.seq, parsed.value, parsed.decimals, offset_min,
            scale.flags | STATUS_BITS[reading.status], parsed.value2, parsed.value3,
            Jsonb(reading.context) if reading.context else None,
        )  # fmt: skip
