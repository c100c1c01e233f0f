"""A batch of messages, from bytes to COMMIT: the steps in their order.

    read      bytes ▸ readings, by the dialect of the topic
    locate    senders and names ▸ devices, holdings, clocks, series
    place     readings ▸ rows, inbox entries, rejections, while the server takes in the rows before
    put       one transaction: readings, inbox, clocks, quarantine, activity, journal
    answer    an outcome message for each sender that waits for one

Nothing is acknowledged before `commit` returns. When it raises, nothing was written.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.devices.topics import OWN_DIALECT, READINGS, Topic, outcome_topic, parse_topic
from device_gateway.ingest import aftermath, device_news, edge_events, heard, inbox, quarantine
from device_gateway.ingest.arrival import Arrivals
from device_gateway.ingest.dialects import dialects
from device_gateway.ingest.edge_events import EdgeEvent, Presence, Told, parse_event, parse_presence
from device_gateway.ingest.edge_report import decode_report, message_id_of
from device_gateway.ingest.hub import read_from_hub
from device_gateway.ingest.memory import Memory, recall
from device_gateway.ingest.message import Message
from device_gateway.ingest.misfits import UNCLAIMED, misfit_of, pointer_of, unregistered
from device_gateway.ingest.placing import OLDEST_YEAR, Kind, Placed, Placer, Unassigned, names_with_clocks
from device_gateway.ingest.registry import KnownDevice, Name, Registry
from device_gateway.readings.model import (
    DUPLICATE,
    STORED,
    ClockMeasurement,
    Corrected,
    Decoded,
    Duplicate,
    Outcome,
    Reading,
    Rejected,
    Stored,
)
from device_gateway.readings.normalise import CLOCK_TOLERANCE_S
from device_gateway.readings.packed import Packed
from device_gateway.readings.put import ReadingWriter

FROM_EDGE = "raw"  # the kind of topic on which an edge reports what it could not decode
ANSWERED = (READINGS, FROM_EDGE)  # kinds of topic whose payloads have a message id: those of our own dialect
NAMES: dict[type[Outcome], str] = {
    Stored: "stored",
    Duplicate: "duplicate",
    Corrected: "corrected",
    Rejected: "rejected",
}


@dataclass
class Delivery:
    """One message on its way through the batch."""

    message: Message
    topic: Topic | None
    decoded: Decoded | Rejected
    told: EdgeEvent | Presence | None = None
    timeless: bool = False  # its readings have the time at which it came
    placed: Placed = field(default_factory=Placed)
    outcomes: Sequence[Outcome] = ()


class Understood(NamedTuple):
    """A delivery whose payload was understood. `kinds`, `clocks`: what `kinds_of` and `names_with_clocks` found."""

    sender: UUID
    decoded: Decoded
    delivery: Delivery
    kinds: set[Kind]
    clocks: set[str | None]


@dataclass(frozen=True)
class Answer:
    """What to publish after the commit."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class Result:
    """`outcomes` counts readings by outcome name, and quarantined payloads under ``quarantined``."""

    answers: list[Answer]
    outcomes: Counter[str]


class OutcomeLine(msgspec.Struct, omit_defaults=True):
    index: int
    outcome: str
    pointer: str | None = None
    reason: str | None = None


