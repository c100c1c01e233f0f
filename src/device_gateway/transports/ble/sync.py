"""Fetching what a device has recorded since the last time, and giving it away batch by batch as it comes.

    read        what the decoder must know before; another start of the sensor session begins a new numbering
    subscribe   to all that the device notifies or indicates
    newest?     the last record kept: nothing to do; a lower number: the device began to number anew, so all of them
    count       how many records there are from the last one kept on (all of them the first time)
    report      that last record first, to see that it is still the same, then each notification to the decoder
    again       once more what is missing, when fewer records came than were counted; of a sensor session, each
                stretch without a value, also one that was missed while listening

A device without a Record Access Control Point sends by itself what is new; it is listened to until it falls silent or
drops the link. One that measures continually is listened to after its records, for as long as it stays.

Broken off anywhere, what came is kept, and the position with it: the next sync goes on there. What is asked for twice
is the same record with the same identity, and so stored once.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from device_gateway.transports.ble.adapter import RecordAdapter
from device_gateway.transports.ble.errors import AccessRefused, BluetoothError, LinkLost, NoAnswer, RecordAccessRefused
from device_gateway.transports.ble.gaps import Gaps
from device_gateway.transports.ble.link import Link
from device_gateway.transports.ble.record_access import (
    HIGHEST_SEQ,
    NOTIFICATION_TIMEOUT_S,
    UNSUPPORTED,
    RecordAccess,
    Selection,
)
from device_gateway.transports.ble.transfer import Batch, Keep, Known, NumberedAnew, Refusal, Transfer

__all__ = ["Batch", "Keep", "Patience", "Refusal", "SyncReport", "sync_records"]

LIVE_FLUSH_S: Final = 10.0  # a heart rate comes every second: not each is a transaction and a message of its own
HOLES_ASKED: Final = 8  # stretches asked for one by one; more are asked for as one, with what came between them

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a device is waited for.

    record_s  for the next notification of a transfer
    first_s   for the first measurement of a device that sends by itself: a scale still weighs, a cuff still deflates
    next_s    for a further one: those that were stored come one after the other
    live_s    for the next value of a device that measures continually: three times five minutes
    """

    record_s: float = NOTIFICATION_TIMEOUT_S
    first_s: float = 30.0
    next_s: float = 4.0
    live_s: float = 900.0


