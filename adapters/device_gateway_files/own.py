"""Our own table, key ``csv``: a reading a line, columns by name, in any order.

``time``       RFC 3339; without an offset it is the wall clock of the place
``metric``     key of the catalogue, for instance ``body-weight``
``unit``       UCUM code
``value``      decimal number; for a metric with components one column for each instead: ``systolic``, ``diastolic``
``device``     optional: serial number or name of what measured, so that two of them stay apart
``seq``        optional: sequence number of the device
``status``     optional: ``final``, ``preliminary`` or ``corrected``
``context.…``  optional: anything beside the value, for instance ``context.meal``

Comma, semicolon or tab stand between; where it is not the comma, a number may have a decimal comma.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar, Final, NamedTuple, cast

from device_gateway.metrics import METRICS
from device_gateway.readings.model import ContextValue, Entry, Model, Reading, Rejected, Status, Text
from device_gateway_files.rows import DELIMITERS, Row, fields_of, lines_of, rows_of
from device_gateway_files.values import NO_TIME, decimal_text

NEEDED: Final = frozenset({"time", "metric", "unit"})
COMPONENTS: Final = frozenset(component.key for metric in METRICS.values() for component in metric.components)
CONTEXT: Final = "context."
STATUSES: Final = frozenset({"", "final", "preliminary", "corrected"})
LARGEST_SEQ: Final = 2**63 - 1
BAD_SEQ: Final = Rejected("/seq", "a whole number from 0 is needed")
BAD_STATUS: Final = Rejected("/status", "final, preliminary or corrected is needed")


class Table(NamedTuple):
    delimiter: str
    columns: dict[str, int]


class OwnTable:
    """A table that anything can write, also a spreadsheet."""

    transport: ClassVar[str] = "file"
    key: ClassVar[str] = "csv"
    name: ClassVar[str] = "CSV"
    models: ClassVar[tuple[Model, ...]] = ()

    def recognises(self, head: str) -> bool:
        return table_of([head]) is not None

    def preamble(self, text: Text) -> str:
        """The header line."""
        return "".join(f"{line}\n" for line in _first(text()))

    def read(self, text: Text) -> Iterator[Entry]:
        table = table_of(text())
        if table is None:
            return
        for row in rows_of(text(), table.delimiter):
            if row.line > 1:
                yield _entry(row, table.columns)


def table_of(pieces: Iterable[str]) -> Table | None:
    for line in _first(pieces):
        for delimiter in DELIMITERS:
            names = [field.lower().lstrip("\ufeff") for field in fields_of(line, delimiter)]
            if set(names) >= NEEDED and ("value" in names or COMPONENTS & set(names)):
                return Table(delimiter, {name: place for place, name in enumerate(names) if name})
    return None


def _first(pieces: Iterable[str]) -> list[str]:
    line = next(lines_of(pieces), None)
    return [] if line is None else [line]


def _entry(row: Row, columns: dict[str, int]) -> Entry:
    given = {name: row.fields[place] for name, place in columns.items() if place < len(row.fields)}
    device, metric = given.get("device", ""), given.get("metric", "")
    return Entry(row.line, row.text, _result(given), lane=f"{device}/{metric}")


def _result(given: dict[str, str]) -> Reading | Rejected:
    try:
        at = datetime.fromisoformat(given.get("time", ""))
    except ValueError:
        return NO_TIME
    seq = given.get("seq", "") or "0"
    if not (seq.isascii() and seq.isdecimal() and len(seq) < 20 and int(seq) <= LARGEST_SEQ):
        return BAD_SEQ
    if given.get("status", "") not in STATUSES:
        return BAD_STATUS
    components = {name: text for name in COMPONENTS if (text := given.get(name))}
    numbers: dict[str, str] = {}
    for name, text in ({"value": given["value"]} if given.get("value") else {}).items() | components.items():
        number = decimal_text(text)
        if isinstance(number, Rejected):
            return Rejected(f"/{name}", number.reason)
        numbers[name] = number
    value = numbers.pop("value", None)
    context: dict[str, ContextValue] = {
        name.removeprefix(CONTEXT): text for name, text in given.items() if name.startswith(CONTEXT) and text
    }
    return Reading(
        given.get("metric", ""), given.get("unit", ""), at, value, numbers or None, given.get("device") or None,
        int(seq), context or None, cast(Status, given.get("status") or "final"),
    )  # fmt: skip
