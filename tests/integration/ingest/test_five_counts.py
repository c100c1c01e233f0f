"""Messages in known proportion, while workers, broker and database are killed: the five counts match to the unit.

"Received" are distinct messages: a broker hands a message out again when it was not told that it is settled, and a
device sends one again that was not answered; neither makes another message of it. What is counted, as the owner of the
database sees it:

    stored       rows of readings
    corrected    rows of versions that were replaced
    rejected, quarantined   payloads kept; each message has bytes of its own
    duplicate    messages that were answered as readings, beyond those two

and all contents of each reading, past and present, are those that were sent. The gateway's own counters count
deliveries: undisturbed they are the same five numbers. Otherwise what came twice is on top: as duplicates, or as the
same rejection once more, and never as anything stored.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from accounted_load import Plan, plan
from fault_world import Mosquitto, Stack, stack_of
from raw_device import RawDevice

from device_gateway.devices.credentials import new_password

SEED = 20261122
DISTURBER = ThreadPoolExecutor(1)  # a server that is started again ends with the thread that started it
WORKERS = 3
SLOTS = "8"  # three workers have three, three and two of them
MOST_RSS_MB = 250  # of a worker at its peak: 80 MB when it has started, its window of messages, a batch of rows
QUIET_S = 15.0  # without progress: longer than the broker waits for an acknowledgement; then devices ask again
LOOK_S = 0.1
MOST_WAITING = 10_000  # messages acknowledged by the broker and not answered; 2,000 of the 200,000 never are
KILL_EVERY_S = 3.0
COUNTED = """
SELECT coalesce(sum(stored), 0)::int AS stored, coalesce(sum(duplicate), 0)::int AS duplicate,
  coalesce(sum(corrected), 0)::int AS corrected, coalesce(sum(rejected), 0)::int AS rejected,
  (SELECT coalesce(sum(seen), 0) FROM gateway.quarantine_group WHERE sender = ANY(%s::text[]))::int AS quarantined
FROM gateway.device_activity WHERE device_id = ANY(%s)"""
CONTENTS = """
SELECT s.device_id, r.seq, r.value, false AS replaced FROM gateway.reading r JOIN gateway.series s ON s.id = r.series
  WHERE s.device_id = ANY(%s)
UNION ALL
SELECT s.device_id, v.seq, v.value, true FROM gateway.reading_version v JOIN gateway.series s ON s.id = v.series
  WHERE s.device_id = ANY(%s)"""
KEPT = "SELECT payload FROM gateway.quarantine WHERE sender = ANY(%s::text[])"

Disturb = Callable[["Trial"], object]


@dataclass
class Trial:
    """Devices that send what was planned for them, three workers, and whoever disturbs them."""

    stack: Stack
    plans: Sequence[Plan]
    devices: Sequence[RawDevice]
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    peaks_mb: list[int] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(len(each.messages) for each in self.plans)

    @property
    def acknowledged(self) -> int:
        return sum(device.acknowledged for device in self.devices)

    @property
    def answered(self) -> int:
        return sum(len(device.answers) for device in self.devices)

    @property
    def ids(self) -> list[UUID]:
        return [device.device for device in self.devices]

    def expected(self) -> Counter[str]:
        return sum((each.counts for each in self.plans), Counter[str]())

    def found(self) -> Counter[str]:
        """The five counts of distinct messages."""
        replaced = Counter(row.replaced for row in self.contents())
        kept = self.kept()
        rejected = kept & {payload for each in self.plans for payload in each.rejected}
        told = sum("rejected" not in answers for device in self.devices for answers in device.answers.values())
        return Counter(
            stored=replaced[False], corrected=replaced[True], duplicate=told - replaced.total(),
            rejected=len(rejected), quarantined=len(kept - rejected),
        )  # fmt: skip

    def contents(self) -> list[Any]:
        return self.stack.world.rows(CONTENTS, self.ids, self.ids)

    def kept(self) -> set[bytes]:
        return {bytes(row.payload) for row in self.stack.world.rows(KEPT, self.ids)}

    def counted(self) -> Counter[str]:
        """The gateway's own counters. A payload with a rejected reading is in quarantine as well: not counted twice."""
        [row] = self.stack.world.rows(COUNTED, self.ids, self.ids)
        counts = Counter(row._asdict())
        counts["quarantined"] -= counts["rejected"]
        return counts

    def kill_worker(self) -> None:
        working = [worker for worker in self.stack.ingests if worker.ready.is_set()]
        if len(working) < 2:
            return  # those in the places of the last ones are still starting
        victim = self.chance.choice(working)
        self.stack.ingests.remove(victim)
        self.peaks_mb.append(victim.peak_mb())
        victim.kill()
        self.stack.ingest(ingest_slots=SLOTS)

    def restart_broker(self) -> None:
        self.stack.broker.stop()
        self.stack.broker.start()

    def restart_database(self) -> None:
        self.stack.postgres.kill()
        self.stack.postgres.start()

    async def send_all(self) -> None:
        """No more than a broker keeps: Mosquitto drops what goes beyond 65,000 messages of a session."""
        await asyncio.gather(*map(self._send, self.devices, self.plans))

    async def _send(self, device: RawDevice, planned: Plan) -> None:
        for sent in planned.messages:
            while self.acknowledged - self.answered > MOST_WAITING:  # noqa: ASYNC110  # sums of many devices' counts
                await asyncio.sleep(LOOK_S)
            await device.publish(sent.payload)
        await device.all_acknowledged()

    async def settle(self) -> None:
        """Until each message is answered, or kept where there is nobody to answer; who hears nothing asks again."""
        before: object = None
        since = time.monotonic()
        while missing := self._missing(await asyncio.to_thread(self.kept)):
            if len(missing) != before:
                before, since = len(missing), time.monotonic()
            elif time.monotonic() - since > QUIET_S:
                since = time.monotonic()
                await asyncio.gather(*(device.publish(payload) for device, payload in missing))
            await asyncio.sleep(LOOK_S)

    def _missing(self, kept: set[bytes]) -> list[tuple[RawDevice, bytes]]:
        return [
            (device, sent.payload)
            for device, each in zip(self.devices, self.plans, strict=True)
            for sent in each.messages
            if (sent.name not in device.answers if sent.name else sent.payload not in kept)
        ]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """On Mosquitto: the embedded broker is slow when there are several slots (docs/decisions/019).

    One for each test, and for a second try of it: what was killed in one is no matter of the next.
    """
    with stack_of(tmp_path, mosquitto=True) as stack:
        for worker in [stack.ingest(ingest_slots=SLOTS) for _ in range(WORKERS)]:
            worker.wait_ready()
        yield stack


