"""LibreView, key ``libreview``: the CSV of "Download glucose data", one file per account, all its sensors.

Two header lines, the second with 19 columns in the account's language. Record types: 0 historic, 1 scan, 2 strip, 3
ketone, 4 insulin, 5 food, 6 events and notes. Times are the device's wall clock without a zone, to the minute, in the
account's date style, with or without AM and PM. Rows are grouped by serial number and record type and ascend within
each group. Abbott publishes no description: sources stand in the golden file.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

from device_gateway.readings.model import Entry, Model, Reading, Rejected, Text
from device_gateway_files.rows import DELIMITERS, HEAD_ROWS, Row, fields_of, lines_of, rows_of
from device_gateway_files.values import NO_TIME, decimal_text, unit_in

# Names of columns in English, French and German; of those with a unit without it.
NAMES: Final = {
    "device": ("device", "appareil", "gerät"),
    "serial": ("serial number", "numéro de série", "seriennummer"),
    "time": ("device timestamp", "horodatage de l'appareil", "gerätezeitstempel"),
    "type": ("record type", "type d'enregistrement", "aufzeichnungstyp"),
    "historic": ("historic glucose", "historique de la glycémie", "glukosewert-verlauf"),
    "scan": ("scan glucose", "numérisation de la glycémie", "scan de glycémie", "glukose-scan"),
    "strip": ("strip glucose", "glycémie par bandelette", "glycémie de la bandelette", "glukose-teststreifen"),
}
# Their places in the full table, which are the same in every language.
PLACES: Final = {"device": 0, "serial": 1, "time": 2, "type": 3, "historic": 4, "scan": 5, "strip": 14}
NEEDED: Final = ("time", "type", "historic")
# A historic value and a scan of the same minute are two readings: the sequence tells them apart.
KINDS: Final = {
    "0": ("historic", "interstitial-glucose", 0),
    "1": ("scan", "interstitial-glucose", 1),
    "2": ("strip", "blood-glucose", 0),
}
OTHER_KINDS: Final = frozenset({"3", "4", "5", "6"})  # ketone, insulin, food, events: no metric of ours
TIME: Final = re.compile(
    r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([AaPp])\.?\s?[Mm]\.?)?", re.ASCII
)
UNKNOWN_TYPE: Final = Rejected("/type", "a record type from 0 to 6 is needed")


class Table(NamedTuple):
    delimiter: str
    header_line: int
    columns: dict[str, int]
    units: dict[str, str]


class LibreView:
    """FreeStyle Libre sensors, as their web site gives them out."""

    transport: ClassVar[str] = "file"
    key: ClassVar[str] = "libreview"
    name: ClassVar[str] = "LibreView"
    models: ClassVar[tuple[Model, ...]] = ()

    def recognises(self, head: str) -> bool:
        return table_of([head]) is not None

    def preamble(self, text: Text) -> str:
        """The header lines."""
        table = table_of(text())
        last = table.header_line if table else 0
        return "".join(f"{line}\n" for number, line in enumerate(lines_of(text()), 1) if number <= last)

    def read(self, text: Text) -> Iterator[Entry]:
        """Entries in the order of the rows; the file is read twice, first for the order of day and month."""
        table = table_of(text())
        if table is None:
            return
        day_first = _is_day_first(_times(text, table))
        for row in rows_of(text(), table.delimiter):
            if row.line > table.header_line:
                yield _entry(row, table, day_first)


def table_of(pieces: Iterable[str]) -> Table | None:
    for number, line in enumerate(lines_of(pieces), 1):
        if number > HEAD_ROWS:
            return None
        for delimiter in DELIMITERS:
            if found := _columns(fields_of(line, delimiter)):
                return Table(delimiter, number, *found)
    return None


def _columns(fields: Sequence[str]) -> tuple[dict[str, int], dict[str, str]] | None:
    names = [re.sub(r"\s*(mg/dl|mmol/l)$", "", field.lower().replace("’", "'").lstrip("\ufeff")) for field in fields]
    columns = {key: names.index(name) for key, known in NAMES.items() for name in known if name in names}
    if not all(key in columns for key in NEEDED):
        columns = PLACES if len(fields) == 19 and all(unit_in(fields[PLACES[k]]) for k in KINDS_COLUMNS) else {}
    units = {key: unit for key in KINDS_COLUMNS if key in columns and (unit := unit_in(fields[columns[key]]))}
    return (dict(columns), units) if columns and "historic" in units else None


KINDS_COLUMNS: Final = tuple(column for column, _, _ in KINDS.values())


def _entry(row: Row, table: Table, day_first: bool) -> Entry:
    def field(key: str) -> str:
        place = table.columns.get(key, len(row.fields))
        return row.fields[place] if place < len(row.fields) else ""

    kind = field("type")
    if kind in OTHER_KINDS:
        return Entry(row.line, row.text, None)
    if kind not in KINDS:
        return Entry(row.line, row.text, UNKNOWN_TYPE)
    column, metric, seq = KINDS[kind]
    at = _time(field("time"), day_first)
    value = decimal_text(field(column))
    serial = field("serial")
    result: Reading | Rejected
    if at is None:
        result = NO_TIME
    elif isinstance(value, Rejected):
        result = value
    elif column not in table.units:
        result = Rejected("/unit", "the file has no column for this type of record")
    else:
        result = Reading(metric, table.units[column], at, value, device=serial or None, seq=seq)
    return Entry(row.line, row.text, result, lane=f"{serial}/{kind}", model=field("device"))


def _times(text: Text, table: Table) -> Iterator[str]:
    place = table.columns["time"]
    for row in rows_of(text(), table.delimiter):
        if row.line > table.header_line and place < len(row.fields):
            yield row.fields[place]


def _is_day_first(times: Iterable[str]) -> bool:
    """Whether 03-04 is 3 April.

    A number above 12 decides. Without one, the order under which the file spans less time: read the wrong way, each
    midnight leaps a month. If that is the same, AM and PM are American.
    """
    spans: dict[bool, list[date]] = {True: [], False: []}
    twelve_hours = False
    for first, second, third, twelve in map(_date_part, times):
        if first is None or first > 31:
            continue
        twelve_hours = twelve_hours or twelve
        if first > 12 or second > 12:
            return first > 12
        for day_first, seen in spans.items():
            day = date(third, second, first) if day_first else date(third, first, second)
            spans[day_first] = [min([*seen, day]), max([*seen, day])]
    if not spans[True]:
        return True
    european, american = (max(seen) - min(seen) for seen in (spans[True], spans[False]))
    return european < american if european != american else not twelve_hours


@lru_cache(maxsize=4096)
def _date_part(text: str) -> tuple[int | None, int, int, bool]:
    match = TIME.fullmatch(text)
    if (
        match is None
        or not 1 <= int(match[1]) <= 31
        or not 1 <= int(match[2]) <= 31
        or not 2000 <= int(match[3]) <= 2099
    ):
        return None, 0, 0, False
    return int(match[1]), int(match[2]), int(match[3]), match[7] is not None


def _time(text: str, day_first: bool) -> datetime | None:
    match = TIME.fullmatch(text)
    if match is None:
        return None
    first, second, third, hour, minute = (int(match[place]) for place in range(1, 6))
    if match[7]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[7] in "Pp" else 0)
    year, month, day = (
        (first, second, third) if first > 31 else (third, *((second, first) if day_first else (first, second)))
    )
    try:
        return datetime(year, month, day, hour, minute, int(match[6] or 0))  # noqa: DTZ001  # a wall clock
    except ValueError:
        return None
