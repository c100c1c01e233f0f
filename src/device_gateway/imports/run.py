"""An import from its first record to its last: survey, then batches, each committed with what is told about it.

Only what is committed is told. A run that was killed goes on behind the last batch that was committed, or begins anew:
what is there already is a duplicate.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.imports.formats import FileFormat
from device_gateway.imports.placing import FilePlacer
from device_gateway.imports.report import Problem, Report
from device_gateway.imports.sources import Sources, name_text
from device_gateway.ingest.answers import NAMES
from device_gateway.ingest.placing import OLDEST_YEAR
from device_gateway.readings.model import Entry, Outcome, Reading, Rejected, Text
from device_gateway.readings.packed import ReadingRow
from device_gateway.readings.put import ReadingWriter, from_microseconds

BATCH_RECORDS: Final = 5_000  # committed together: some megabytes of memory, half a second of work lost when killed
FURTHEST_OFFSET: Final = timedelta(hours=14)
ENSURE_PARTITIONS: Final = "SELECT gateway.ensure_partition(%s::timestamptz[])"


@dataclass(frozen=True)
class File:
    """What is to be imported, and whereto. `zone` is for wall-clock times; None: as its sources have it."""

    space: UUID
    format: FileFormat
    text: Text
    zone: ZoneInfo | None = None


@dataclass(frozen=True)
class Reached:
    """How far an import has come: the first `position` records are done, with the outcomes of `report`."""

    position: int
    report: Report


Rejections = Sequence[tuple[Entry, Rejected]]
Save = Callable[[Reached, Rejections], None]


class Committed(NamedTuple):
    """A batch that is in the store."""

    reached: Reached
    rejected: Rejections


@dataclass
class Batch:
    """Records in their order, sorted out."""

    records: int = 0
    rows: list[ReadingRow] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    rejected: list[tuple[Entry, Rejected]] = field(default_factory=list)
    other: int = 0


def survey(connection: Connection[Row], file: File, advance: Callable[[int], None]) -> int:
    """How many records there are. The months that they need exist afterwards: they hold no data.

    advance  is told how many records were looked at, from time to time
    Raises UnknownSpace, ZoneConflict: before anything is written.
    """
    sources = Sources(connection, file.space, file.format, file.zone)
    months: dict[tuple[int, int], datetime] = {}
    wall_clocks: set[str] = set()
    now = datetime.now(UTC)
    records = 0
    for records, entry in enumerate(file.format.read(file.text), 1):
        if isinstance(entry.result, Reading):
            at = entry.result.at
            if at.tzinfo is None:
                wall_clocks.add(name_text(entry.result.device))
                at = at.replace(tzinfo=UTC)
            if OLDEST_YEAR <= at.year <= now.year:
                for instant in (at - FURTHEST_OFFSET, at + FURTHEST_OFFSET):
                    if instant.year >= OLDEST_YEAR and instant <= now + FURTHEST_OFFSET:
                        months.setdefault((instant.year, instant.month), instant)
        if records % BATCH_RECORDS == 0:
            advance(records)
    for device in wall_clocks:
        sources.zone_of(device)
    connection.execute(ENSURE_PARTITIONS, (list(months.values()),))
    return records


def dry_run(connection: Connection[Row], file: File, advance: Callable[[int], None]) -> Report:
    """What `take_in` would do, by doing it in one transaction that is rolled back: nothing is written.

    advance  is told how many records were handled, from time to time
    """
    reached = Reached(0, Report(file.format.name))
    with connection.transaction(force_rollback=True):
        for batch in take_in(connection, file, reached, lambda _reached, _rejected: None):
            reached = batch.reached
            advance(reached.position)
    return reached.report


def take_in(connection: Connection[Row], file: File, reached: Reached, save: Save) -> Iterator[Committed]:
    """Commit the records after those that were `reached` before, batch by batch; yields what is committed.

    save  called inside each transaction with how far it leads and the records that it rejected, and again when the
          transaction has to be repeated
    Raises UnknownSpace, ZoneConflict and psycopg.Error; what was committed before stays.
    """
    writer = ReadingWriter(connection)
    placer = FilePlacer(Sources(connection, file.space, file.format, file.zone), datetime.now(UTC))
    entries = file.format.read(file.text)
    for entry in islice(entries, reached.position):  # the order of what was before counts for the clock
        if isinstance(entry.result, Reading):
            placer.place(entry)
    while batch := _next_batch(entries, placer):
        reached = _put(connection, writer, batch, reached, save)
        yield Committed(reached, batch.rejected)


def _put(connection: Connection[Row], writer: ReadingWriter, batch: Batch, before: Reached, save: Save) -> Reached:
    after = before

    def then(outcomes: Sequence[Outcome]) -> None:
        nonlocal after
        after = Reached(before.position + batch.records, _counted(before.report, batch, outcomes))
        save(after, batch.rejected)

    if batch.rows:
        writer.put([batch.rows], then)
    else:
        with connection.transaction():
            then([])
    return after


def _next_batch(entries: Iterator[Entry], placer: FilePlacer) -> Batch | None:
    batch = Batch()
    for entry in islice(entries, BATCH_RECORDS):
        batch.records += 1
        if entry.result is None:
            batch.other += 1
            continue
        placed = entry.result if isinstance(entry.result, Rejected) else placer.place(entry)
        if isinstance(placed, Rejected):
            batch.rejected.append((entry, placed))
        elif isinstance(entry.result, Reading):
            batch.rows.append(placed)
            batch.metrics.append(entry.result.metric)
            batch.sources.append(name_text(entry.result.device) or name_text(entry.model))
    return batch if batch.records else None


def _counted(before: Report, batch: Batch, outcomes: Sequence[Outcome]) -> Report:
    report = copy.deepcopy(before)
    report.records += batch.records
    report.other += batch.other
    for outcome in outcomes:
        name = NAMES[type(outcome)]
        setattr(report, name, getattr(report, name) + 1)
    for metric in batch.metrics:
        report.metrics[metric] = report.metrics.get(metric, 0) + 1
    report.sources = list(dict.fromkeys([*report.sources, *filter(None, batch.sources)]))
    if batch.rows:
        times = [row[1] for row in batch.rows]
        report.note_times((from_microseconds(min(times)), from_microseconds(max(times))))
    report.note_problems(Problem(entry.number, why.pointer, why.reason) for entry, why in batch.rejected)
    return report
