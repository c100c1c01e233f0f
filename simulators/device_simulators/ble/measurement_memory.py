"""What a device that measures on demand remembers: measurements that nobody has fetched yet, and whose they are."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from device_simulators.ble.device_memory import DeviceMemory

UNKNOWN_USER = 0xFF


@dataclass(frozen=True, slots=True)
class Taken:
    """One measurement on the device's wall clock; `user` is the index where the device tells people apart."""

    at: datetime
    values: dict[str, Decimal]
    user: int | None = None

    def to_json(self) -> dict[str, Any]:
        values = {name: str(value) for name, value in self.values.items()}
        return asdict(self) | {"at": self.at.isoformat(), "values": values}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Taken":
        values = {name: Decimal(value) for name, value in fields["values"].items()}
        return cls(datetime.fromisoformat(fields["at"]), values, fields["user"])


class MeasurementMemory(DeviceMemory):
    """Measurements that wait, oldest first. Made by `history` when new; a file that exists wins over it.

    `consent_codes` are those of the users, by index: whoever knows one may fetch what waits for this user.
    """

    def __init__(
        self,
        *,
        history: Callable[[datetime], list[Taken]],
        consent_codes: dict[int, int],
        skew_s: float,
        file: Path | None,
    ) -> None:
        super().__init__(skew_s=skew_s, file=file)
        self.waiting: list[Taken] = (
            [Taken.from_json(taken) for taken in self.kept["waiting"]]
            if "waiting" in self.kept
            else history(self.clock())
        )
        self.consent_codes: dict[int, int] = {
            int(user): code for user, code in self.kept.get("consent_codes", consent_codes).items()
        }
        self.taken: int = self.kept.get("taken", len(self.waiting))  # how many, ever
        self.save()

    def add(self, taken: Taken) -> None:
        """One more measurement."""
        self.waiting.append(taken)
        self.taken += 1
        self.save()

    def fetched(self, taken: Taken) -> None:
        """It was sent and confirmed: the device keeps it no longer."""
        if taken in self.waiting:
            self.waiting.remove(taken)
            self.save()

    def content(self) -> dict[str, Any]:
        return super().content() | {
            "waiting": [taken.to_json() for taken in self.waiting],
            "consent_codes": self.consent_codes,
            "taken": self.taken,
        }
