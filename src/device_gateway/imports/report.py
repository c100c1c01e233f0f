"""What an import did, or would do: counts by outcome, the period, the metrics, and what was wrong first."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

PROBLEMS_SHOWN: Final = 20


class Problem(msgspec.Struct, frozen=True):
    """A record that was rejected: `number` as in `Entry`. A reason names no measured value."""

    number: int
    pointer: str
    reason: str


class Report(msgspec.Struct):
    """`records` is the sum of the five counts below it. `other` held no reading: insulin, food, notes …"""

    format: str
    records: int = 0
    stored: int = 0
    duplicate: int = 0
    corrected: int = 0
    rejected: int = 0
    other: int = 0
    since: datetime | None = None
    until: datetime | None = None
    metrics: dict[str, int] = {}
    sources: list[str] = []
    problems: list[Problem] = []

    @property
    def readings(self) -> int:
        """How many were understood, whether new or not."""
        return self.stored + self.duplicate + self.corrected

    def note_times(self, times: Iterable[datetime]) -> None:
        for at in times:
            self.since = at if self.since is None or at < self.since else self.since
            self.until = at if self.until is None or at > self.until else self.until

    def note_problems(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.rejected += 1
            if len(self.problems) < PROBLEMS_SHOWN:
                self.problems.append(problem)


def report_to_json(report: Report) -> dict[str, Any]:  # Any: JSON
    converted: dict[str, Any] = msgspec.to_builtins(report)
    return converted


def report_from_json(value: Mapping[str, Any]) -> Report:
    return msgspec.convert(value, Report)
