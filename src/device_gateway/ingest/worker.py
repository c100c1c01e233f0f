"""A worker: leases slots, takes batches from the broker, commits them, answers, acknowledges.

The order is the promise: COMMIT, then outcomes, then acknowledgement. Killed at any point, the broker sends again what
was not acknowledged, and the identity of a reading makes the repetition a duplicate. While the database is away the
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

from device_gateway.broker.slot_topics import filter_of, prefix_of
from device_gateway.database.pool import Row, connect
from device_gateway.database.transient import is_transient, is_unfit
from device_gateway.devices.topics import sent_filters
from device_gateway.errors import GatewayError
from device_gateway.ingest import quarantine, slots
from device_gateway.ingest.answers import Answer
from device_gateway.ingest.batch import BatchWriter, Result
from device_gateway.ingest.dialects import dialects
from device_gateway.ingest.figures import Figures
from device_gateway.ingest.message import Message
from device_gateway.ingest.quarantine import Misfit
from device_gateway.settings import Settings
from device_gateway.transports.mqtt.consumer import Consumer
from device_gateway.transports.mqtt.inlet import Inlet

IDLE_S = 0.2  # how soon an idle worker notices that it shall stop
RETRY_FIRST_S, RETRY_MAX_S = 0.1, 2.0  # pauses while the database is away, doubling
AWAY_S = 15.0  # after this the sessions end, so that another worker, whom the database answers, can have them
LEASE_EVERY_S = 2.0  # how often slots are shared out anew, and how soon an idle worker notices a lost database
REPORT_EVERY_S = 60.0  # one log line of counts
DRAIN_S = 5.0  # time to write out acknowledgements when stopping

log = structlog.get_logger(__name__)


class DatabaseUnfit(GatewayError):
    """The database lacks what ingestion needs."""

    exit_code = 70  # EX_SOFTWARE of sysexits.h


class Worker:
    """Runs until `stop` is set. Use from one thread."""

    def __init__(self, settings: Settings, stop: threading.Event, on_ready: Callable[[], None]) -> None:
        self._settings = settings
        self._stop = stop
        self._on_ready = on_ready
        self._announced = False
        self._established: set[int] = set()
        self._inlet = Inlet(settings.ingest_window)
        self._sessions: dict[int, Consumer] = {}
        self._connection: Connection[Row] | None = None
        self._leases: slots.Leases | None = None
        self._writer: BatchWriter | None = None
        self._figures = Figures(waiting=self._inlet.__len__, slots=self._sessions.__len__)
        self._counts: Counter[str] = Counter()
        self._reported = time.monotonic()

    def run(self) -> None:
        """Returns once `stop` is set and what was taken from the broker by then is committed and acknowledged."""
        with self._figures.served(self._settings.ingest_metrics):
            self._work()

    def _work(self) -> None:
        settings = self._settings
        dialects()  # loaded before the first message waits for them
        gc.freeze()  # what start-up made lives on: the collector need not look at it again
        share_at = 0.0
        try:
            while not self._stop.is_set():
                if time.monotonic() >= share_at:
                    self._share_slots()
                    share_at = time.monotonic() + LEASE_EVERY_S
                self._announce()
                if messages := self._inlet.take(settings.ingest_batch_rows, IDLE_S, settings.ingest_batch_ms / 1000):
                    self._settle(messages)
                self._report()
            self._drain()
        finally:
            self._end_sessions()
            if self._connection:
                self._connection.close()

    def _announce(self) -> None:
        """Note each session that is subscribed; and once, when all of this worker are, say so."""
        for slot, session in self._sessions.items():
            session.keep_subscribed()
            if session.ready.is_set() and slot not in self._established:
                self._note_established(slot)
        if not self._announced and self._sessions and all(s.ready.is_set() for s in self._sessions.values()):
            self._announced = True
            self._on_ready()

    def _note_established(self, slot: int) -> None:
        if self._connection is None:
            return
        try:
            slots.note_established(self._connection, slot, self._settings.ingest_slots)
        except psycopg.OperationalError:
            return  # the database is away: noted with a later look
        self._established.add(slot)

    def _share_slots(self) -> None:
        """Hold this worker's share of the slots, and a session for each of them."""
        if self._leases is None and not self._reconnect():
            return
        leases = self._leases
        assert leases is not None  # noqa: S101  # a connection comes with its leases
        try:
            share = leases.share()
            for slot in sorted(leases.held)[share:]:
                self._end_session(slot)
                leases.give(slot)
            leases.take_share()
        except psycopg.OperationalError:
            self._reconnect()
            return
        for slot in leases.held - self._sessions.keys():
            self._begin_session(slot)

    def _begin_session(self, slot: int) -> None:
        settings = self._settings
        log.info("slot leased", slot=slot, of=settings.ingest_slots)
        placed = settings.nats_url and settings.ingest_slots > 1  # by the embedded broker
        shards = slots.shards(slot, settings.ingest_slots)
        session = Consumer(
            settings.required("mqtt_url"),
            slots.client_id(slot),
            [filter_of(slot)] if placed else sent_filters(shards),
            self._inlet,
            slot=slot,
            prefix=prefix_of(slot) if placed else "",
            ca=settings.mqtt_ca,
            certificate=settings.mqtt_certificate,
        )
        self._sessions[slot] = session
        session.start()

    def _end_session(self, slot: int) -> None:
        if session := self._sessions.pop(slot, None):
            log.info("slot given back", slot=slot)
            session.flush(DRAIN_S)
            session.stop()

    def _end_sessions(self) -> None:
        for slot in list(self._sessions):
            self._end_session(slot)

    def _drain(self) -> None:
        """Settle what the network threads have handed over by now."""
        taken = 0
        while taken < self._settings.ingest_window:
            messages = self._inlet.take(self._settings.ingest_batch_rows, 0, 0)
            if not messages:
                return
            self._settle(messages)
            taken += len(messages)

    def _settle(self, messages: Sequence[Message]) -> None:
        """Commit, answer, acknowledge. Nothing is acknowledged when the worker stops or gives up its sessions first."""
        pause = RETRY_FIRST_S
        begun = time.perf_counter()
        while True:
            try:
                results = self._commit(messages)
            except psycopg.Error as error:
                self._figures.kept()
                log.warning("batch kept to be tried again", error=type(error).__name__, messages=len(messages))
            else:
                break
            if self._stop.wait(pause) or not self._reconnect():
                return
            pause = min(pause * 2, RETRY_MAX_S)
        self._publish([answer for result in results for answer in result.answers])
        outcomes = sum((result.outcomes for result in results), Counter[str]())
        self._figures.committed(messages, outcomes, time.perf_counter() - begun)
        self._counts.update(outcomes)
        for slot, session in self._sessions.items():
            session.acknowledge(message for message in messages if message.slot == slot)
        self._counts["messages"] += len(messages)

    def _publish(self, answers: Sequence[Answer]) -> None:
        """On the session that its message came by: there the broker has the answer before the acknowledgement,
        wherever this process is killed. A session that ended acknowledges nothing: its message comes again.
        """
        for slot, session in self._sessions.items():
            session.publish((answer.topic, answer.payload) for answer in answers if answer.slot == slot)

    def _commit(self, messages: Sequence[Message]) -> list[Result]:
        """Commit `messages` together; when something in them breaks the batch, halve it until the culprit is alone.

        Raises psycopg.Error when it is worth another try, and DatabaseUnfit when no message is to blame.
        """
        if self._connection is None or self._writer is None:
            raise psycopg.OperationalError
        try:
            return [self._writer.commit(messages)]
        except Exception as error:
            if is_transient(error, self._connection):
                raise
            problem = type(error).__name__  # the text of a database error may quote a value
            unfit = is_unfit(error)
        if unfit:
            raise DatabaseUnfit(f"The database refuses what ingestion needs ({problem}): run device-gateway migrate.")
        if len(messages) > 1:
            half = len(messages) // 2
            return self._commit(messages[:half]) + self._commit(messages[half:])
        log.error("a message broke its batch; it goes to quarantine", error=problem)
        [broken] = messages
        reason = f"broke ingestion: {problem}"
        misfit = Misfit(broken.topic, "", "", broken.payload, "", reason, received_at=broken.received_at)
        with self._connection.transaction():
            quarantine.keep(self._connection, [misfit], self._settings.quarantine_days)
        return [Result([], Counter(quarantined=1))]

    def _reconnect(self) -> bool:
        """A connection that works, with the slots that this worker still has; sessions of the others end.

        False when the worker stops, or when the database is away for so long that all sessions were ended.
        """
        pause = RETRY_FIRST_S
        deadline = time.monotonic() + AWAY_S
        while not self._stop.is_set():
            try:
                self._connect()
            except psycopg.OperationalError as error:
                log.warning("database does not answer", error=type(error).__name__)
                if time.monotonic() >= deadline:
                    self._end_sessions()
                    return False
                self._stop.wait(pause)
                pause = min(pause * 2, RETRY_MAX_S)
            else:
                return True
        return False

    def _connect(self) -> None:
        if self._connection and not (self._connection.closed or self._connection.broken):
            return  # it was a deadlock or the like: the connection is sound
        if self._connection:
            self._connection.close()
        self._connection = connection = connect(self._settings.ingest_url, "gateway_ingest")
        self._leases = slots.Leases(connection, self._settings.ingest_slots)
        self._writer = BatchWriter(connection, self._settings.quarantine_days)
        for slot in list(self._sessions):
            if not self._leases.take(slot):
                log.warning("slot taken by another worker", slot=slot)
                self._end_session(slot)

    def _report(self) -> None:
        if self._counts and time.monotonic() - self._reported >= REPORT_EVERY_S:
            log.info("ingested", **self._counts)
            self._counts.clear()
            self._reported = time.monotonic()
