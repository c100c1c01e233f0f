"""From a stored row to what was measured: exact decimal strings, in the canonical unit and in the one that was sent.

The store keeps canonical numbers as float8, which carry the 15 digits that a device may send, and beside them how many
digits stood after the point and which unit was sent. "72.40" kg comes back as "72.40"; "5.60" mmol/L as "5.60" mmol/L,
and in the canonical unit as mg/dL with the digits that the metric shows: the sent ones would be a false precision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, Protocol
from uuid import UUID

from device_gateway.metrics import UNITS, Metric
from device_gateway.readings.model import ContextValue, Status
from device_gateway.readings.reading_id import ReadingId, microseconds

UNIT_MASK: Final = 0xFF  # bits 0-7 of the column flags: number of the sent unit
STATUS_SHIFT: Final = 8  # bits 8-10: status
STATUS_MASK: Final = 0x7
STATUSES: Final[tuple[Status, ...]] = ("final", "preliminary", "corrected")
DECIMALS_BITS: Final = 4  # per component in the column decimals, the first component lowest
DECIMALS_MASK: Final = 0xF


class StoredRow(Protocol):
    """A row of `queries.COLUMNS`. `amended`: a version before this one was already final."""

    @property
    def series(self) -> int: ...
    @property
    def time(self) -> datetime: ...
    @property
    def seq(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def value2(self) -> float | None: ...
    @property
    def value3(self) -> float | None: ...
    @property
    def decimals(self) -> int: ...
    @property
    def offset_min(self) -> int | None: ...
    @property
    def flags(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def context(self) -> Mapping[str, ContextValue] | None: ...
    @property
    def amended(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Series:
    """What one source measures of one metric in a space. `id` is the store's short key: it stays inside.

    source_name  product and file format, where the readings came from a file
    """

    id: int
    uuid: UUID
    metric: Metric
    device_id: UUID | None
    source_id: UUID | None
    source_name: str | None = None


@dataclass(frozen=True, slots=True)
class Quantity:
    """Decimal strings in one unit: `value`, or for a metric with components `components` by their keys."""

    unit: str
    value: str | None
    components: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KeptReading:
    """One reading as it is read back.

    at         effective time with the UTC offset that the patient had; in UTC where that is unknown
    canonical  in the canonical unit of the metric
    sent       in the unit that the device sent, with its digits
    numbers    the stored numbers in the canonical unit, for drawing: one, or one per component (None where absent)
    amended    this version replaces one that was final
    """

    id: str
    series: Series
    at: datetime
    seq: int
    status: Status
    version: int
    canonical: Quantity
    sent: Quantity
    numbers: tuple[float | None, ...]
    context: Mapping[str, ContextValue]
    amended: bool

    @property
    def metric(self) -> Metric:
        return self.series.metric

    @property
    def device_id(self) -> UUID | None:
        return self.series.device_id


def kept_reading(row: StoredRow, series: Series) -> KeptReading:
    metric = series.metric
    unit = UNITS[row.flags & UNIT_MASK]
    numbers = numbers_of(row, metric)
    return KeptReading(
        id=str(ReadingId(series.uuid, microseconds(row.time), row.seq)),
        series=series,
        at=effective_time(row),
        seq=row.seq,
        status=status_of(row.flags),
        version=row.version,
        canonical=_quantity(metric, metric.unit, canonical_texts(row, metric)),
        sent=_quantity(metric, unit, tuple(_sent_text(row, metric, unit, place) for place in range(len(numbers)))),
        numbers=numbers,
        context=row.context or {},
        amended=row.amended,
    )


def numbers_of(row: StoredRow, metric: Metric) -> tuple[float | None, ...]:
    return (row.value, row.value2, row.value3)[: len(metric.components) or 1]


def canonical_texts(row: StoredRow, metric: Metric) -> tuple[str | None, ...]:
    """The value, or the values of the components in the catalogue's order, in the canonical unit; None where absent."""
    digits = row.decimals
    if UNITS[row.flags & UNIT_MASK] != metric.unit:
        digits = metric.decimals | metric.decimals << DECIMALS_BITS | metric.decimals << 2 * DECIMALS_BITS
    if not metric.components:
        return (f"{row.value:.{digits & DECIMALS_MASK}f}",)
    return tuple(
        None if number is None else f"{number:.{digits >> DECIMALS_BITS * place & DECIMALS_MASK}f}"
        for place, number in enumerate(numbers_of(row, metric))
    )


def status_of(flags: int) -> Status:
    return STATUSES[flags >> STATUS_SHIFT & STATUS_MASK]


def effective_time(row: StoredRow) -> datetime:
    """With the patient's offset where it is known, else in UTC."""
    return row.time.astimezone(UTC if row.offset_min is None else offset_zone(row.offset_min))


@lru_cache(maxsize=256)  # offsets in use: 38 zones, and some from odd clocks
def offset_zone(offset_min: int) -> timezone:
    return timezone(timedelta(minutes=offset_min))


def _sent_text(row: StoredRow, metric: Metric, unit: str, place: int) -> str | None:
    number = (row.value, row.value2, row.value3)[place]
    if number is None:
        return None
    conversion = metric.accepts[unit]
    sent = (number - conversion.offset) / conversion.factor
    return f"{sent:.{row.decimals >> DECIMALS_BITS * place & DECIMALS_MASK}f}"


def _quantity(metric: Metric, unit: str, texts: tuple[str | None, ...]) -> Quantity:
    if not metric.components:
        return Quantity(unit, texts[0], {})
    named = zip(metric.components, texts, strict=True)
    return Quantity(unit, None, {component.key: text for component, text in named if text is not None})