class BatchWriter:
    """Commits batches through one connection (role gateway_ingest)."""

    def __init__(self, connection: Connection[Row], quarantine_days: int) -> None:
        self._connection = connection
        connection.execute("SET plan_cache_mode = force_generic_plan")  # arrays of any length go through the same index
        self._registry = Registry(connection)
        self._writer = ReadingWriter(connection)
        self._days = quarantine_days
        self._seen = aftermath.LastSeen()
        self._arrivals = Arrivals(connection)

    def commit(self, messages: Sequence[Message]) -> Result:
        """Everything in `messages` committed: stored, told apart, rejected or in quarantine. Raises psycopg.Error."""
        now = datetime.now(UTC)
        memory = recall(self._connection, messages)
        deliveries = [read(message, memory) for message in self._arrivals.settled(messages)]
        understood = [
            Understood(d.topic.sender, d.decoded, d, kinds := kinds_of(d.decoded), names_with_clocks(d.decoded, kinds))
            for d in deliveries
            if d.topic and isinstance(d.decoded, Decoded)
        ]
        devices = self._registry.locate(_names(understood))
        clocks = self._registry.clocks(
            {devices[u.sender, name].id for u in understood for name in u.clocks if (u.sender, name) in devices}
        )
        placer = Placer(self._registry, devices, clocks, now)
        skews: dict[UUID, int] = {}
        blocks: list[Packed] = []
        streamed: list[Understood] = []
        for message in understood:  # in their order: each is placed by the clocks as they were when it was sent
            skews |= _compare_clocks(message, devices, clocks, now)
            if placer.open_lanes(message.sender, message.kinds) and not message.clocks:
                streamed.append(message)
            else:
                message.delivery.placed, rows = placer.place(message.sender, message.decoded, message.kinds)
                blocks.append(rows)

        def parts() -> Iterator[Packed]:
            yield from blocks
            for message in streamed:
                message.delivery.placed, rows = placer.place(message.sender, message.decoded, message.kinds)
                yield rows

        result: list[Result] = []
        seen = self._seen.due(
            {devices[u.sender, kind[0]].id for u in understood for kind in u.kinds if (u.sender, kind[0]) in devices}
            | {u.sender for u in understood if u.delivery.topic and u.delivery.topic.from_hub}
        )

        def then(outcomes: Sequence[Outcome]) -> None:
            unassigned = [o for d in deliveries for o in d.placed.others.values() if isinstance(o, Unassigned)]
            kept = inbox.keep(self._connection, unassigned)
            _share_out(deliveries, outcomes, kept)
            misfits = [misfit for delivery in deliveries if (misfit := misfit_of(delivery))]
            quarantine.keep(self._connection, misfits, self._days)
            heard.note(self._connection, unregistered(deliveries))
            memory.save(self._connection)
            self._arrivals.note(delivery.message for delivery in deliveries if delivery.timeless)
            aftermath.save_clocks(self._connection, clocks, skews)
            told = [Told(d.topic.sender, d.told) for d in deliveries if d.topic and d.told]
            edge_events.save(self._connection, told)
            activity = aftermath.Activity(devices.values())
            activity.count_rows(placer.series, outcomes, self._registry.owners)
            activity.count_others(deliveries, devices)
            activity.save(self._connection)
            device_news.save(self._connection, told)
            aftermath.save_seen(self._connection, seen)
            aftermath.save_batteries(self._connection, [(u.sender, u.decoded) for u in understood], devices)
            rejected = sum(len(delivery.placed.others) for delivery in deliveries) - len(kept)
            result[:] = [Result(answers_of(deliveries), _tally(outcomes, kept, rejected, len(misfits)))]

        self._writer.put(parts(), then)
        self._seen.note(seen)
        self._arrivals.committed()
        return result[0]


def read(message: Message, memory: Memory) -> Delivery:
    """Bytes ▸ readings, by the dialect of the topic. Never raises for what the bytes are."""
    topic = parse_topic(message.topic)
    if topic is None:
        return Delivery(message, None, UNCLAIMED)
    dialect = dialects().get(topic.dialect)
    if dialect is None or (topic.from_hub and topic.dialect == OWN_DIALECT and topic.subtopic != READINGS):
        return Delivery(message, topic, UNCLAIMED)
    if topic.kind in (edge_events.EVENT, edge_events.STATUS):
        return _told(message, topic)
    try:
        if topic.kind == FROM_EDGE:
            return Delivery(message, topic, decode_report(message.payload))
        if topic.from_hub:
            decoded, timeless = read_from_hub(message, topic, dialect, memory)
            return Delivery(message, topic, decoded, timeless=timeless)
        return Delivery(message, topic, dialect.decode(topic.subtopic, message.payload, message.received_at))
    except Exception as error:  # adapters come from anywhere: one that breaks its promise refuses this payload only
        return Delivery(message, topic, Rejected("", f"the adapter broke on this payload: {type(error).__name__}"))


def _told(message: Message, topic: Topic) -> Delivery:
    """No readings: something happened, or a sender came or went."""
    if topic.kind == edge_events.STATUS:
        return Delivery(message, topic, Decoded([]), parse_presence(message.payload))
    event = parse_event(message.payload, message.received_at)
    if isinstance(event, Rejected):
        return Delivery(message, topic, event)
    return Delivery(message, topic, Decoded([], event.message_id), event)


def kinds_of(decoded: Decoded) -> set[Kind]:
    """The distinct kinds in a message: few, whatever its length."""
    try:
        return {
            (
                r.device, r.metric, r.unit, r.at.tzinfo,  # type: ignore[union-attr]
                r.context is None and r.components is None and r.status == "final",  # type: ignore[union-attr]
            )
            for r in decoded.readings
        }  # fmt: skip
    except AttributeError:  # a Rejected is among them
        readings = [r for r in decoded.readings if isinstance(r, Reading)]
        return {(r.device, r.metric, r.unit, r.at.tzinfo, False) for r in readings}


