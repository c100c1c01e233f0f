"""One transfer: decodes what a device sends, in its order, and gives it away in batches as it comes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from device_gateway.readings.model import Reading, Rejected
from device_gateway.transports.ble.adapter import Packet, RecordAdapter
from device_gateway.transports.ble.gaps import Gaps
from device_gateway.transports.ble.progress import Progress

BATCH_RECORDS = 50  # results: kept together in one transaction; what a power cut makes us ask for again at most


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the adapter could not use, the packets that this rests on, and when the last of them came."""

    rejected: Rejected
    packets: tuple[Packet, ...]
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Results in the order of arrival, and where to resume once they are kept.

    position  sequence number of the last record, None at the very beginning
    mark      the packet of that record as it came, by which it is known again; None where it is not known
    session   start of the sensor session as it was read, None for devices without sessions
    """

    readings: tuple[Reading, ...]
    refusals: tuple[Refusal, ...]
    position: int | None
    mark: bytes | None = None
    session: bytes | None = None


Keep = Callable[[Batch], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Known:
    """A record that was kept before, and is asked for again to see that the device still numbers as it did."""

    seq: int
    packet: bytes


class NumberedAnew(Exception):
    """The first record that came is not the one that has this number here: the device began to number anew."""


class Transfer:
    """Packets in, batches out.

    start   the position before it
    known   the record that must come first
    gaps    what is missing of the session, kept up with
    steady  whether nothing comes between the records that were asked for; otherwise only the end moves the position
    """

    def __init__(
        self,
        adapter: RecordAdapter,
        reads: Mapping[str, bytes],
        start: int | None,
        keep: Keep,
        *,
        known: Known | None = None,
        session: bytes | None = None,
        steady: bool = True,
        gaps: Gaps | None = None,
    ) -> None:
        self._decoder = adapter.decoder()
        self._progress = Progress(start, steady=steady)
        self._keep = keep
        self._known = known
        self._first = True
        self._at_known = False
        self._session = session
        self._gaps = gaps
        self._marks: dict[int, bytes] = {} if known is None else {known.seq: known.packet}
        self._readings: list[Reading] = []
        self._refusals: list[Refusal] = []
        self.readings = self.rejected = 0
        now = _now()
        for uuid, value in reads.items():
            self._take(self._decoder.feed(uuid, value, now), now)

    @property
    def records(self) -> int:
        """How many different records have come. Of a session's also those that were refused amid a packet."""
        if self._session is not None:
            return max(self._progress.records, self.readings + self.rejected)
        return self._progress.records

    def holes(self) -> list[tuple[int, int]]:
        """(first, last) of each stretch of numbers that never came."""
        return self._progress.holes()

    async def packet(self, uuid: str, value: bytes) -> None:
        """A notification. Raises NumberedAnew, and what `keep` raises."""
        seq = self._decoder.record_of(uuid, value)
        if seq is not None:
            self._begin(seq, value)
        now = _now()
        self._take(self._decoder.feed(uuid, value, now), now)
        if len(self._readings) + len(self._refusals) >= BATCH_RECORDS:
            await self.flush()

    async def flush(self) -> None:
        """Gives away what is complete."""
        await self._give(self._progress.so_far(self._decoder.waiting))

    async def finish(self, newest: int | None = None) -> None:
        """All has come: gives away the rest, also what waited. `newest`: where the device's numbering ends."""
        self._take(self._decoder.finish(), _now())
        await self._give(self.position(newest))

    def position(self, newest: int | None) -> int | None:
        """Where to go on after a completed transfer."""
        return self._progress.complete() if newest is None else newest

    async def break_off(self) -> None:
        """Records that wait for a packet are left for the next sync; unless nothing else came: with a device that drops
        the link each time they would wait for ever."""
        if self._decoder.waiting and self.readings + self.rejected == 0:
            self._take(self._decoder.finish(), _now())
        await self.flush()

    def _begin(self, seq: int, value: bytes) -> None:
        """Each record but the known one counts; that one must be what it was."""
        known, first, self._first = self._known, self._first, False
        self._at_known = known is not None and (seq, value) == (known.seq, known.packet)
        if self._at_known:
            return
        if known is not None and first:
            raise NumberedAnew
        self._progress.note(seq)
        self._marks[seq] = value

    def _take(self, results: list[Reading | Rejected], received_at: datetime) -> None:
        if self._at_known:  # kept before
            return
        for result in results:
            if isinstance(result, Rejected):
                self._refusals.append(Refusal(result, self._decoder.packets, received_at))
                self.rejected += 1
            else:
                self._readings.append(result)
                self.readings += 1
                if self._session is not None:  # several records to a packet, of which `record_of` names the first
                    self._progress.note(result.seq)
                    if self._gaps is not None:
                        self._gaps.note(result.seq)

    async def _give(self, position: int | None) -> None:
        if not self._readings and not self._refusals:
            return
        mark = None if position is None else self._marks.get(position)
        batch = Batch(tuple(self._readings), tuple(self._refusals), position, mark, self._session)
        self._readings, self._refusals = [], []
        await self._keep(batch)


def _now() -> datetime:
    return datetime.now().astimezone()
