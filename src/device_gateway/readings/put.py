"""The one way in: rows with an identity into the table `reading`, each answered stored, duplicate or corrected.

A binary COPY comes first, for most batches are new. When the unique index refuses it, the transaction goes back and
`gateway.reading_put` tells the rows apart in one statement. A stream of replays is recognised and spared the attempt.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import msgspec
from psycopg import Connection, errors
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED, Outcome

PG_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL counts microseconds from here
MICROSECOND = timedelta(microseconds=1)
REPLAY_MEMORY = 0.8  # weight of the past in the moving share of replayed batches: about the last five count
REPLAY_SHARE = 0.5  # above it COPY is not tried: with half the batches replayed, the failed attempts cost more

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
IDENTITY = itemgetter(0, 1, 2)


# In the order of COPY: series, time (microseconds since 2000-01-01T00:00:00Z), seq, value, decimals, offset_min, flags,
# value2, value3, context. A plain tuple: ten thousand of them are made for a batch.
ReadingRow = tuple[int, int, int, float, int, int | None, int, float | None, float | None, Jsonb | None]


def to_microseconds(at: datetime) -> int:
    """Aware time ▸ microseconds since 2000-01-01T00:00:00Z."""
    since = at - PG_EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(time: int) -> datetime:
    return PG_EPOCH + timedelta(microseconds=time)


class ReadingWriter:
    """Puts batches through one connection (role gateway_ingest). Not for use by several threads."""

    def __init__(self, connection: Connection[Row]) -> None:
        self._connection = connection
        self._replays = 0.0  # moving share of batches that held something known

    def put(
        self, parts: Iterable[Sequence[ReadingRow]], then: Callable[[Sequence[Outcome]], None]
    ) -> Sequence[Outcome]:
        """Commit all rows of `parts` and what `then` writes, in one transaction; returns the outcomes in their order.

        `parts` is read once, while the server already takes in what came before: making rows and storing them overlap.
        `then` is given the outcomes inside the transaction, after the readings are written. It runs again if the
        transaction must be repeated. Raises psycopg.Error; then nothing was written.
        """
        rows: list[ReadingRow] = []
        rest = iter(parts)
        if self._replays <= REPLAY_SHARE:
            try:
                outcomes = self._copy(rest, rows, then)
            except (errors.UniqueViolation, errors.DeadlockDetected):
                pass
            else:
                self._replays *= REPLAY_MEMORY
                return outcomes
        for part in rest:  # what COPY was refused before it read
            rows.extend(part)
        return self._tell_apart(rows, then)

    def _copy(
        self, parts: Iterator[Sequence[ReadingRow]], rows: list[ReadingRow], then: Callable[[Sequence[Outcome]], None]
    ) -> Sequence[Outcome]:
        """COPY all rows; `rows` collects them, for whoever has to begin again."""
        try:
            return self._copy_once(self._collected(parts, rows), rows, then)
        except errors.CheckViolation:  # no partition for a month that was never written to
            for part in parts:
                rows.extend(part)
            self._ensure_partitions(rows)
            return self._copy_once([list(rows)], rows, then)

    def _copy_once(
        self, parts: Iterable[Sequence[ReadingRow]], rows: list[ReadingRow], then: Callable[[Sequence[Outcome]], None]
    ) -> Sequence[Outcome]:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(COPY) as copy:
                copy.set_types(COPY_TYPES)
                write = copy.write_row
                for part in parts:
                    for row in part:
                        write(row)
            outcomes = [STORED] * len(rows)
            then(outcomes)
        return outcomes

    @staticmethod
    def _collected(parts: Iterator[Sequence[ReadingRow]], rows: list[ReadingRow]) -> Iterator[Sequence[ReadingRow]]:
        for part in parts:
            rows.extend(part)
            yield part

    def _tell_apart(self, rows: Sequence[ReadingRow], then: Callable[[Sequence[Outcome]], None]) -> Sequence[Outcome]:
        ordered = sorted(rows, key=IDENTITY)  # one order for all writers: no deadlocks
        self._ensure_partitions(ordered)
        found: dict[tuple[int, int, int], list[Outcome]] = {}
        with self._connection.transaction():
            for turn in _rounds(ordered):
                versions = self._put_once(turn)
                for row in turn:
                    version = versions.get(IDENTITY(row))
                    outcome = DUPLICATE if version is None else STORED if version == 1 else CORRECTED
                    found.setdefault(IDENTITY(row), []).append(outcome)
            for answers in found.values():
                answers.reverse()  # popped below in the order of arrival
            outcomes = [found[IDENTITY(row)].pop() for row in rows]
            then(outcomes)
        self._replays = self._replays * REPLAY_MEMORY + (1 - REPLAY_MEMORY) * (DUPLICATE in outcomes)
        return outcomes

    def _put_once(self, rows: Sequence[ReadingRow]) -> dict[tuple[int, int, int], int]:
        series, time, seq, value, decimals, offset_min, flags, value2, value3, context = zip(*rows, strict=True)
        texts = [None if item is None else msgspec.json.encode(item.obj).decode() for item in context]
        answer = self._connection.execute(
            PUT,
            (
                list(series), [from_microseconds(t) for t in time], list(seq), list(value), list(value2), list(value3),
                list(decimals), list(offset_min), list(flags), texts,
            ),
        )  # fmt: skip
        return {(row.series, to_microseconds(row.time), row.seq): row.version for row in answer}

    def _ensure_partitions(self, rows: Sequence[ReadingRow]) -> None:
        months = {(at.year, at.month): at for at in (from_microseconds(row[1]) for row in rows)}
        self._connection.execute("SELECT gateway.ensure_partition(%b::timestamptz[])", (list(months.values()),))


def _rounds(ordered: Sequence[ReadingRow]) -> Iterator[list[ReadingRow]]:
    """Split so that an identity occurs once in each part, in the order of arrival: a batch may correct itself."""
    rest = list(ordered)
    while rest:
        turn: list[ReadingRow] = []
        later: list[ReadingRow] = []
        last: tuple[int, ...] | None = None
        for row in rest:
            identity = IDENTITY(row)
            (later if identity == last else turn).append(row)
            last = identity
        yield turn
        rest = later
