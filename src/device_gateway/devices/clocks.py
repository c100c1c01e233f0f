"""Device clocks: wall clock without a zone ▸ instants, through segments that are frozen once used.

A meter shows its own wall clock. At a sync its clock may be compared with true time; the difference becomes a segment
that holds for records newer than the last one already resolved. Older records keep their segment, so a full re-transfer
after a journey, a change of summer time or a corrected clock gives the same instants, and nothing is stored twice.
A device that was never compared gets one assumed segment: its clock is taken to show the local time of the patient.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

SAME_CLOCK_S = 60  # s: meters show minutes, and drift seconds a day; a smaller difference starts no new segment
MOST_SHIFT_S = 40 * 366 * 86_400  # s: a clock that is further off than 40 years is no clock; the column is an int4
HIGHEST_SEQ = 2**63 - 1  # of a record; the column is an int8
BEFORE_ANYTHING = datetime(1, 1, 1)  # noqa: DTZ001  # a wall clock has no zone


class Segment(NamedTuple):
    """From record `from_seq` on, and for whatever is newer than wall clock `from_raw`: UTC = wall clock - shift."""

    from_seq: int
    from_raw: datetime
    shift_s: int
    utc_offset_min: int
    measured_at: datetime | None


@dataclass
class DeviceClock:
    """Segments of one device, oldest first, and the newest record that went through them."""

    segments: list[Segment] = field(default_factory=list)
    last_seq: int = -1
    last_raw: datetime = BEFORE_ANYTHING
    added: list[Segment] = field(default_factory=list)
    used: bool = False

    def measured(self, raw: datetime, measured_at: datetime) -> int | None:
        """Note a comparison; returns the skew in seconds: device wall clock minus the local time of the place.

        `measured_at` is aware, not before 2000; its UTC offset is the place's. None for a comparison that tells
        nothing: one that comes late, after a newer one, or a clock that shows no time of this age.
        """
        offset = measured_at.utcoffset() or timedelta()
        shift_s = round((raw - _utc_wall(measured_at)).total_seconds())
        offset_min = int(offset.total_seconds()) // 60
        last = self.segments[-1] if self.segments else None
        if abs(shift_s) > MOST_SHIFT_S or (last and last.measured_at and measured_at < last.measured_at):
            return None
        if (
            last is None
            or last.measured_at is None
            or abs(last.shift_s - shift_s) > SAME_CLOCK_S
            or last.utc_offset_min != offset_min
        ):
            from_seq = min(self.last_seq + 1, HIGHEST_SEQ)
            self._add(Segment(from_seq, self.last_raw, shift_s, offset_min, measured_at))
        return shift_s - offset_min * 60

    def resolve(self, seq: int, raw: datetime, zone: ZoneInfo, now: datetime) -> tuple[datetime, int]:
        """(instant of `raw`, UTC offset of the patient in minutes). `zone` is used only when nothing was measured.

        Once the reading is accepted, `accepted` must be told, so that its segment is frozen.
        """
        if not self.segments:
            offset_s = int((now.astimezone(zone).utcoffset() or timedelta()).total_seconds())
            self._add(Segment(0, BEFORE_ANYTHING, offset_s, offset_s // 60, None))
        segment = self._segment(seq, raw)
        return (raw - timedelta(seconds=segment.shift_s)).replace(tzinfo=UTC), segment.utc_offset_min

    def accepted(self, seq: int, raw: datetime) -> None:
        """A reading went through its segment. One that was rejected did not: a year 2099 must not freeze the clock."""
        self.used = True
        self.last_seq = max(self.last_seq, seq)
        self.last_raw = max(self.last_raw, raw)

    def _segment(self, seq: int, raw: datetime) -> Segment:
        """The newest one that begins before the record.

        Of what went through older segments, neither number nor wall clock is beyond where a newer one begins. Of new
        records one of them is, also after a clock was set back, or a factory reset began to number anew.
        """
        for segment in reversed(self.segments):
            if seq >= segment.from_seq or raw > segment.from_raw:
                return segment
        return self.segments[0]

    def _add(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.added.append(segment)


def _utc_wall(at: datetime) -> datetime:
    return at.replace(tzinfo=None) - (at.utcoffset() or timedelta())