@dataclass(slots=True)
class SyncReport:
    """What a sync did.

    announced  None where the device cannot count
    complete   False when records are missing: then `missing` has the (first, last) of their numbers, as far as known
    """

    announced: int | None = None
    records: int = 0
    readings: int = 0
    rejected: int = 0
    complete: bool = True
    missing: tuple[tuple[int, int], ...] = ()

    def include(self, further: "SyncReport") -> None:
        """What was done after it on the same connection."""
        self.records += further.records
        self.readings += further.readings
        self.rejected += further.rejected
        self.complete = self.complete and further.complete
        self.missing += further.missing
        self.announced = further.announced if self.announced is None else self.announced


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to ask for. `newest`: the number of the newest record, where the device told it."""

    start: int | None
    selection: Selection
    announced: int | None
    known: Known | None = None
    newest: int | None = None


async def sync_records(
    link: Link,
    adapter: RecordAdapter,
    last_seq: int | None,
    keep: Keep,
    *,
    mark: bytes | None = None,
    session: bytes | None = None,
    patience: Patience | None = None,
    gaps: Gaps | None = None,
    synced: Callable[[SyncReport], Awaitable[None]] | None = None,
    listens: bool = True,
    notification_timeout_s: float = NOTIFICATION_TIMEOUT_S,
) -> SyncReport:
    """Everything new given to `keep`: after `last_seq`, `mark` and `session` of the last batch kept (None: all).

    A device that measures continually is listened to until it leaves, unless `listens` is false: it measures no more.
    `synced` is told before, when it has been caught up with. `gaps`: what is missing of the session; it is asked for
    once more here, and kept up with. Raises BluetoothError when the device or the link fails, and what `keep` raises:
    what came before is kept.
    """
    patience = patience or Patience(record_s=notification_timeout_s)
    reads = await _reads(link, adapter)
    if adapter.session_start is not None and (read := reads.get(adapter.session_start)) is not None:
        if session is not None and adapter.same_session(session, read):
            reads[adapter.session_start] = session
        else:
            last_seq, mark, session = None, None, read
            if gaps is not None:
                gaps.reset()
    for uuid in adapter.notifies:
        if link.has(uuid):
            await link.subscribe(uuid)
    if adapter.record_access is None:
        return await _listen(link, Transfer(adapter, reads, last_seq, keep, session=session), adapter, patience)
    await link.subscribe(adapter.record_access)
    access = RecordAccess(link, adapter.record_access, notification_timeout_s=patience.record_s)
    if adapter.session_start is not None:
        mark = None  # several records to a packet: the session says whether the numbering is the same
    plan = await _plan(access, adapter, last_seq, mark)
    report, position = await _fetch(access, adapter, reads, plan, keep, session=session, gaps=gaps)
    if gaps is not None and gaps.open:
        again = Transfer(adapter, reads, position, keep, session=session, steady=False, gaps=gaps)
        await _fill(access, again, gaps, position)
        report.include(SyncReport(records=again.records, readings=again.readings, rejected=again.rejected))
        report.missing = tuple(gaps.give_up())
        report.complete = report.complete and not report.missing
    if adapter.live:
        if synced is not None:
            await synced(report)
        if not listens:
            return report
        listening = Transfer(adapter, reads, position, keep, session=session, gaps=gaps)
        live = await _listen(link, listening, adapter, patience)
        report.include(live)
    return report


async def _reads(link: Link, adapter: RecordAdapter) -> dict[str, bytes]:
    """What the decoder must know before, as far as the device shows it."""
    values = {}
    for uuid in adapter.reads:
        if link.has(uuid):
            try:
                values[uuid] = await link.read(uuid)
            except AccessRefused as refused:
                _log.info("ble.not_readable", characteristic=uuid[4:8], why=refused.message)
    return values


async def _listen(link: Link, transfer: Transfer, adapter: RecordAdapter, patience: Patience) -> SyncReport:
    """Takes what comes by itself, until the device falls silent or drops the link: both are how it ends."""
    keeps_records = adapter.record_access is not None
    timeout_s = patience.live_s if keeps_records else patience.first_s
    further_s = patience.next_s if not adapter.live else timeout_s
    flush_at = 0.0
    try:
        while True:
            uuid, value = await link.notification(timeout_s)
            if uuid == adapter.record_access:
                continue
            await transfer.packet(uuid, value)
            timeout_s = further_s
            if not adapter.live or time.monotonic() >= flush_at:
                await transfer.flush()
                flush_at = time.monotonic() + LIVE_FLUSH_S
    except (NoAnswer, LinkLost):
        pass
    finally:  # also when the radio is wanted for something else
        await transfer.finish()
    return SyncReport(records=transfer.records, readings=transfer.readings, rejected=transfer.rejected)


async def _plan(access: RecordAccess, adapter: RecordAdapter, last_seq: int | None, mark: bytes | None) -> _Plan:
    if last_seq is None:
        return await _everything(access, None)
    try:
        newest = await _newest(access, adapter)
    except RecordAccessRefused as refused:
        if refused.code not in UNSUPPORTED:
            raise
        return await _newer(access, last_seq, None)
    if newest is None or (newest.seq == last_seq and mark in (None, newest.packet)):
        return _Plan(last_seq, Selection.newest(), 0)
    if newest.seq <= last_seq:
        _log.info("ble.numbering_restarted")
        return await _everything(access, newest.seq)
    return await _newer(access, last_seq, None if mark is None else Known(last_seq, mark))


async def _everything(access: RecordAccess, newest: int | None) -> _Plan:
    return _Plan(None, Selection.every(), await _count(access, Selection.every()), newest=newest)


async def _newer(access: RecordAccess, last_seq: int, known: Known | None) -> _Plan:
    """What is after `last_seq`, the `known` record before it; everything from a device that cannot choose."""
    if known is None and last_seq == HIGHEST_SEQ:
        return await _everything(access, None)
    selection = Selection.starting_at(last_seq if known else last_seq + 1)
    try:
        announced: int | None = await access.count(selection)
    except RecordAccessRefused as refused:
        if refused.code not in UNSUPPORTED:
            raise
        return _Plan(last_seq, Selection.every(), await _count(access, Selection.every()))
    if known is not None and announced is not None:
        announced = max(announced - 1, 1)  # there is a newer one, even if the known one is gone
    return _Plan(last_seq, selection, announced, known)


async def _count(access: RecordAccess, selection: Selection) -> int | None:
    try:
        return await access.count(selection)
    except RecordAccessRefused as refused:
        if refused.code in UNSUPPORTED:
            return None
        raise


async def _newest(access: RecordAccess, adapter: RecordAdapter) -> Known | None:
    """The newest record of the device, None when it has none."""
    decoder = adapter.decoder()
    found: list[Known] = []

    async def note(uuid: str, value: bytes) -> None:
        seq = decoder.record_of(uuid, value)
        if seq is not None:
            found.append(Known(seq, value))

    await access.report(Selection.newest(), note, 1)
    return found[-1] if found else None


async def _fetch(
    access: RecordAccess,
    adapter: RecordAdapter,
    reads: Mapping[str, bytes],
    plan: _Plan,
    keep: Keep,
    *,
    session: bytes | None,
    gaps: Gaps | None,
) -> tuple[SyncReport, int | None]:
    """Carries the plan out; the report, and the position after it."""
    if plan.announced == 0:
        return SyncReport(announced=0), plan.start
    transfer = Transfer(
        adapter, reads, plan.start, keep, known=plan.known, session=session, steady=not adapter.live, gaps=gaps
    )
    report = SyncReport(announced=plan.announced)
    try:
        await access.report(plan.selection, transfer.packet, plan.announced)
        for selection in _again(transfer, plan, numbered_by_one=adapter.session_start is None):
            _log.info("ble.records_asked_again", announced=plan.announced, came=transfer.records)
            await access.report(selection, transfer.packet, plan.announced)
    except NumberedAnew:
        _log.info("ble.numbering_restarted")
        await access.abort()
        newest = await _newest(access, adapter)
        anew = await _everything(access, newest.seq if newest else None)
        return await _fetch(access, adapter, reads, anew, keep, session=session, gaps=gaps)
    except BluetoothError:
        await transfer.break_off()
        raise
    await transfer.finish(plan.newest)
    holes = tuple(transfer.holes()) if adapter.session_start is None else ()
    report.records, report.readings, report.rejected = transfer.records, transfer.readings, transfer.rejected
    report.complete = not holes if plan.announced is None else transfer.records >= plan.announced
    if not report.complete:
        report.missing = holes
        _log.warning("ble.records_missing", announced=plan.announced, came=transfer.records, stretches=len(holes))
    return report, transfer.position(plan.newest)


async def _fill(access: RecordAccess, transfer: Transfer, gaps: Gaps, position: int | None) -> None:
    """Asks once for what is open; a sensor that cannot choose is left alone."""
    asked = list(gaps.open)
    if len(asked) > HOLES_ASKED:
        asked = [(asked[0][0], asked[-1][1])]
    _log.info("ble.records_asked_again", stretches=len(asked))
    try:
        for first, last in asked:
            await access.report(Selection.between(first, last), transfer.packet, None)
    except RecordAccessRefused as refused:
        if refused.code not in UNSUPPORTED:
            raise
    finally:
        await transfer.finish(position)


def _again(transfer: Transfer, plan: _Plan, *, numbered_by_one: bool) -> list[Selection]:
    """What to ask for once more. Numbers that the device does not count are records that somebody deleted on it."""
    if plan.announced is not None and transfer.records >= plan.announced:
        return []
    holes = transfer.holes() if numbered_by_one else []
    if any(first > last for first, last in holes) or (not holes and plan.announced is not None):
        return [plan.selection]
    if len(holes) > HOLES_ASKED:
        return [Selection.between(holes[0][0], holes[-1][1])]
    return [Selection.between(first, last) for first, last in holes]