def _names(understood: Iterable[Understood]) -> set[Name]:
    names: set[Name] = set()
    for message in understood:
        names.update((message.sender, kind[0]) for kind in message.kinds)
        names.update((message.sender, name) for name in message.clocks)
        names.update((message.sender, name) for name in message.decoded.battery_percent)
    return names


def _compare_clocks(
    message: Understood, devices: dict[Name, KnownDevice], clocks: aftermath.Clocks, now: datetime
) -> dict[UUID, int]:
    """Take the clock comparisons in; returns the skew of each device that was compared, in seconds."""
    skews = {}
    for clock in message.decoded.clocks:
        device = devices.get((message.sender, clock.device))
        if device and _plausible(clock, now):
            skew = clocks[device.id].measured(clock.raw.replace(tzinfo=None), clock.measured_at)
            if skew is not None:
                skews[device.id] = skew
    return skews


def _plausible(clock: ClockMeasurement, now: datetime) -> bool:
    at = clock.measured_at
    return at.tzinfo is not None and at.year >= OLDEST_YEAR and at <= now + timedelta(seconds=CLOCK_TOLERANCE_S)


def _share_out(deliveries: Iterable[Delivery], outcomes: Sequence[Outcome], inbox: Sequence[Outcome]) -> None:
    """Give each reading its outcome, in the order in which rows and inbox entries were collected."""
    of_inbox = iter(inbox)
    for delivery in deliveries:
        placed = delivery.placed
        of_rows = outcomes[placed.start : placed.start + placed.count]
        if not placed.others:
            delivery.outcomes = of_rows
            continue
        rest = iter(of_rows)
        delivery.outcomes = [
            other
            if isinstance(other := placed.others.get(index), Rejected)
            else next(rest if other is None else of_inbox)
            for index in range(placed.count + len(placed.others))
        ]


def answers_of(deliveries: Iterable[Delivery]) -> list[Answer]:
    """Outcome messages. What was not understood is answered where its message id can be read, or it comes again."""
    answers = []
    for delivery in deliveries:
        topic, decoded = delivery.topic, delivery.decoded
        if topic is None:
            continue
        if isinstance(decoded, Rejected):
            message_id = message_id_of(delivery.message.payload) if topic.kind in ANSWERED else None
            lines = msgspec.json.encode([OutcomeLine(0, "rejected", decoded.pointer, decoded.reason)])
        elif message_id := decoded.message_id:
            lines = _lines_of(delivery.outcomes)
        if message_id:
            payload = b'{"message_id":%b,"outcomes":%b}' % (msgspec.json.encode(message_id), lines)
            answers.append(Answer(outcome_topic(topic.sender), payload))
    return answers


def _lines_of(outcomes: Sequence[Outcome]) -> bytes:
    """Nearly every message is all new or all known."""
    first = outcomes[0] if outcomes else STORED
    if (first is STORED or first is DUPLICATE) and outcomes.count(first) == len(outcomes):
        return _all(type(first), len(outcomes))
    return _lines(outcomes)


@lru_cache(maxsize=1024)  # senders have few message sizes
def _all(outcome: type[Stored | Duplicate], count: int) -> bytes:
    return _lines([outcome()] * count)


def _lines(outcomes: Sequence[Outcome]) -> bytes:
    return msgspec.json.encode([_line(index, outcome) for index, outcome in enumerate(outcomes)])


def _line(index: int, outcome: Outcome) -> OutcomeLine:
    if isinstance(outcome, Rejected):
        return OutcomeLine(index, "rejected", pointer_of(index, outcome.pointer), outcome.reason)
    return OutcomeLine(index, NAMES[type(outcome)])


def _tally(outcomes: Sequence[Outcome], inbox: Sequence[Outcome], rejected: int, quarantined: int) -> Counter[str]:
    if outcomes.count(STORED) == len(outcomes):
        kinds: Counter[type[Outcome]] = Counter({Stored: len(outcomes)})
    else:
        kinds = Counter(map(type, outcomes))
    kinds.update(map(type, inbox))
    tally = Counter({name: kinds[kind] for kind, name in NAMES.items()})
    tally["rejected"] += rejected
    tally["quarantined"] += quarantined
    return tally
