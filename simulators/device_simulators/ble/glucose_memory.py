"""What a glucose meter remembers beside bonds and clock: its records."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from device_simulators.ble.device_memory import DeviceMemory
from device_simulators.ble.glucose_record import GlucoseRecord

History = Callable[[datetime], list[GlucoseRecord]]  # the records of a new meter, up to this moment
Prick = Callable[[int, datetime], GlucoseRecord | None]  # one more, with this number; None when there is none


class GlucoseMemory(DeviceMemory):
    """The memory of one meter. Made by `history` when new; a file that exists wins over history and skew."""

    def __init__(self, *, history: History, prick: Prick, skew_s: float, file: Path | None) -> None:
        super().__init__(skew_s=skew_s, file=file)
        self._prick = prick
        if "records" in self.kept:
            self.records = [GlucoseRecord.from_json(record) for record in self.kept["records"]]
        else:
            self.records = history(self.clock())
        self._next_seq: int = self.kept.get("next_seq", len(self.records) + 1)
        self.save()

    def take_record(self) -> GlucoseRecord | None:
        """Somebody pricks their finger: one more record, now. None where a replayed file is at its end."""
        record = self._prick(self._next_seq, self.clock())
        if record is not None:
            self.records.append(record)
            self._next_seq += 1
            self.save()
        return record

    def forget(self, records: list[GlucoseRecord]) -> None:
        """Deletes records."""
        gone = {id(record) for record in records}
        self.records = [record for record in self.records if id(record) not in gone]
        self.save()

    def content(self) -> dict[str, Any]:
        return super().content() | {
            "records": [record.to_json() for record in self.records],
            "next_seq": self._next_seq,
        }
