"""How far a transfer of numbered records has come, said so that nothing is skipped when it breaks off."""

from collections.abc import Collection
from itertools import pairwise

NUMBERS = 0x10000  # sequence numbers and time offsets have 16 bits; after the last one comes 0


class Progress:
    """Follows the sequence numbers of one transfer.

    `start` is the position before it: the highest sequence number kept, None when nothing was. Records usually come
    oldest first; then the position moves with them. As soon as they do not, it stays at `start` until all have come.
    It also stays where the transfer is not `steady`: live records come between the old ones.

    Numbers that roll over go on: of two that follow each other the second is the later one when it is less than half
    the range ahead (RFC 1982).
    """

    def __init__(self, start: int | None, *, steady: bool = True) -> None:
        self._start = start
        self._ascending = steady
        self._last: int | None = None
        self._seen: set[int] = set()  # numbers as if they had never rolled over

    @property
    def records(self) -> int:
        """How many different records have come."""
        return len(self._seen)

    def note(self, seq: int) -> None:
        """A record with this number has come."""
        if self._last is None:
            number = seq
        else:
            ahead = (seq - self._last) % NUMBERS
            number = self._last + (ahead if ahead < NUMBERS // 2 else ahead - NUMBERS)
            if number < self._last:
                self._ascending = False
        self._last = number
        self._seen.add(number)

    def so_far(self, waiting: Collection[int]) -> int | None:
        """The position to resume after if the transfer breaks off now. `waiting`: records that are not complete."""
        if not self._seen or not self._ascending:
            return self._start
        highest = max(self._seen)
        held = {seq % NUMBERS for seq in waiting}
        position = min([highest, *(number - 1 for number in self._seen if number % NUMBERS in held)])
        return position % NUMBERS if position >= min(self._seen) else self._start

    def complete(self) -> int | None:
        """The position after a completed transfer."""
        return max(self._seen) % NUMBERS if self._seen else self._start

    def holes(self) -> list[tuple[int, int]]:
        """(first, last) of each stretch of numbers that never came, between `start` and the highest one."""
        seen = sorted(self._seen)
        if seen and self._start is not None and self._start < seen[0]:
            seen.insert(0, self._start)
        return [
            ((before + 1) % NUMBERS, (after - 1) % NUMBERS) for before, after in pairwise(seen) if after - before > 1
        ]
