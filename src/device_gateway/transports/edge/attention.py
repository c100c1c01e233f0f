"""When a meter that advertises is connected to: at once when it just woke up, now and then while it goes on, and less
and less often while it fails."""

import random
from dataclasses import dataclass

QUIET_S = 3.0  # without an advertisement for so long, a device had gone to sleep: the next one means that it has news
LONGEST_PAUSE_S = 600.0  # between attempts with a device that always fails
JITTER = 0.5  # of a pause, either way: devices that failed together shall not come back together
DOUBLINGS = 10  # beyond, the longest pause is reached with any interval


@dataclass(slots=True)
class Attention:
    """What one meter gets. Times are of the monotonic clock, in seconds."""

    failures: int = 0
    not_before: float = 0.0
    busy: bool = False
    heard_at: float = float("-inf")

    def heard(self, now: float) -> bool:
        """It advertises: whether to connect now."""
        awoke = now - self.heard_at > QUIET_S
        self.heard_at = now
        if self.busy:
            return False
        return now >= self.not_before or (awoke and not self.failures)

    def went_well(self, now: float, interval_s: float) -> None:
        """It was read."""
        self.failures = 0
        self.not_before = now + interval_s

    def failed(self, now: float, interval_s: float, *, hopeless: bool = False) -> None:
        """It could not be read; `hopeless`: nor will it be before somebody does something about it."""
        self.failures += 1
        pause_s = min(interval_s * 2 ** min(self.failures - 1, DOUBLINGS), LONGEST_PAUSE_S)
        if hopeless:
            pause_s = LONGEST_PAUSE_S
        self.not_before = now + pause_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # nosec B311  # spread, not secrecy
