"""A batch of messages, from bytes to COMMIT: the steps in their order.

    read      bytes ▸ readings, by the dialect of the topic
    locate    senders and names ▸ devices, holdings, clocks, series
    place     readings ▸ rows, inbox entries, rejections, while the server takes in the rows before
    put       one transaction: readings, inbox, clocks, quarantine, activity, journal
    answer    an outcome message for each sender that waits for one

Messages of whom it is foreseen what they need (`foresight`) are located first, and read when they are placed.
Nothing is acknowledged before `commit` returns. When it raises, nothing was written.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.devices.topics import READINGS
from device_gateway.ingest import aftermath, device_news, edge_events, heard, inbox, quarantine
from device_gateway.ingest.answers import NAMES, Answer, answers_of
from device_gateway.ingest.arrival import Arrivals
from device_gateway.ingest.delivery import NOT_READ, Delivery, delivery_of
from device_gateway.ingest.edge_events import Told
from device_gateway.ingest.foresight import Foresight, Unforeseen
from device_gateway.ingest.memory import recall
from device_gateway.ingest.message import Message
from device_gateway.ingest.misfits import misfit_of, unregistered
from device_gateway.ingest.placing import OLDEST_YEAR, Measure, Placer, Rows, Unassigned, names_with_clocks
from device_gateway.ingest.registry import KnownDevice, Name, Registry
from device_gateway.readings.model import STORED, ClockMeasurement, Decoded, Outcome, Rejected, Stored
from device_gateway.readings.normalise import CLOCK_TOLERANCE_S
from device_gateway.readings.packed import Packed
from device_gateway.readings.put import ReadingWriter

BLOCK_ROWS = 450  # rows that are handed on together, some 34 kB


@dataclass(frozen=True)
class Result:
    """`outcomes` counts readings by outcome name, and quarantined payloads under ``quarantined``."""

    answers: list[Answer]
    outcomes: Counter[str]


class Understood(NamedTuple):
    """A delivery whose payload was read and understood. `clocks`: devices whose clock it needs."""

    delivery: Delivery
    sender: UUID
    decoded: Decoded
    clocks: set[str | None]


@dataclass(frozen=True)
class Means:
    """What the batches of a worker share."""

    connection: Connection[Row]
    registry: Registry
    arrivals: Arrivals
    foresight: Foresight
    seen: aftermath.LastSeen
    quarantine_days: int


class BatchWriter:
    """Commits batches through one connection (role gateway_ingest)."""

    def __init__(self, connection: Connection[Row], quarantine_days: int) -> None:
        connection.execute("SET plan_cache_mode = force_generic_plan")  # arrays of any length go through the same index
        self._means = Means(
            connection, Registry(connection), Arrivals(connection), Foresight(), aftermath.LastSeen(), quarantine_days
        )
        self._writer = ReadingWriter(connection)

    def commit(self, messages: Sequence[Message]) -> Result:
        """Everything in `messages` committed: stored, told apart, rejected or in quarantine. Raises psycopg.Error."""
        foresight = self._means.foresight
        try:
            batch = self._put(Batch(self._means, messages, foresight.of(messages)))
        except Unforeseen:
            foresight.came(as_foreseen=False)
            batch = self._put(Batch(self._means, messages, {}))
        else:
            foresight.came(as_foreseen=True)
        batch.committed()
        return batch.result

    def _put(self, batch: "Batch") -> "Batch":
        batch.prepare()
        self._writer.put(batch.parts(), batch.finish)
        return batch


class Batch:
    """One attempt at a batch. `foreseen`: what messages measure that are read on their way, by topic."""

    def __init__(self, means: Means, messages: Sequence[Message], foreseen: Mapping[str, frozenset[Measure]]) -> None:
        self.result = Result([], Counter())
        self._means = means
        self._foreseen = foreseen
        self._now = datetime.now(UTC)
        self._memory = recall(means.connection, messages)
        self._deliveries = [*map(delivery_of, means.arrivals.settled(messages))]
        self._understood: list[Understood] = []  # of those that are read before any row is written
        self._devices: dict[Name, KnownDevice] = {}
        self._clocks: aftermath.Clocks = {}
        self._skews: dict[UUID, int] = {}
        self._rows = Rows()
        self._due: Sequence[UUID] = ()

    def prepare(self) -> None:
        """Everything before the transaction. Raises Unforeseen."""
        senders: dict[str, UUID] = {}  # of messages that are read on their way
        for delivery in self._deliveries:
            if delivery.message.topic not in self._foreseen:
                self._read(delivery)
            elif delivery.topic:
                senders[delivery.message.topic] = delivery.topic.sender
        names = {(sender, one[0]) for topic, sender in senders.items() for one in self._foreseen[topic]}
        devices = self._devices = self._means.registry.locate(names | _names(self._understood))
        self._clocks = self._means.registry.clocks(
            {devices[u.sender, name].id for u in self._understood for name in u.clocks if (u.sender, name) in devices}
        )
        self._placer = Placer(self._means.registry, devices, self._clocks, self._now)
        for topic, sender in senders.items():
            if not self._placer.open_lanes(sender, self._foreseen[topic]):
                raise Unforeseen
        for understood in self._understood:  # in their order: each by the clocks as they were when it was sent
            self._place_early(understood)

    def parts(self) -> Iterator[Packed]:
        """All rows, in the order of their messages. Raises Unforeseen."""
        rows, place = self._rows, self._placer.place
        for delivery in self._deliveries:
            delivery.start = len(rows.series)
            if delivery.rows is not None:
                rows.add(delivery.rows)
            else:
                if delivery.decoded is NOT_READ:
                    delivery.read(self._memory)
                    self._as_foreseen(delivery)
                decoded, topic = delivery.decoded, delivery.topic
                if isinstance(decoded, Decoded) and topic:
                    delivery.others = place(topic.sender, decoded, delivery.kinds, rows)
            delivery.count = len(rows.series) - delivery.start
            if len(rows.packed) >= BLOCK_ROWS:
                yield rows.take()
        yield rows.take()

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write all but the readings, in their transaction; may run again where it is repeated."""
        connection, deliveries, registry = self._means.connection, self._deliveries, self._means.registry
        unassigned = [o for d in deliveries if d.others for o in d.others.values() if isinstance(o, Unassigned)]
        kept = inbox.keep(connection, unassigned)
        _share_out(deliveries, outcomes, kept)
        misfits = [misfit for delivery in deliveries if (misfit := misfit_of(delivery))]
        quarantine.keep(connection, misfits, self._means.quarantine_days)
        heard.note(connection, unregistered(deliveries))
        self._memory.save(connection)
        self._means.arrivals.note(delivery.message for delivery in deliveries if delivery.timeless)
        aftermath.save_clocks(connection, self._clocks, self._skews)
        told = [Told(d.topic.sender, d.told) for d in deliveries if d.told and d.topic]
        edge_events.save(connection, told)
        activity = aftermath.Activity(self._devices.values())
        activity.count_rows(self._rows.series, outcomes, registry.owners)
        activity.count_others(deliveries, self._devices)
        activity.save(connection)
        device_news.save(connection, told)
        self._due = self._means.seen.due(self._senders())
        aftermath.save_seen(connection, self._due)
        aftermath.save_batteries(connection, [(u.sender, u.decoded) for u in self._understood], self._devices)
        rejected = sum([len(delivery.others) for delivery in deliveries if delivery.others]) - len(kept)
        self.result = Result(answers_of(deliveries), _tally(outcomes, kept, rejected, len(misfits)))

    def committed(self) -> None:
        self._means.seen.note(self._due)
        self._means.arrivals.committed()

    def _read(self, delivery: Delivery) -> None:
        delivery.read(self._memory)
        decoded, topic = delivery.decoded, delivery.topic
        if topic is None or not isinstance(decoded, Decoded):
            return
        clocks = names_with_clocks(decoded, delivery.kinds)
        self._understood.append(Understood(delivery, topic.sender, decoded, clocks))
        if topic.kind == READINGS:
            plain = not clocks and not decoded.battery_percent
            self._means.foresight.note(delivery.message.topic, delivery.kinds if plain else None)

    def _as_foreseen(self, delivery: Delivery) -> None:
        """Raises Unforeseen."""
        decoded = delivery.decoded
        if not isinstance(decoded, Decoded):
            return
        measures = self._foreseen[delivery.message.topic]
        if decoded.clocks or decoded.battery_percent:
            raise Unforeseen
        for measure, zone, _ in delivery.kinds:
            if zone is None or measure not in measures:
                raise Unforeseen

    def _place_early(self, understood: Understood) -> None:
        """Where it needs more than its lanes, or their series are to be made: rows on their way ask nothing."""
        delivery, sender, decoded, clocks = understood
        self._compare_clocks(sender, decoded)
        if not self._placer.open_lanes(sender, [kind[0] for kind in delivery.kinds]) or clocks:
            delivery.rows = Rows()
            delivery.others = self._placer.place(sender, decoded, delivery.kinds, delivery.rows)

    def _compare_clocks(self, sender: UUID, decoded: Decoded) -> None:
        """Take the clock comparisons in, and the skew of each device that was compared, in seconds."""
        for clock in decoded.clocks:
            device = self._devices.get((sender, clock.device))
            if device and _plausible(clock, self._now):
                skew = self._clocks[device.id].measured(clock.raw.replace(tzinfo=None), clock.measured_at)
                if skew is not None:
                    self._skews[device.id] = skew

    def _senders(self) -> set[UUID]:
        """Whoever measured something, and hubs that said anything."""
        measured = {
            (d.message.topic, measure[0]): d.topic.sender
            for d in self._deliveries
            if d.topic
            for measure, _, _ in d.kinds
        }
        names = {(sender, device) for (_, device), sender in measured.items()}
        found = {self._devices[name].id for name in names if name in self._devices}
        return found | {u.sender for u in self._understood if u.delivery.topic and u.delivery.topic.from_hub}


def _names(understood: Iterable[Understood]) -> set[Name]:
    names: set[Name] = set()
    for delivery, sender, decoded, clocks in understood:
        names.update((sender, measure[0]) for measure, _, _ in delivery.kinds)
        names.update((sender, name) for name in clocks)
        names.update((sender, name) for name in decoded.battery_percent)
    return names


def _plausible(clock: ClockMeasurement, now: datetime) -> bool:
    at = clock.measured_at
    return at.tzinfo is not None and at.year >= OLDEST_YEAR and at <= now + timedelta(seconds=CLOCK_TOLERANCE_S)


def _share_out(deliveries: Iterable[Delivery], outcomes: Sequence[Outcome], inbox: Sequence[Outcome]) -> None:
    """Give each reading its outcome, in the order in which rows and inbox entries were collected."""
    of_inbox = iter(inbox)
    for delivery in deliveries:
        of_rows = outcomes[delivery.start : delivery.start + delivery.count]
        others = delivery.others
        if not others:
            delivery.outcomes = of_rows
            continue
        rest = iter(of_rows)
        delivery.outcomes = [
            other if isinstance(other := others.get(index), Rejected) else next(rest if other is None else of_inbox)
            for index in range(delivery.count + len(others))
        ]


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
