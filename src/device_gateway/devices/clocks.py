"""Device clocks: wall clock without a zone ▸ instants, through segments that are frozen once used.

A meter shows its own wall clock. At a sync its clock may be compared with true time; the difference becomes a segment
that holds for records newer than the last one already resolved. Older records keep their segment, so a full re-transfer
after a journey, a change of summer time or a corrected clock gives the same instants, and nothing is stored twice.
After a change of battery a meter may begin anew with both its clock and its numbers: then neither tells a new record
from an old one. So each record that was placed is remembered with its segment, and stays there; one that is not
remembered, and not later than what the clock shows now, belongs to the clock as it was reset.

A device that was never compared gets one assumed segment: its clock is taken to show the local time of the patient.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

SAME_CLOCK_S = 60  # s: meters show minutes, and drift seconds a day; a smaller difference starts no new segment
MOST_SHIFT_S = 40 * 366 * 86_400  # s: a clock that is further off than 40 years is no clock; the column is an int4
RESET_S = 26 * 3600  # s: a clock that is further back than any journey takes it lost its time
HIGHEST_SEQ = 2**63 - 1  # of a record; the column is an int8
BEFORE_ANYTHING = datetime(1, 1, 1)  # noqa: DTZ001  # a wall clock has no zone


class Segment(NamedTuple):
    """From record `from_seq` on, and for whatever is newer than wall clock `from_raw`: UTC = wall clock - shift.

    was_reset  the clock had fallen behind records already placed, further than on any journey
    """

    from_seq: int
    from_raw: datetime
    shift_s: int
    utc_offset_min: int
    measured_at: datetime | None
    was_reset: bool = False


Record = tuple[int, datetime]  # (sequence number, wall clock)
Place = tuple[int, int]  # (shift in seconds, UTC offset in minutes)


@dataclass
class DeviceClock:
    """Segments of one device, oldest first, and the newest record that went through them.

    frozen  where records were placed; needed only once the clock was reset
    placed  those that are new
    """

    segments: list[Segment] = field(default_factory=list)
    last_seq: int = -1
    last_raw: datetime = BEFORE_ANYTHING
    added: list[Segment] = field(default_factory=list)
    used: bool = False
    frozen: dict[Record, Place] = field(default_factory=dict)
    placed: dict[Record, Place] = field(default_factory=dict)
    _resolved: tuple[Record, Place] = ((-1, BEFORE_ANYTHING), (0, 0))

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
            was_reset = (self.last_raw - raw).total_seconds() > RESET_S
            self._add(Segment(from_seq, self.last_raw, shift_s, offset_min, measured_at, was_reset))
        return shift_s - offset_min * 60

    def resolve(self, seq: int, raw: datetime, zone: ZoneInfo, now: datetime) -> tuple[datetime, int]:
        """(instant of `raw`, UTC offset of the patient in minutes). `zone` is used only when nothing was measured.

        Once the reading is accepted, `accepted` must be told, so that its segment is frozen.
        """
        if not self.segments:
            offset_s = int((now.astimezone(zone).utcoffset() or timedelta()).total_seconds())
            self._add(Segment(0, BEFORE_ANYTHING, offset_s, offset_s // 60, None))
        shift_s, offset_min = self._place(seq, raw, now)
        self._resolved = (seq, raw), (shift_s, offset_min)
        return (raw - timedelta(seconds=shift_s)).replace(tzinfo=UTC), offset_min

    def accepted(self, seq: int, raw: datetime) -> None:
        """A reading went through its segment. One that was rejected did not: a year 2099 must not freeze the clock."""
        self.used = True
        record, place = self._resolved
        if record == (seq, raw) and record not in self.frozen:
            self.frozen[record] = self.placed[record] = place
        self.last_seq = max(self.last_seq, seq)
        self.last_raw = max(self.last_raw, raw)

    def _place(self, seq: int, raw: datetime, now: datetime) -> Place:
        """Where it is already; otherwise the newest segment that begins before the record.

        Of what went through older segments, neither number nor wall clock is beyond where a newer one begins. Of new
        records one of them is, also after a clock was set back, or a factory reset began to number anew. Where both
        happened at once, the record is at least not later than what the clock shows by now.
        """
        if (known := self.frozen.get((seq, raw))) is not None:
            return known
        found = self.segments[0]
        for segment in reversed(self.segments):
            shown = _utc_wall(now) + timedelta(seconds=segment.shift_s + SAME_CLOCK_S)
            if seq >= segment.from_seq or raw > segment.from_raw or (segment.was_reset and raw <= shown):
                found = segment
                break
        return found.shift_s, found.utc_offset_min

    def _add(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.added.append(segment)


def _utc_wall(at: datetime) -> datetime:
    return at.replace(tzinfo=None) - (at.utcoffset() or timedelta())
