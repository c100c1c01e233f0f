"""Dexcom Clarity, key ``clarity``: the CSV of "Export".

14 columns, in the same places in every language. The first rows have no time: the person, devices, alert thresholds.
Times are the receiver's wall clock without a zone. A value out of range is the word ``Low`` or ``High``. Transmitter
Time counts seconds and does not stop when clocks are changed, so it tells the two hours at the end of summer time
apart. Dexcom publishes no description: sources stand in the golden file.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar, Final, NamedTuple

from device_gateway.readings.model import Entry, Model, Reading, Rejected, Text
from device_gateway_files.rows import DELIMITERS, HEAD_ROWS, Row, fields_of, lines_of, rows_of
from device_gateway_files.values import NO_TIME, decimal_text, unit_in

TIME, EVENT, DEVICE_INFO, SOURCE, GLUCOSE, TICKS, TRANSMITTER = 1, 2, 5, 6, 7, 12, 13  # places of columns
TIME_HEADER: Final = re.compile(r".*\(\w{4}-MM-\w{2}Thh:mm:ss\)", re.IGNORECASE)  # JJJJ-MM-TT, AAAA-MM-JJ
SENSOR_EVENTS: Final = frozenset({"egv", "egw"})  # estimated glucose value, Glukosewert
CALIBRATION_EVENTS: Final = frozenset({"calibration", "kalibrierung", "étalonnage"})
UNKNOWN_EVENT: Final = Rejected("/event", "a glucose value of an event that is not known here")


class Table(NamedTuple):
    delimiter: str
    header_line: int
    unit: str


class Clarity:
    """Dexcom sensors, as their web site gives them out."""

    transport: ClassVar[str] = "file"
    key: ClassVar[str] = "clarity"
    name: ClassVar[str] = "Dexcom Clarity"
    models: ClassVar[tuple[Model, ...]] = ()

    def recognises(self, head: str) -> bool:
        return table_of([head]) is not None

    def preamble(self, text: Text) -> str:
        """The header line."""
        table = table_of(text())
        last = table.header_line if table else 0
        return "".join(f"{line}\n" for number, line in enumerate(lines_of(text()), 1) if number <= last)

    def read(self, text: Text) -> Iterator[Entry]:
        table = table_of(text())
        if table is None:
            return
        models: dict[str, str] = {}  # source device id ▸ what it is called, from the rows at the head
        for row in rows_of(text(), table.delimiter):
            if row.line > table.header_line:
                fields = row.fields + [""] * (TRANSMITTER + 1 - len(row.fields))
                if not fields[TIME] and fields[DEVICE_INFO]:
                    models[fields[SOURCE]] = fields[DEVICE_INFO]
                yield _entry(row, fields, table.unit, models)


def table_of(pieces: Iterable[str]) -> Table | None:
    for number, line in enumerate(lines_of(pieces), 1):
        if number > HEAD_ROWS:
            return None
        for delimiter in DELIMITERS:
            fields = fields_of(line, delimiter)
            if len(fields) > GLUCOSE and TIME_HEADER.fullmatch(fields[TIME]) and (unit := unit_in(fields[GLUCOSE])):
                return Table(delimiter, number, unit)
    return None


def _entry(row: Row, fields: list[str], unit: str, models: dict[str, str]) -> Entry:
    event = fields[EVENT].lower()
    sensor = event in SENSOR_EVENTS
    if not fields[TIME] or not (sensor or fields[GLUCOSE]):
        return Entry(row.line, row.text, None)
    device = fields[TRANSMITTER] or fields[SOURCE]
    ticks = fields[TICKS].partition(".")[0]
    return Entry(
        row.line,
        row.text,
        _result(fields, sensor, event in CALIBRATION_EVENTS, unit, device),
        lane=f"{device}/{event}",
        model=models.get(fields[SOURCE]) or fields[DEVICE_INFO],
        ticks=int(ticks) if ticks.isascii() and ticks.isdecimal() and len(ticks) < 16 else None,
    )


def _result(fields: list[str], sensor: bool, calibration: bool, unit: str, device: str) -> Reading | Rejected:
    if not sensor and not calibration:
        return UNKNOWN_EVENT
    value = decimal_text(fields[GLUCOSE])
    if isinstance(value, Rejected):
        return value
    try:
        at = datetime.fromisoformat(fields[TIME])
    except ValueError:
        return NO_TIME
    metric = "interstitial-glucose" if sensor else "blood-glucose"
    context: dict[str, str | int | bool] | None = None if sensor else {"purpose": "calibration"}
    return Reading(metric, unit, at, value, device=device or None, context=context)
