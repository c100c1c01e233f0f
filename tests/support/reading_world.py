"""A patient's space with series and readings, put there by the owner of the database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from device_gateway.metrics import METRICS, UNIT_NUMBERS
from device_gateway.readings.reading_id import ReadingId, microseconds


@dataclass
class Space:
    """One patient's space. Values are decimal strings, as a device sends them."""

    owner_url: str
    id: UUID = field(default_factory=uuid4)
    zone: str = "Europe/Paris"
    source: UUID = field(default_factory=uuid4)  # whom readings without a device come from
    _connection: psycopg.Connection[Any] | None = None

    def __post_init__(self) -> None:
        self._execute("INSERT INTO gateway.space (id, zone) VALUES (%s, %s)", self.id, self.zone)

    def device(self, model: str = "acme-scale", *, held: bool = True) -> UUID:
        device = uuid4()
        self._execute(
            "INSERT INTO gateway.device (id, model, kind, hardware_id) VALUES (%s, %s, 'device', %s)",
            device, model, f"AA:{device}",
        )  # fmt: skip
        self._execute(
            "INSERT INTO gateway.device_holding (device_id, space_id, during, name)"
            " VALUES (%s, %s, tstzrange('2020-01-01', %s), 'Ana''s own thing')",
            device, self.id, None if held else "2026-10-01",
        )  # fmt: skip
        return device

    def series(self, metric: str, device: UUID | None) -> tuple[int, UUID]:
        """(key in the store, UUID)."""
        source = None if device else self.source
        return self._execute(
            "INSERT INTO gateway.series (space_id, metric, device_id, source_id) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (space_id, metric, device_id, source_id) DO UPDATE SET metric = excluded.metric"
            " RETURNING id, uuid",
            self.id, metric, device, source,
        )  # fmt: skip

    def put(self, metric: str, value: str | Mapping[str, str], at: str, **options: Any) -> str:
        """Store one reading, as ingestion stores it; returns its id. Options as those of `_put`."""
        with self._connected():
            return self._put(metric, value, at, **options)

    def _put(
        self,
        metric: str,
        value: str | Mapping[str, str],
        at: str,
        *,
        unit: str | None = None,
        device: UUID | None = None,
        seq: int = 0,
        status: int = 0,
        context: Mapping[str, Any] | None = None,
        offset_known: bool = True,
        version: int = 1,
    ) -> str:
        """A later version replaces the one before, as a correction does it."""
        known = METRICS[metric]
        unit = unit or known.unit
        texts = [value] if isinstance(value, str) else [value.get(part.key) for part in known.components]
        conversion = known.accepts[unit]
        numbers = [None if text is None else float(text) * conversion.factor + conversion.offset for text in texts]
        numbers += [None] * (3 - len(numbers))
        digits = [len((text or "").partition(".")[2]) for text in texts]
        time = datetime.fromisoformat(at)
        offset = int(time.utcoffset().total_seconds() // 60) if offset_known else None  # type: ignore[union-attr]
        key, uuid = self.series(metric, device)
        self._execute("SELECT gateway.ensure_partition(ARRAY[%s]::timestamptz[])", time)
        columns = (
            key, time, seq, *numbers, sum(count << 4 * place for place, count in enumerate(digits)), offset,
            UNIT_NUMBERS[unit] | status << 8, Jsonb(dict(context)) if context else None,
        )  # fmt: skip
        if version == 1:
            self._execute(
                "INSERT INTO gateway.reading"
                " (series, time, seq, value, value2, value3, decimals, offset_min, flags, context)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                *columns,
            )
        else:
            self._execute(
                "UPDATE gateway.reading SET (value, value2, value3, decimals, offset_min, flags, context, version)"
                " = (%s, %s, %s, %s, %s, %s, %s, %s) WHERE series = %s AND time = %s AND seq = %s",
                *columns[3:], version, key, time, seq,
            )  # fmt: skip
        return str(ReadingId(uuid, microseconds(time), seq))

    def fill(self, metric: str, device: UUID, first: str, every: str, count: int) -> int:
        """A long history: `count` readings, one `every` so long from `first` on. Returns the key of the series."""
        key, _ = self.series(metric, device)
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            stamps = "SELECT %s::timestamptz + n * %s::interval FROM generate_series(0, %s) n"
            connection.execute(f"SELECT gateway.ensure_partition(ARRAY({stamps}))", (first, every, count - 1))
            connection.execute(
                "INSERT INTO gateway.reading (series, time, value, decimals, offset_min, flags)"
                " SELECT %s, %s::timestamptz + n * %s::interval, 80 + n %% 100, 0, 60, %s"
                " FROM generate_series(0, %s) n",
                (key, first, every, UNIT_NUMBERS[METRICS[metric].unit], count - 1),
            )
            connection.execute("ANALYZE gateway.reading")
        return key

    def journal(self) -> list[Any]:
        """Rows of the space's journal, oldest first."""
        query = (
            "SELECT event, actor_kind, actor_id, actor_name, purpose, resource, quantity, outcome, reason, details"
            " FROM gateway.journal WHERE space_id = %s ORDER BY n"
        )
        with psycopg.connect(self.owner_url, row_factory=psycopg.rows.namedtuple_row) as connection:
            return connection.execute(query, (self.id,)).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        """One connection for all statements of the block: signing in costs more than they do."""
        if self._connection is not None:
            yield self._connection
            return
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None

    def _execute(self, query: str, *parameters: Any) -> Any:
        with self._connected() as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchone() if cursor.description else None
