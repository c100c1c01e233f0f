"""How far a transfer of numbered records has come, said so that nothing is skipped when it breaks off."""

from collections.abc import Collection


class Progress:
    """Follows the sequence numbers of one transfer.

    `start` is the position before it: the highest sequence number kept, None when nothing was. Records usually come
    oldest first; then the position moves with them. As soon as they do not, it stays at `start` until all have come.
    """

    def __init__(self, start: int | None) -> None:
        self._start = start
        self._lowest: int | None = None
        self._highest: int | None = None
        self._last: int | None = None
        self._ascending = True

    def note(self, seq: int) -> None:
        """A record with this number has come."""
        if self._last is not None and seq < self._last:
            self._ascending = False
        self._last = seq
        self._lowest = seq if self._lowest is None else min(self._lowest, seq)
        self._highest = seq if self._highest is None else max(self._highest, seq)

    def so_far(self, waiting: Collection[int]) -> int | None:
        """The position to resume after if the transfer breaks off now. `waiting`: records that are not complete."""
        if self._highest is None or self._lowest is None or not self._ascending:
            return self._start
        position = min([self._highest, *(seq - 1 for seq in waiting)])
        return position if position >= self._lowest else self._start

    def complete(self) -> int | None:
        """The position after a completed transfer."""
        return self._start if self._highest is None else self._highest
