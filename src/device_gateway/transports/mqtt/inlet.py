"""Between the network threads of a process's sessions and the one worker that commits: a bounded queue."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from device_gateway.ingest.message import Message

LOOK_AGAIN_S = 0.5  # how soon a session that waits for room notices that it shall end
BATCH_BYTES = 2_000_000  # of payloads in one batch: some 15,000 readings; big messages must not make big transactions
WINDOW_BYTES = 32_000_000  # of payloads in all: a window of the largest messages would be a quarter of a gigabyte


class Inlet:
    """At most `window` messages or `WINDOW_BYTES`: then sessions wait, sockets fill, and the broker holds the rest."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._wanted = 1  # messages that the worker waits for
        lock = threading.Lock()
        self._room = threading.Condition(lock)
        self._enough = threading.Condition(lock)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, messages: Iterable[Message], wanted: Callable[[], bool]) -> None:
        """All of `messages`, in their order: wait for room for as long as `wanted` says so."""
        with self._room:
            for message in messages:
                while len(self._waiting) >= self._window or self._bytes >= WINDOW_BYTES:
                    self._enough.notify()  # no batch can become fuller
                    if not wanted():
                        return  # at once: a session that ends may have hundreds of messages in its buffer
                    self._room.wait(LOOK_AGAIN_S)
                self._waiting.append(message)
                self._bytes += len(message.payload)
            if len(self._waiting) >= self._wanted or self._bytes >= BATCH_BYTES:
                self._enough.notify()

    def take(self, limit: int, wait_s: float, linger_s: float) -> list[Message]:
        """Up to `limit` messages: waits `wait_s` for the first one, then `linger_s` in all for the batch to fill."""
        with self._enough:
            self._wait_for(1, wait_s)
            if self._waiting:
                self._wait_for(min(limit, self._window), linger_s)
            messages: list[Message] = []
            size = 0
            while self._waiting and len(messages) < limit and size < BATCH_BYTES:
                messages.append(self._waiting.popleft())
                size += len(messages[-1].payload)
            self._bytes -= size
            self._room.notify_all()
        return messages

    def _wait_for(self, count: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self._wanted = count
        while len(self._waiting) < count and self._bytes < BATCH_BYTES:
            left = deadline - time.monotonic()
            if left <= 0 or not self._enough.wait(left):
                return
