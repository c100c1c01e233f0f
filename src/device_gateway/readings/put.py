"""The one way in: rows with an identity into the table `reading`, each answered stored, duplicate or corrected.

A binary COPY comes first, for most batches are new. When the unique index refuses it, the transaction goes back and
`gateway.reading_put` tells the rows apart in one statement. A stream of replays is recognised and spared the attempt.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import eq, itemgetter
from typing import Final

from psycopg import Connection, errors

from device_gateway.database.copying import copying
from device_gateway.database.pool import Row
from device_gateway.readings.days import mark_days, marked_before, older
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED, Outcome
from device_gateway.readings.packed import (
    COPY_HEADER,
    COPY_TRAILER,
    Fields,
    Packed,
    ReadingRow,
    columns_of,
    fields_of,
    identity_fields,
    packed,
    understand_arrays,
    unpacked,
)

PG_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL counts microseconds from here
MICROSECOND = timedelta(microseconds=1)
DAY_US = 86_400_000_000
REPLAY_MEMORY = 0.8  # weight of the past in the moving share of replayed batches: about the last five count
REPEATS = 4  # of a transaction that a missing partition or a deadlock ended, before the last attempt
REPLAY_SHARE = 0.5  # above it COPY is not tried: with half the batches replayed, the failed attempts cost more
WRITE_BYTES = 32_768  # handed to the connection at once: each time costs a system call

COPY = (
    "COPY gateway.reading (series, time, seq, value, decimals, offset_min, flags, value2, value3, context)"
    " FROM STDIN (FORMAT BINARY)"
)
# Binary int8 and timestamptz are the same eight bytes: times travel as integers and no datetime is made for each row.
COPY_TYPES = ("int4", "int8", "int8", "float8", "int2", "int2", "int2", "float8", "float8", "jsonb")
PUT = (
    "SELECT series, time, seq, version FROM gateway.reading_put(%b::int4[], %b::timestamptz[], %b::int8[],"
    " %b::float8[], %b::float8[], %b::float8[], %b::int2[], %b::int2[], %b::int2[], %b::text[])"
)
IDENTITY: Final = itemgetter(0, 1, 2)  # series, time, seq: of a row as values or as fields


def to_microseconds(at: datetime) -> int:
    """Aware time ▸ microseconds since 2000-01-01T00:00:00Z."""
    return (at - PG_EPOCH) // MICROSECOND


def from_microseconds(time: int) -> datetime:
    return PG_EPOCH + timedelta(microseconds=time)


class ReadingWriter:
    """Puts batches through one connection (role gateway_ingest). Not for use by several threads."""

    def __init__(self, connection: Connection[Row]) -> None:
        self._connection = connection
        self._replays = 0.0  # moving share of batches that held something known
        understand_arrays(connection)

    def put(
        self, parts: Iterable[Packed | Sequence[ReadingRow]], then: Callable[[Sequence[Outcome]], None]
    ) -> Sequence[Outcome]:
        """Commit all rows of `parts` and what `then` writes, in one transaction; returns the outcomes in their order.

        `parts` is read once, while the server already takes in what came before: making rows and storing them overlap.
        `then` is given the outcomes inside the transaction, after the readings are written. It runs again if the
        transaction must be repeated. Raises psycopg.Error; then nothing was written.
        """
        taken: list[Packed] = []
        rest = (part if isinstance(part, Packed) else packed(part) for part in parts)
        if self._replays <= REPLAY_SHARE:
            try:
                outcomes = self._copy(rest, taken, then)
            except (errors.UniqueViolation, errors.DeadlockDetected, errors.FeatureNotSupported):
                pass  # the last: the table became a hypertable while COPY waited for it
            else:
                self._replays *= REPLAY_MEMORY
                return outcomes
        taken.extend(rest)  # what COPY was refused before it read
        for _ in range(REPEATS):
            try:
                return self._tell_apart(taken, then)
            except errors.CheckViolation:
                self._ensure_partitions(taken)
            except errors.DeadlockDetected:
                pass  # with a COPY of others, whose rows come in any order: it goes on, and these rows come after it
        return self._tell_apart(taken, then)

    def _copy(
        self, parts: Iterator[Packed], taken: list[Packed], then: Callable[[Sequence[Outcome]], None]
    ) -> Sequence[Outcome]:
        """COPY all rows; `taken` collects them, for whoever has to begin again."""
        try:
            return self._copy_once(_noted(parts, taken), taken, then)
        except errors.CheckViolation:  # no partition for a month that was never written to
            taken.extend(parts)
            self._ensure_partitions(taken)
            return self._copy_once(iter(taken), taken, then)

    def _copy_once(
        self, parts: Iterator[Packed], taken: Sequence[Packed], then: Callable[[Sequence[Outcome]], None]
    ) -> Sequence[Outcome]:
        with copying(self._connection, COPY) as copy:
            waiting, size = [COPY_HEADER], 0
            for part in parts:
                waiting.append(part.data)
                size += len(part.data)
                if size >= WRITE_BYTES:
                    copy.write(b"".join(waiting))
                    waiting, size = [], 0
            copy.write(b"".join((*waiting, COPY_TRAILER)))
            copy.finish()
            outcomes = [STORED] * sum(part.count for part in taken)
            before = marked_before(datetime.now(UTC))
            mark_days(self._connection, older(taken, before), outcomes, before)
            then(outcomes)
        return outcomes

    def _tell_apart(self, taken: Sequence[Packed], then: Callable[[Sequence[Outcome]], None]) -> Sequence[Outcome]:
        rows = fields_of(taken)
        ordered = sorted(rows, key=IDENTITY)  # one order for all writers: no deadlocks
        with self._connection.transaction():
            told = [(turn, self._put_once(turn)) for turn in _rounds(ordered)]
            outcomes = _outcomes(rows, told) if any(versions for _, versions in told) else [DUPLICATE] * len(rows)
            before = marked_before(datetime.now(UTC))
            mark_days(self._connection, older(taken, before), outcomes, before)
            then(outcomes)
        self._replays = self._replays * REPLAY_MEMORY + (1 - REPLAY_MEMORY) * (DUPLICATE in outcomes)
        return outcomes

    def _put_once(self, rows: Sequence[Fields]) -> dict[Fields, int]:
        """The versions of the rows that were written, by identity; those that were known are not among them."""
        series, time, seq, value, decimals, offset_min, flags, value2, value3, context = columns_of(rows)
        in_order = (series, time, seq, value, value2, value3, decimals, offset_min, flags, context)
        answer = self._connection.execute(PUT, in_order)
        return {identity_fields(row.series, to_microseconds(row.time), row.seq): row.version for row in answer}

    def _ensure_partitions(self, taken: Iterable[Packed]) -> None:
        days = (from_microseconds(day * DAY_US) for day in {row[1] // DAY_US for row in unpacked(taken)})
        months = {(day.year, day.month): day for day in days}
        self._connection.execute("SELECT gateway.ensure_partition(%b::timestamptz[])", (list(months.values()),))


def _noted(parts: Iterator[Packed], taken: list[Packed]) -> Iterator[Packed]:
    for part in parts:
        taken.append(part)
        yield part


def _rounds(ordered: Sequence[Fields]) -> Iterator[Sequence[Fields]]:
    """Split so that an identity occurs once in each part, in the order of arrival: a batch may correct itself."""
    rest = ordered
    while rest:
        identities = [*map(IDENTITY, rest)]
        again = [False, *map(eq, identities, islice(identities, 1, None))]
        yield [row for row, repeated in zip(rest, again, strict=True) if not repeated] if True in again else rest
        rest = [row for row, repeated in zip(rest, again, strict=True) if repeated]


def _outcomes(rows: Sequence[Fields], told: Sequence[tuple[Sequence[Fields], dict[Fields, int]]]) -> list[Outcome]:
    """The outcome of each of `rows`, from the rounds and what they wrote."""
    found: dict[Fields, list[Outcome]] = {}
    for turn, versions in told:
        for row in turn:
            version = versions.get(IDENTITY(row))
            outcome = DUPLICATE if version is None else STORED if version == 1 else CORRECTED
            found.setdefault(IDENTITY(row), []).append(outcome)
    for answers in found.values():
        answers.reverse()  # popped below in the order of arrival
    return [found[IDENTITY(row)].pop() for row in rows]