@asynccontextmanager
async def trial(stack: Stack, devices: int, messages: int) -> AsyncIterator[Trial]:
    plans = [plan(SEED + number, messages) for number in range(devices)]
    made = []
    for _ in plans:
        password = new_password()
        device = stack.world.device(stack.world.space(), model="dg-cgm", password=password)
        made.append(RawDevice(stack.mqtt_port, device, password))
    if isinstance(stack.broker, Mosquitto):
        stack.broker.configure(stack.world)
        stack.broker.save_when_it_stops()
    found = Trial(stack, plans, made)
    connections = [asyncio.create_task(device.run()) for device in made]
    try:
        yield found
    finally:
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def disturb(trial: Trial, at: Sequence[tuple[float, Disturb]]) -> None:
    """Each as soon as that share of the messages is acknowledged by the broker."""
    for share, disturbance in at:
        while trial.acknowledged < share * trial.total:  # noqa: ASYNC110  # it is the sum of many devices' counts
            await asyncio.sleep(0.01)
        await asyncio.get_running_loop().run_in_executor(DISTURBER, disturbance, trial)


def assert_accounted(trial: Trial) -> None:
    assert trial.found() == trial.expected()
    assert sum(trial.expected().values()) == trial.total
    rows = Counter((row.device_id, row.seq, row.value) for row in trial.contents())
    assert rows == Counter(
        (device.device, minute, value)
        for device, each in zip(trial.devices, trial.plans, strict=True)
        for minute, values in each.contents.items()
        for value in values
    )
    current = {(row.device_id, row.seq): row.value for row in trial.contents() if not row.replaced}
    assert not [
        minute
        for device, each in zip(trial.devices, trial.plans, strict=True)
        for minute, values in each.contents.items()
        if len(values) > 1 and current[device.device, minute] == min(values)
    ]  # a correction may come before what it corrects, and is current all the same
    assert max([*trial.peaks_mb, *(worker.peak_mb() for worker in trial.stack.ingests)]) < MOST_RSS_MB


def assert_more_only_of_what_was_delivered_twice(trial: Trial) -> None:
    more, less = trial.counted(), trial.expected()
    more.subtract(less)
    assert more["stored"] == more["corrected"] == 0
    assert min(more.values()) >= 0


async def test_undisturbed_the_gateways_own_counters_are_the_five_counts(stack: Stack) -> None:
    async with trial(stack, devices=12, messages=100) as undisturbed:
        await undisturbed.send_all()
        await undisturbed.settle()
        assert_accounted(undisturbed)
        assert undisturbed.counted() == undisturbed.expected()


async def test_the_five_counts_match_though_a_worker_the_broker_and_the_database_are_killed(stack: Stack) -> None:
    kills = [(0.2, Trial.kill_worker), (0.45, Trial.restart_broker), (0.7, Trial.restart_database)]
    async with trial(stack, devices=20, messages=150) as disturbed:
        await asyncio.gather(disturbed.send_all(), disturb(disturbed, kills))
        await disturbed.settle()
        assert_accounted(disturbed)
        assert_more_only_of_what_was_delivered_twice(disturbed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_the_five_counts_of_200_000_messages_match_though_a_worker_is_killed_every_few_seconds(
    stack: Stack,
) -> None:
    async with trial(stack, devices=64, messages=3_125) as disturbed:
        sent = asyncio.Event()
        killing = asyncio.create_task(kill_workers(disturbed, sent))
        restarts = [(0.33, Trial.restart_broker), (0.67, Trial.restart_database)]
        await asyncio.gather(disturbed.send_all(), disturb(disturbed, restarts))
        sent.set()
        await killing
        await disturbed.settle()
        assert_accounted(disturbed)
        assert_more_only_of_what_was_delivered_twice(disturbed)


async def kill_workers(trial: Trial, sent: asyncio.Event) -> None:
    """One of the three every few seconds, until all is sent; each time another one is started in its place."""
    while not sent.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), KILL_EVERY_S)
        await asyncio.to_thread(trial.kill_worker)
