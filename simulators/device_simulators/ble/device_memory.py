"""What every device remembers: its bonds and how wrong its clock is; in a file, where one is given."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from device_simulators.radio.bonds import Bonds
from device_simulators.radio.json_file import read_json, write_json


class DeviceMemory:
    """A file that exists wins over `skew`, which is what the clock shows more than the wall clock of this host.

    Subclasses take what they know from `kept`, add it to `content`, and call `save` when they change it.
    """

    def __init__(self, *, skew_s: float, file: Path | None) -> None:
        self._file = file
        self.kept: dict[str, Any] = read_json(file) if file else {}  # Any: JSON; each memory knows its own fields
        self._bonds_kept = self.kept.setdefault("bonds", {})
        self.bonds = Bonds(self._bonds_kept, self.save)
        self.skew = timedelta(seconds=self.kept.get("skew_s", skew_s))

    def clock(self) -> datetime:
        """What the device shows now."""
        return datetime.now() + self.skew  # noqa: DTZ005  a device's clock has no zone

    def set_clock(self, shown: datetime) -> None:
        """Someone set the clock. Records already taken keep the time they have."""
        self.skew = shown - datetime.now()  # noqa: DTZ005
        self.save()

    def forget_bonds(self) -> None:
        """As after a change of batteries, or on a device that keeps one bond only."""
        self._bonds_kept.clear()
        self.save()

    def content(self) -> dict[str, Any]:
        """What goes into the file."""
        return {"skew_s": self.skew.total_seconds(), "bonds": self._bonds_kept}

    def save(self) -> None:
        """Writes the file, where there is one."""
        if self._file is not None:
            write_json(self._file, self.content())
