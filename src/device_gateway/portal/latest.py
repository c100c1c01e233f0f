"""The newest value of each metric, as a patient reads it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.portal.words import Words
from device_gateway.readings.reading_back import latest
from device_gateway.readings.rows import KeptReading, Quantity

# A device's name at a time is its holder's then. Names of devices that were removed stay with what they measured.
# A device of somebody else's that knows this person has the name that the person gave it.
NAMES = """SELECT device_id, name, since, until FROM (
    SELECT device_id, name, lower(during) AS since, upper(during) AS until FROM gateway.device_holding
    UNION ALL SELECT device_id, name, lower(during), upper(during) FROM gateway.device_user WHERE name IS NOT NULL) n
  ORDER BY device_id, since"""


@dataclass(frozen=True)
class Latest:
    """value      as the device showed it
    converted  the same in the canonical unit, where the device showed another; otherwise empty
    """

    metric: str
    name: str
    value: str
    unit: str
    converted: str
    moment: str
    at: datetime
    device: str


class DeviceNames:
    """What the patient called a device when it measured."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._holdings: dict[UUID, list[Row]] = {}
        for row in rows:
            self._holdings.setdefault(row.device_id, []).append(row)

    def at(self, device: UUID | None, instant: datetime) -> str:
        holdings = self._holdings.get(device, []) if device else []
        for holding in holdings:
            begun = holding.since is None or holding.since <= instant
            if begun and (holding.until is None or instant < holding.until):
                return str(holding.name)
        return str(holdings[-1].name) if holdings else ""


async def device_names(connection: AsyncConnection[Row]) -> DeviceNames:
    """Of the space that `connection` is in."""
    return DeviceNames(await (await connection.execute(NAMES)).fetchall())


async def latest_values(
    connection: AsyncConnection[Row], words: Words, now: datetime, metrics: Collection[str]
) -> list[Latest]:
    """Of `metrics`, in the catalogue's order. `connection` is in the patient's space."""
    names = await device_names(connection)
    return [_latest(reading, words, now, names) for reading in await latest(connection, metrics)]


def _latest(reading: KeptReading, words: Words, now: datetime, names: DeviceNames) -> Latest:
    sent, canonical = reading.sent, reading.canonical
    return Latest(
        metric=reading.metric.key,
        name=words.metric(reading.metric.key),
        value=quantity_text(sent, words),
        unit=words.unit(sent.unit),
        converted="" if sent.unit == canonical.unit else _with_unit(canonical, words),
        moment=words.moment(reading.at, now, own_offset=bool(reading.at.utcoffset())),
        at=reading.at,
        device=names.at(reading.device_id, reading.at) or reading.series.source_name or "",
    )


def _with_unit(quantity: Quantity, words: Words) -> str:
    return f"{quantity_text(quantity, words)} {words.unit(quantity.unit)}"


def quantity_text(quantity: Quantity, words: Words) -> str:
    """ "72,40", or the components in their order: "121/79"."""
    if quantity.value is not None:
        return words.value(quantity.value)
    parts: Mapping[str, str] = quantity.components
    shown = [parts[key] for key in ("systolic", "diastolic") if key in parts] or list(parts.values())
    return "/".join(words.value(text) for text in shown)
