"""Somebody's own numbers in place of a virtual patient's: a CSV file with the columns ``time,value[,unit]``.

A time is ISO 8601, on the wall clock of the device (a zone is ignored). A value of several parts has them between
slashes, in the order in which the device shows them: 121/79/64.
"""

import csv
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path


class BadReplay(ValueError):
    """The file is no table of time,value[,unit]."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, and when."""

    at: datetime
    values: tuple[Decimal, ...]
    unit: str | None

    def parts(self, least: int, most: int | None = None) -> tuple[Decimal, ...]:
        """The values. Raises BadReplay where there are not as many as this device measures."""
        if not least <= len(self.values) <= (most or least):
            raise BadReplay(f"{'/'.join(map(str, self.values))}: {least} values are needed, with / between them")
        return self.values


def read_replay(path: Path) -> list[Row]:
    """The rows, oldest first. Raises BadReplay, which names the line, or what opening the file raises."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        if not {"time", "value"} <= set(table.fieldnames or ()):
            raise BadReplay(f"{path} needs the columns time and value")
        rows = [_row(line, f"{path}, line {table.line_num}") for line in table]
    return sorted(rows, key=lambda row: row.at)


def _row(line: dict[str, str | None], where: str) -> Row:
    try:
        at = datetime.fromisoformat((line["time"] or "").strip()).replace(tzinfo=None)
        values = tuple(Decimal(part.strip()) for part in (line["value"] or "").split("/"))
    except (ValueError, InvalidOperation) as error:
        raise BadReplay(f"{where}: a time as 2026-11-22T07:30:00 and a number are needed") from error
    if not all(value.is_finite() for value in values):
        raise BadReplay(f"{where}: a finite number is needed")
    return Row(at, values, (line.get("unit") or "").strip() or None)
