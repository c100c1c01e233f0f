"""How often a client may be served: a bucket per client that fills evenly, and holds ten seconds' worth.

Only what succeeds is counted. A stranger who names a client, which nobody can hinder, cannot use up what it has.
"""

import math
from collections import OrderedDict
from datetime import datetime

BURST_S = 10  # seconds of the rate: an app that wakes up and refreshes all that it has
MAX_KEPT = 10_000  # clients; whoever was served longest ago is forgotten, with a full bucket


class Rates:
    """Of one process: each of `processes` that serve beside each other gives its part, so that all together hold."""

    def __init__(self, per_second: float = 0, processes: int = 1) -> None:
        """`per_second` for one client at one endpoint; 0: as often as it likes."""
        self._per_second = per_second / processes
        self._room = max(1.0, self._per_second * BURST_S)
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()  # when the bucket is full again, in seconds

    def wait_s(self, endpoint: str, client_id: str, now: datetime) -> int:
        """Whole seconds until `client_id` is served again; 0 where that is now."""
        if not self._per_second:
            return 0
        missing = (self._full_at.get((endpoint, client_id), 0) - now.timestamp()) * self._per_second
        return math.ceil(max(0.0, missing + 1 - self._room) / self._per_second)

    def count(self, endpoint: str, client_id: str, now: datetime) -> None:
        """`client_id` was served."""
        if not self._per_second:
            return
        key = (endpoint, client_id)
        full_at = max(self._full_at.pop(key, 0), now.timestamp())
        self._full_at[key] = full_at + 1 / self._per_second
        if len(self._full_at) > MAX_KEPT:
            self._full_at.popitem(last=False)
