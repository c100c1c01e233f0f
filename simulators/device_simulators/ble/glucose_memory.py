"""What a meter remembers: its records, its bonds and how wrong its clock is; in a file, where one is given."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from device_simulators.ble.glucose_history import history, live_record
from device_simulators.ble.glucose_record import GlucoseRecord, Unit
from device_simulators.radio.bonds import Bonds
from device_simulators.radio.json_file import read_json, write_json


class GlucoseMemory:
    """The memory of one meter. Made from `seed` when new; a file that exists wins over seed, count and skew.

    `skew` is what the meter's clock shows more than the wall clock of this host.
    """

    def __init__(self, *, seed: int, count: int, skew: timedelta, unit: Unit, file: Path | None) -> None:
        self._seed = seed
        self._unit = unit
        self._file = file
        kept: dict[str, Any] = read_json(file) if file else {}
        self.bonds = Bonds(kept.setdefault("bonds", {}), self.save)
        self._bonds_kept = kept["bonds"]
        self.skew = timedelta(seconds=kept["skew_s"]) if "skew_s" in kept else skew
        if "records" in kept:
            self.records = [GlucoseRecord.from_json(record) for record in kept["records"]]
        else:
            self.records = history(seed, count, self.clock(), unit)
        self._next_seq: int = kept.get("next_seq", len(self.records) + 1)
        self.save()

    def clock(self) -> datetime:
        """What the meter shows now."""
        return datetime.now() + self.skew  # noqa: DTZ005  a meter's clock has no zone

    def set_clock(self, shown: datetime) -> None:
        """Someone set the clock. Records already taken keep the time they have."""
        self.skew = shown - datetime.now()  # noqa: DTZ005
        self.save()

    def take_record(self) -> GlucoseRecord:
        """Somebody pricks their finger: one more record, now."""
        record = live_record(self._seed, self._next_seq, self.clock(), self._unit)
        self.records.append(record)
        self._next_seq += 1
        self.save()
        return record

    def forget(self, records: list[GlucoseRecord]) -> None:
        """Deletes records."""
        gone = {id(record) for record in records}
        self.records = [record for record in self.records if id(record) not in gone]
        self.save()

    def save(self) -> None:
        """Writes the file, where there is one."""
        if self._file is None:
            return
        write_json(
            self._file,
            {
                "records": [record.to_json() for record in self.records],
                "next_seq": self._next_seq,
                "skew_s": self.skew.total_seconds(),
                "bonds": self._bonds_kept,
            },
        )
