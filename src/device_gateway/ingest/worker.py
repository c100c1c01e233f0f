"""A worker: leases a slot, takes batches from the broker, commits them, answers, acknowledges.

The order is the promise: COMMIT, then outcomes, then acknowledgement. Killed at any point, the broker sends again what
was not acknowledged, and the identity of a reading makes the repetition a duplicate. When the database is away the
batch is kept and tried again; the window is bounded, so the broker holds what comes meanwhile.
"""

import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import psycopg
import structlog
from psycopg import Connection

from device_gateway.database.pool import Row, connect
from device_gateway.devices.topics import sent_filters
from device_gateway.ingest import quarantine, slots
from device_gateway.ingest.batch import BatchWriter, Result
from device_gateway.ingest.message import Message
from device_gateway.ingest.quarantine import Misfit
from device_gateway.settings import Settings
from device_gateway.transports.mqtt.consumer import Consumer

IDLE_S = 0.2  # how soon an idle worker notices that it shall stop
RETRY_FIRST_S, RETRY_MAX_S = 0.1, 5.0  # pauses while the database is away, doubling
LEASE_EVERY_S = 2.0  # how often a spare worker looks for a free slot
REPORT_EVERY_S = 60.0  # one log line of counts
DRAIN_S = 5.0  # time to write out acknowledgements when stopping

log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Another worker has the slot now."""


class Worker:
    """Runs until `stop` is set. Use from one thread."""

    def __init__(self, settings: Settings, stop: threading.Event, on_ready: Callable[[], None]) -> None:
        self._settings = settings
        self._stop = stop
        self._on_ready = on_ready
        self._connection: Connection[Row] | None = None
        self._writer: BatchWriter | None = None
        self._slot = 0
        self._counts: Counter[str] = Counter()
        self._reported = time.monotonic()

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                self._lease()
                if not self._stop.is_set():
                    self._consume()
            except LeaseLost:
                log.warning("slot taken by another worker", slot=self._slot)
            finally:
                if self._connection:
                    self._connection.close()

    def _lease(self) -> None:
        """Connect and lease a slot; as long as it takes."""
        while not self._stop.is_set():
            connection = self._connect()
            if connection is None:
                return
            slot = slots.lease(connection, self._settings.ingest_slots)
            if slot is not None:
                self._slot = slot
                self._use(connection)
                log.info("slot leased", slot=slot, of=self._settings.ingest_slots)
                return
            connection.close()
            self._stop.wait(LEASE_EVERY_S)

    def _consume(self) -> None:
        settings = self._settings
        consumer = Consumer(
            settings.required("mqtt_url"),
            slots.client_id(self._slot),
            sent_filters(slots.shards(self._slot, settings.ingest_slots)),
            settings.ingest_window,
            settings.mqtt_ca,
        )
        consumer.start()
        announced = False
        gc.freeze()  # what start-up made lives on: the collector need not look at it again
        try:
            while not self._stop.is_set():
                if not announced and consumer.ready.is_set():
                    announced = True
                    self._on_ready()
                messages = consumer.take(settings.ingest_batch_rows, IDLE_S, settings.ingest_batch_ms / 1000)
                if messages:
                    self._settle(consumer, messages)
                self._report()
        finally:
            consumer.flush(DRAIN_S)
            consumer.stop()

    def _settle(self, consumer: Consumer, messages: Sequence[Message]) -> None:
        """Commit, answer, acknowledge. Returns early only when the worker stops: then nothing is acknowledged."""
        pause = RETRY_FIRST_S
        while True:
            try:
                results = self._commit(messages)
            except psycopg.OperationalError as error:
                log.warning("database away, batch kept", error=type(error).__name__, messages=len(messages))
                if self._stop.wait(pause):
                    return
                pause = min(pause * 2, RETRY_MAX_S)
                self._reconnect()
            else:
                break
        for result in results:
            for answer in result.answers:
                consumer.publish(answer.topic, answer.payload)
            self._counts.update(result.outcomes)
        consumer.acknowledge(messages)
        self._counts["messages"] += len(messages)

    def _commit(self, messages: Sequence[Message]) -> list[Result]:
        """Commit `messages` together; when something in them breaks the batch, halve it until the culprit is alone."""
        assert self._writer is not None  # noqa: S101  # a leased worker has one
        try:
            return [self._writer.commit(messages)]
        except psycopg.OperationalError:
            raise
        except Exception as error:
            if len(messages) > 1:
                half = len(messages) // 2
                return self._commit(messages[:half]) + self._commit(messages[half:])
            # The text of a database error may quote a value: its class is all that is logged.
            log.error("a message broke its batch; it goes to quarantine", error=type(error).__name__)
            return [self._isolate(messages[0], error)]

    def _isolate(self, message: Message, error: Exception) -> Result:
        assert self._connection is not None  # noqa: S101  # a leased worker has one
        misfit = Misfit(message.topic, "", "", message.payload, "", f"broke ingestion: {type(error).__name__}")
        with self._connection.transaction():
            quarantine.keep(self._connection, [misfit], self._settings.quarantine_days)
        return Result([], Counter(quarantined=1))

    def _connect(self) -> Connection[Row] | None:
        pause = RETRY_FIRST_S
        while not self._stop.is_set():
            try:
                return connect(self._settings.ingest_url, "gateway_ingest")
            except psycopg.OperationalError as error:
                log.warning("database does not answer", error=type(error).__name__)
                self._stop.wait(pause)
                pause = min(pause * 2, RETRY_MAX_S)
        return None

    def _reconnect(self) -> None:
        """A new connection that holds the same slot. Raises LeaseLost."""
        if self._connection:
            self._connection.close()
        connection = self._connect()
        if connection is None:
            return
        if not slots.renew(connection, self._slot):
            connection.close()
            raise LeaseLost
        self._use(connection)

    def _use(self, connection: Connection[Row]) -> None:
        self._connection = connection
        self._writer = BatchWriter(connection, self._settings.quarantine_days)

    def _report(self) -> None:
        if self._counts and time.monotonic() - self._reported >= REPORT_EVERY_S:
            log.info("ingested", slot=self._slot, **self._counts)
            self._counts.clear()
            self._reported = time.monotonic()
