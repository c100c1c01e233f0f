"""Much of what is bad, through brokers and workers as processes: bounded memory, nobody starved, all accounted for.

Counts and memory only: how fast it goes is the machine's affair.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from fault_world import Mosquitto, Stack, stack_of
from ingest_world import glucose, weight
from raw_device import RawDevice

from device_gateway.devices.credentials import new_password
from device_gateway.devices.topics import hub_topic
from device_gateway.ingest.quarantine import GROUPS_PER_SENDER, KEPT_PER_GROUP

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SLOTS = "8"
MOST_RSS_MB = 250  # of a worker, as in test_five_counts
MOST_RSS_OF_LONG_MB = 400  # with a window of the longest payloads besides
LONGEST_PAYLOAD = 256 * 1024  # bytes
MOST_WAITING = 10_000  # messages that a broker holds for us: Mosquitto drops what goes beyond 65,000 of a session
LOOK_S = 0.05
START = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = "SELECT coalesce(sum(seen), 0) FROM gateway.quarantine_group WHERE sender = ANY(%s::text[])"
STORED = """SELECT count(*) FROM gateway.reading r JOIN gateway.series s ON s.id = r.series
  WHERE s.device_id = ANY(%s) AND r.version = 1"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three workers on Mosquitto."""
    with stack_of(tmp_path_factory.mktemp("volume"), mosquitto=True) as stack:
        for worker in [stack.ingest(ingest_slots=SLOTS) for _ in range(3)]:
            worker.wait_ready()
        yield stack


def devices_of(stack: Stack, count: int, *, window: int = 10, **more: str) -> Sequence[RawDevice]:
    made = []
    for _ in range(count):
        password = new_password()
        device = stack.world.device(stack.world.space(), password=password, **more)
        made.append(RawDevice(stack.mqtt_port, device, password, window))
    if isinstance(stack.broker, Mosquitto):
        stack.broker.configure(stack.world)
        stack.broker.save_when_it_stops()
    return made


@asynccontextmanager
async def connected(devices: Sequence[RawDevice]) -> AsyncIterator[None]:
    running = [asyncio.create_task(device.run()) for device in devices]
    try:
        await until(lambda: all(device.connections for device in devices))
        yield
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110  # of databases, files and many devices
        await asyncio.sleep(LOOK_S)


def seen(stack: Stack, *senders: UUID | str) -> int:
    return int(stack.world.one(SEEN, [str(sender) for sender in senders]))


def peaks_mb(stack: Stack) -> int:
    return max(worker.peak_mb() for worker in stack.ingests)


def body(name: str, *readings: dict[str, object], **more: object) -> bytes:
    return msgspec.json.encode({"message_id": name, "readings": readings, **more})


async def test_a_hundred_thousand_topics_of_one_hub(stack: Stack) -> None:
    [hub] = devices_of(stack, 1, window=500, kind="hub", model="theengs-hub")
    total = 100_000
    async with connected([hub]):
        for n in range(total):
            name = (f"theengs/home/{n}/BTtoMQTT", f"nobody-{n}", f"esphome/{n}")[n % 3]
            await hub.publish(b"%d" % n, hub_topic(hub.device, name))
            if n % 1_000 == 0:
                await until(lambda sent=n: sent - seen(stack, hub.device) < MOST_WAITING)
        await hub.all_acknowledged()
        await until(lambda: seen(stack, hub.device) >= total)
    assert seen(stack, hub.device) == total
    rows = stack.world.one("SELECT count(*) FROM gateway.quarantine WHERE sender = %s", str(hub.device))
    assert rows <= (GROUPS_PER_SENDER + 1) * KEPT_PER_GROUP
    assert peaks_mb(stack) < MOST_RSS_MB


