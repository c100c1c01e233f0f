"""Fetching what a device has recorded since the last time, and giving it away batch by batch as it comes.

    count       how many records after the last one kept (all of them the first time)
    restarted?  none, and the newest one is older than that: the device began to number anew, so all of them
    report      each notification to the decoder, each `BATCH_RECORDS` results to `keep`
    again       once more, when fewer records came than were counted

Broken off anywhere, what came is kept, and the position with it: the next sync goes on there. What is asked for twice
is the same record with the same identity, and so stored once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from device_gateway.readings.model import Reading, Rejected
from device_gateway.transports.ble.adapter import Packet, RecordAdapter, RecordDecoder
from device_gateway.transports.ble.errors import BluetoothError, RecordAccessRefused
from device_gateway.transports.ble.link import Link
from device_gateway.transports.ble.progress import Progress
from device_gateway.transports.ble.record_access import (
    HIGHEST_SEQ,
    NOTIFICATION_TIMEOUT_S,
    UNSUPPORTED,
    RecordAccess,
    Selection,
)

BATCH_RECORDS = 50  # results: kept together in one transaction; what a power cut makes us ask for again at most

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the adapter could not use, and the packets that this rests on."""

    rejected: Rejected
    packets: tuple[Packet, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Results in the order of arrival. `position`: where to resume once this is kept, None at the very beginning."""

    readings: tuple[Reading, ...]
    refusals: tuple[Refusal, ...]
    position: int | None


Keep = Callable[[Batch], Awaitable[None]]


@dataclass(slots=True)
class SyncReport:
    """What a sync did. `announced`: None where the device cannot count; `complete`: False when records are missing."""

    announced: int | None = None
    records: int = 0
    readings: int = 0
    rejected: int = 0
    complete: bool = True


async def sync_records(
    link: Link,
    adapter: RecordAdapter,
    last_seq: int | None,
    keep: Keep,
    *,
    notification_timeout_s: float = NOTIFICATION_TIMEOUT_S,
) -> SyncReport:
    """Everything after `last_seq` (the position of the last batch kept; None: all) given to `keep`.

    Raises BluetoothError when the device or the link fails, and what `keep` raises: what came before is kept.
    """
    for uuid in (*adapter.notifies, adapter.record_access):
        if link.has(uuid) or uuid == adapter.record_access:
            await link.subscribe(uuid)
    access = RecordAccess(link, adapter.record_access, notification_timeout_s=notification_timeout_s)
    report = SyncReport()
    start, selection, report.announced = await _plan(access, adapter, last_seq)
    if report.announced == 0:
        return report
    for attempt in (1, 2):
        transfer = Transfer(adapter.decoder(), start, keep)
        try:
            await transfer.run(access, selection, report.announced)
        finally:
            report.records, report.readings, report.rejected = transfer.records, transfer.readings, transfer.rejected
        report.complete = report.announced is None or transfer.records >= report.announced
        if report.complete:
            break
        _log.warning("ble.records_missing", announced=report.announced, came=transfer.records, attempt=attempt)
    return report


async def _plan(
    access: RecordAccess, adapter: RecordAdapter, last_seq: int | None
) -> tuple[int | None, Selection, int | None]:
    """(position to begin at, what to ask for, how many records that are)."""
    if last_seq is None:
        return None, Selection.every(), await _count(access, Selection.every())
    if last_seq < HIGHEST_SEQ:
        newer = Selection.starting_at(last_seq + 1)
        try:
            announced: int | None = await access.count(newer)
        except RecordAccessRefused as refused:
            if refused.code not in UNSUPPORTED:
                raise
            return last_seq, Selection.every(), await _count(access, Selection.every())
        if announced:
            return last_seq, newer, announced
    if await _restarted(access, adapter, last_seq):
        _log.info("ble.numbering_restarted")
        return None, Selection.every(), await _count(access, Selection.every())
    return last_seq, Selection.every(), 0


async def _count(access: RecordAccess, selection: Selection) -> int | None:
    try:
        return await access.count(selection)
    except RecordAccessRefused as refused:
        if refused.code in UNSUPPORTED:
            return None
        raise


async def _restarted(access: RecordAccess, adapter: RecordAdapter, last_seq: int) -> bool:
    """Whether the newest record of the device is numbered below the last one that we kept."""
    decoder = adapter.decoder()
    newest: list[int] = []

    async def note(uuid: str, value: bytes) -> None:
        seq = decoder.record_of(uuid, value)
        if seq is not None:
            newest.append(seq)

    try:
        await access.report(Selection.newest(), note, 1)
    except RecordAccessRefused as refused:
        if refused.code not in UNSUPPORTED:
            raise
    return bool(newest) and newest[-1] < last_seq


class Transfer:
    """One report procedure: decodes what comes and gives it away in batches."""

    def __init__(self, decoder: RecordDecoder, start: int | None, keep: Keep) -> None:
        self._decoder = decoder
        self._progress = Progress(start)
        self._keep = keep
        self._readings: list[Reading] = []
        self._refusals: list[Refusal] = []
        self.records = self.readings = self.rejected = 0

    async def run(self, access: RecordAccess, selection: Selection, announced: int | None) -> None:
        """Runs to the end. When it breaks off, what came complete is kept, and the error goes on."""
        try:
            await access.report(selection, self._packet, announced)
        except BluetoothError:
            await self._break_off()
            raise
        self._take(self._decoder.finish())
        await self._flush(self._progress.complete())

    async def _packet(self, uuid: str, value: bytes) -> None:
        seq = self._decoder.record_of(uuid, value)
        if seq is not None:
            self._progress.note(seq)
            self.records += 1
        self._take(self._decoder.feed(uuid, value))
        if len(self._readings) + len(self._refusals) >= BATCH_RECORDS:
            await self._flush(self._progress.so_far(self._decoder.waiting))

    def _take(self, results: list[Reading | Rejected]) -> None:
        for result in results:
            if isinstance(result, Rejected):
                self._refusals.append(Refusal(result, self._decoder.packets))
                self.rejected += 1
            else:
                self._readings.append(result)
                self.readings += 1

    async def _break_off(self) -> None:
        """Records that wait for a packet are left for the next sync; unless nothing else came: with a device that drops
        the link each time they would wait for ever."""
        if self._decoder.waiting and self.readings + self.rejected == 0:
            self._take(self._decoder.finish())
        await self._flush(self._progress.so_far(self._decoder.waiting))

    async def _flush(self, position: int | None) -> None:
        if not self._readings and not self._refusals:
            return
        batch = Batch(tuple(self._readings), tuple(self._refusals), position)
        self._readings, self._refusals = [], []
        await self._keep(batch)
