"""What a worker does, in figures for Prometheus: at an address of its own, off unless it is set.

Labels are outcomes: a handful, known beforehand. No sender, device or person, and no value, is in any of them.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from device_gateway.errors import PortTaken
from device_gateway.ingest.message import Message

OUTCOMES: Final = ("stored", "duplicate", "corrected", "rejected", "quarantined")
SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)  # a batch takes 5 ms to 200 ms
MESSAGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 20_000)


class Figures:
    """Of one worker. Counting costs some microseconds a batch, whether or not anybody reads it.

    waiting, slots  how many messages wait for a batch, how many slots the worker holds; asked when somebody reads
    """

    def __init__(self, waiting: Callable[[], int], slots: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        self._messages = Counter("dg_ingest_messages", "Messages committed and acknowledged", registry=registry)
        self._outcomes = Counter(
            "dg_ingest_outcomes", "Readings by outcome; payloads in quarantine", ["outcome"], registry=registry
        )
        self._retries = Counter(
            "dg_ingest_retries", "Batches kept because the database did not take them", registry=registry
        )
        self._commit = Histogram(
            "dg_ingest_commit_seconds", "From taking a batch to its commit", buckets=SECONDS, registry=registry
        )
        self._lag = Histogram(
            "dg_ingest_lag_seconds", "From the oldest message of a batch coming to its commit", buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self._batch = Histogram("dg_ingest_batch_messages", "Messages in a batch", buckets=MESSAGES, registry=registry)
        Gauge("dg_ingest_waiting_messages", "Messages not yet in a batch", registry=registry).set_function(waiting)
        Gauge("dg_ingest_slots", "Slots that this worker holds", registry=registry).set_function(slots)
        for outcome in OUTCOMES:
            self._outcomes.labels(outcome)  # zero is a figure too

    def committed(self, messages: Sequence[Message], outcomes: Tally[str], seconds: float) -> None:
        self._messages.inc(len(messages))
        for outcome in OUTCOMES:
            if outcomes[outcome]:
                self._outcomes.labels(outcome).inc(outcomes[outcome])
        self._commit.observe(seconds)
        self._batch.observe(len(messages))
        oldest = min(message.received_at for message in messages)
        self._lag.observe(max(0.0, (datetime.now(UTC) - oldest).total_seconds()))

    def kept(self) -> None:
        """A batch has to be tried again."""
        self._retries.inc()

    @contextmanager
    def served(self, address: str) -> Iterator[None]:
        """Under ``http://{address}/metrics`` for as long as the context lasts; nowhere when `address` is empty.

        Raises PortTaken when nothing can listen there.
        """
        if not address:
            yield
            return
        host, _, port = address.rpartition(":")
        try:
            server, thread = start_http_server(int(port), host.strip("[]"), self._registry)
        except OSError as error:
            raise PortTaken(f"DEVICE_GATEWAY_INGEST_METRICS: nothing can listen at {address}: {error}") from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
