"""Between the network threads of a process's sessions and the one worker that commits: a bounded queue."""

import queue
import time
from collections.abc import Callable

from device_gateway.ingest.message import Message

LOOK_AGAIN_S = 0.5  # how soon a session that waits for room notices that it shall end
BATCH_BYTES = 2_000_000  # of payloads in one batch: some 15,000 readings; big messages must not make big transactions


class Inlet:
    """At most `window` messages: then the sessions wait, their sockets fill, and the broker holds the rest."""

    def __init__(self, window: int) -> None:
        self._queue: queue.Queue[Message] = queue.Queue(window)

    def put(self, message: Message, wanted: Callable[[], bool]) -> None:
        """Wait for room for as long as `wanted` says so."""
        while wanted():
            try:
                self._queue.put(message, timeout=LOOK_AGAIN_S)
            except queue.Full:
                continue
            return

    def take(self, limit: int, wait_s: float, linger_s: float) -> list[Message]:
        """Up to `limit` messages: waits `wait_s` for the first one, then `linger_s` in all for the batch to fill."""
        try:
            messages = [self._queue.get(timeout=wait_s)]
        except queue.Empty:
            return []
        size = len(messages[0].payload)
        deadline = time.monotonic() + linger_s
        while len(messages) < limit and size < BATCH_BYTES:
            try:
                messages.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
            size += len(messages[-1].payload)
        return messages