async def test_a_thousand_devices_send_their_whole_history_again_at_once_and_none_is_starved(stack: Stack) -> None:
    devices = devices_of(stack, 1_000, window=1, model="dg-cgm")
    history = [
        [
            glucose(str(60 + n % 200), (START + timedelta(minutes=n)).isoformat(), seq=n)
            for n in range(first, first + 50)
        ]
        for first in range(0, 600, 50)
    ]

    async def send(device: RawDevice) -> None:
        for part in history:
            await device.publish(body(str(uuid4()), *part))
        await device.all_acknowledged()

    def answered() -> int:
        return sum(len(device.answers) for device in devices)

    async with connected(devices):
        for round_number, outcome in enumerate(("stored", "duplicate")):
            before = answered()
            sending = asyncio.gather(*map(send, devices))
            half = before + len(devices) * len(history) // 2
            await until(lambda half=half: answered() >= half)
            least = min(len(device.answers) for device in devices) - round_number * len(history)
            assert least >= len(history) // 8  # the mean is half of them
            await sending
            await until(lambda whole=2 * half - before: answered() >= whole)
            told = [list(device.answers.values())[round_number * len(history) :] for device in devices]
            assert Counter(one for each in told for answers in each for one in answers) == {
                outcome: len(devices) * len(history)
            }
    assert stack.world.one(STORED, [device.device for device in devices]) == len(devices) * 600
    assert peaks_mb(stack) < MOST_RSS_MB


async def test_payloads_of_256_kb(stack: Stack) -> None:
    devices = devices_of(stack, 8, window=4)
    each = 60
    kinds = Counter(n % 3 for n in range(each))

    async def send(device: RawDevice) -> None:
        for n in range(each):
            at = (START + timedelta(seconds=n)).isoformat()
            if n % 3 == 0:
                payload = body(str(uuid4()), weight("72.4", at), note="x" * (LONGEST_PAYLOAD - 300))
            elif n % 3 == 1:
                payload = b"%d" % n + b"\xff" * (LONGEST_PAYLOAD - 10)
            else:
                payload = body(str(uuid4()), weight("72.5", at), *[weight("72.5", at, unit="lumps")] * 2_500)
            await device.publish(payload)
            await device.all_acknowledged()

    async with connected(devices):
        await asyncio.gather(*map(send, devices))
        ids = [device.device for device in devices]
        await until(lambda: seen(stack, *ids) >= 8 * (kinds[1] + kinds[2]))
        await until(lambda: all(len(device.answers) == kinds[0] + kinds[2] for device in devices))
    assert seen(stack, *ids) == 8 * (kinds[1] + kinds[2])
    assert stack.world.one(STORED, ids) == 8 * (kinds[0] + kinds[2])
    assert peaks_mb(stack) < MOST_RSS_OF_LONG_MB


@pytest.mark.parametrize("mosquitto", [False, True])
async def test_who_floods_is_accounted_for_and_holds_nobody_else_up(tmp_path: Path, *, mosquitto: bool) -> None:
    """On the embedded broker it is ended. Mosquitto sets no limit: others wait behind what came before."""
    with stack_of(tmp_path, mosquitto=mosquitto) as stack:
        stack.ingest(mqtt_flood="20").wait_ready()
        [loud] = devices_of(stack, 1, window=200, model="dg-cgm")
        others = devices_of(stack, 10, model="dg-scale")
        names = [str(uuid4()) for _ in range(5_000)]
        passed: list[int] = []  # messages of the loud one that were answered between one of others and its answer

        async def flood() -> None:
            for n, name in enumerate(names):
                at = (START + timedelta(minutes=n)).isoformat()
                await loud.publish(body(name, glucose("100", at, seq=n)))

        async def weigh(device: RawDevice) -> None:
            for n in range(20):
                name, before = str(uuid4()), len(loud.answers)
                waiting = loud.acknowledged - before
                await device.publish(body(name, weight("72.4", (START + timedelta(seconds=n)).isoformat())))
                while name not in device.answers:  # noqa: ASYNC110  # the device has no event for it
                    await asyncio.sleep(0.01)
                passed.append(len(loud.answers) - before - waiting)

        async with connected([loud, *others]):
            flooding = asyncio.create_task(flood())
            await asyncio.gather(*map(weigh, others))
            if not mosquitto:
                await until(lambda: stack.ingests[0].said("it sent too much"))
            flooding.cancel()
            with suppress(asyncio.CancelledError):
                await flooding
            assert [device.connections for device in others] == [1] * len(others)
            assert all(told == ["stored"] for device in others for told in device.answers.values())
            ids = [loud.device]
            await until(lambda: stack.world.one(STORED, ids) >= loud.acknowledged)
            assert max(passed) <= 200 + 2 * 500  # its window, and what a worker takes at once
        assert stack.world.one(STORED, [device.device for device in others]) == 20 * len(others)
        assert seen(stack, loud.device, *(device.device for device in others)) == 0
        assert peaks_mb(stack) < MOST_RSS_MB
