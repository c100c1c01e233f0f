"""The session of a continuous sensor: when it began, what it measured, whether it still measures."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from device_simulators.ble.cgm_record import CgmRecord
from device_simulators.ble.device_memory import DeviceMemory

LONGEST_MIN = 0xFFFF  # a time offset has 16 bits

Shown = tuple[int, float]  # minutes since the session began, mg/dL
Sensor = Callable[[datetime, int], Iterator[Shown]]  # of a session that began then and has this number


class CgmSession(DeviceMemory):
    """The memory of one monitor. A file that exists wins over `began` and skew.

    `began` is on the device's clock as it was then: setting the clock later moves neither it nor the time offsets.
    With `waits` the first session has yet to be started.
    `is_dated` says whether a peer has told the time since: only then the session's start can be read. `sensor` is asked
    once for each session, and again after a restart.
    """

    def __init__(
        self,
        *,
        began: Callable[[datetime], datetime],
        sensor: Sensor,
        run_time_min: int,
        waits: bool,
        skew_s: float,
        file: Path | None,
    ) -> None:
        super().__init__(skew_s=skew_s, file=file)
        kept = self.kept
        self._sensor = sensor
        self._run_time_min = min(run_time_min, LONGEST_MIN)
        self.began = datetime.fromisoformat(kept["began"]) if "began" in kept else began(self.clock())
        self._began_utc = (
            datetime.fromisoformat(kept["began_utc"])
            if "began_utc" in kept
            else datetime.now(UTC) - (self.clock() - self.began)
        )
        self.number: int = kept.get("number", 1)
        self.is_running: bool = kept.get("is_running", not waits)
        self.is_dated: bool = kept.get("is_dated", not waits)
        self.records = [CgmRecord.from_json(record) for record in kept.get("records", [])]
        self._shown: int = kept.get("shown", 0)  # how many values the sensor has given in this session
        self._values: Iterator[Shown] = islice(sensor(self.began, self.number), self._shown, None)
        self._next: Shown | None = None

    def offset_min(self) -> int:
        """Minutes since the session began; 0 before the first one."""
        if not self.is_running and not self.is_dated:
            return 0
        return min(max(int((datetime.now(UTC) - self._began_utc) / timedelta(minutes=1)), 0), LONGEST_MIN)

    def next_shown(self, *, is_due: bool = True) -> Shown | None:
        """What the sensor shows next. None when it has ended, or, where `is_due`, when the time for it has not come."""
        if not self.is_running:
            return None
        if self._next is None:
            self._next = next(self._values, None)
        shown = self._next
        if shown is None or shown[0] > self._run_time_min:
            self.stop()
            return None
        if is_due and shown[0] > self.offset_min():
            return None
        self._next = None
        self._shown += 1
        return shown

    def add(self, record: CgmRecord) -> None:
        """One more record; not in the file before `save`."""
        self.records.append(record)

    def forget(self, records: list[CgmRecord]) -> None:
        """Deletes records."""
        gone = {id(record) for record in records}
        self.records = [record for record in self.records if id(record) not in gone]
        self.save()

    def start(self) -> None:
        """A new sensor: its time offsets begin at 0 and nobody has told it the time."""
        self.began, self._began_utc = self.clock().replace(microsecond=0), datetime.now(UTC)
        self.number += 1
        self.is_running, self.is_dated = True, False
        self.records, self._shown, self._next = [], 0, None
        self._values = self._sensor(self.began, self.number)
        self.save()

    def stop(self) -> None:
        """The sensor measures no more; what it measured can still be fetched."""
        self.is_running = False
        self.save()

    def tell_time(self, shown: datetime) -> None:
        """The peer's clock shows `shown` now: the device's is set, and the session's start is known on it."""
        self.set_clock(shown)
        self.began = shown - (datetime.now(UTC) - self._began_utc)
        self.is_dated = True
        self.save()

    def content(self) -> dict[str, Any]:
        return super().content() | {
            "began": self.began.isoformat(),
            "began_utc": self._began_utc.isoformat(),
            "number": self.number,
            "is_running": self.is_running,
            "is_dated": self.is_dated,
            "records": [record.to_json() for record in self.records],
            "shown": self._shown,
        }
