"""Much of what is bad: topics, payloads, clocks, units, whole histories. Bounded memory, few rows, all accounted for.

Each test runs small among the quick ones, and at full size among the slow ones, through the steps that a worker takes
with a batch. What processes and brokers do with as much: test_volume_of_processes.py.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import msgspec
import pytest
from ingest_world import World, glucose, message, raw_message, weight

from device_gateway.devices.topics import hub_topic, topic_of
from device_gateway.ingest import quarantine
from device_gateway.ingest.heard import MOST_NAMES
from device_gateway.ingest.message import Message
from device_gateway.ingest.quarantine import GROUPS_PER_SENDER, KEPT_PER_GROUP

BATCH = 1_000  # messages
MOST_GROWTH_MB = 60  # of this process while it takes any number of them: caches that are full, a batch and its rows
LONGEST_PAYLOAD = 256 * 1024  # bytes
START = datetime(2026, 1, 1, tzinfo=UTC)
GROUPS = """SELECT count(*) AS groups, coalesce(sum(seen), 0) AS seen FROM gateway.quarantine_group
  WHERE sender = ANY(%s::text[])"""


def slow(*sizes: int) -> pytest.MarkDecorator:
    """The first one among the quick tests."""
    small, *full = sizes
    marks = [pytest.mark.slow, pytest.mark.timeout(1800)]
    return pytest.mark.parametrize("size", [small, *(pytest.param(one, marks=marks) for one in full)])


def taken(world: World, messages: Iterator[Message], size: int = BATCH) -> Counter[str]:
    """What became of all of them. Memory stays within bounds."""
    writer, counts = world.writer(), Counter[str]()
    before = resident_mb()
    batch: list[Message] = []
    for one in messages:
        batch.append(one)
        if len(batch) == size:
            counts.update(writer.commit(batch).outcomes)
            batch.clear()
    if batch:
        counts.update(writer.commit(batch).outcomes)
    assert resident_mb() - before < MOST_GROWTH_MB
    return +counts


def resident_mb() -> int:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


@slow(2_000, 100_000)
def test_any_number_of_topics_leaves_few_rows_and_each_message_is_counted(
    world: World, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers = size // 100
    monkeypatch.setattr(quarantine, "STRANGERS", strangers)
    world.rows("DELETE FROM gateway.quarantine_group")
    hub, scale = world.device(world.space(), kind="hub", model="theengs-hub"), world.device(world.space())
    forms: Sequence[Callable[[int], Message]] = (
        lambda n: raw_message(hub_topic(hub, f"nobody-{n}"), b"{}"),
        lambda n: raw_message(hub_topic(hub, f"theengs/home/{n}/BTtoMQTT"), b"no JSON %d" % n),
        lambda n: raw_message(hub_topic(hub, f"theengs/home/{n}/BTtoMQTT"), scale_nearby(n)),
        lambda n: raw_message(f"{topic_of(scale, 'readings')}/{n}", b"{}"),
        lambda n: raw_message(f"somewhere/{n}", b"%d" % n),
        lambda n: raw_message(topic_of(uuid5(hub, str(n)), "readings"), b"of nobody"),
    )
    counts = taken(world, (forms[n % len(forms)](n) for n in range(size)))
    assert counts == {"quarantined": size, "rejected": len(range(2, size, len(forms)))}
    [found] = world.rows("SELECT count(*) AS groups, sum(seen) AS seen FROM gateway.quarantine_group")
    assert found.seen == size
    assert found.groups <= 3 * (GROUPS_PER_SENDER + 1) + strangers
    assert world.one("SELECT count(*) FROM gateway.quarantine") <= found.groups * KEPT_PER_GROUP
    assert world.one("SELECT count(*) FROM gateway.heard_device") == MOST_NAMES


def scale_nearby(number: int) -> bytes:
    """A scale of somebody else that a hub hears: each time another one."""
    address = ":".join(f"{octet:02X}" for octet in number.to_bytes(6, "big"))
    return msgspec.json.encode(
        {"id": address, "name": "MIBFS", "model_id": "XMTZC05HM", "weighing_mode": "person", "unit": "kg", "weight": 72}
    )


@slow(20, 500)
def test_devices_that_send_their_whole_history_again_all_at_once_store_nothing_twice(world: World, size: int) -> None:
    """Each its memory of up to 1,000 readings, 50 in a message; message by message all devices, in no order."""
    devices, memory = [world.device(world.space(), model="dg-cgm") for _ in range(size)], min(1_000, 5 * size)
    history = [
        [
            glucose(str(60 + n % 200), (START + timedelta(minutes=first + n)).isoformat(), seq=first + n)
            for n in range(50)
        ]
        for first in range(0, memory, 50)
    ]

    def sent() -> Iterator[Message]:
        for part in history:
            for device in random.Random(1).sample(devices, size):
                yield message(device, *part)

    total = size * memory
    assert taken(world, sent(), 200) == {"stored": total}
    assert taken(world, sent(), 200) == {"duplicate": total}
    rows = world.rows(
        "SELECT count(*) AS rows FROM gateway.reading r JOIN gateway.series s ON s.id = r.series"
        " WHERE s.device_id = ANY(%s) AND r.version = 1 GROUP BY s.device_id",
        devices,
    )
    assert [row.rows for row in rows] == [memory] * size


@slow(24, 600)
def test_payloads_of_256_kb_are_taken_a_few_at_a_time(world: World, size: int) -> None:
    scale = world.device(world.space())

    def sent() -> Iterator[Message]:
        for n in range(size):
            kind = n % 3
            if kind == 0:
                padding = "x" * (LONGEST_PAYLOAD - 300)
                yield message(scale, weight("72.4", at(n)), note=padding)  # a field that we do not know
            elif kind == 1:
                yield raw_message(topic_of(scale, "readings"), b"%d" % n + b"\xff" * (LONGEST_PAYLOAD - 10))
            else:
                bad = [weight("72.4", at(n), unit="lumps") for _ in range(3_000)]
                yield message(scale, weight("72.5", at(n)), *bad)

    counts = taken(world, sent(), 8)  # 2 MB, as the inlet makes its batches
    third = size // 3
    assert counts == {"stored": size - third, "rejected": 3_000 * third, "quarantined": 2 * third}
    [found] = world.rows(GROUPS, [str(scale)])
    assert found.seen == 2 * third
    kept = world.one("SELECT sum(length(payload)) FROM gateway.quarantine WHERE sender = %s", str(scale))
    assert kept <= 2 * KEPT_PER_GROUP * LONGEST_PAYLOAD * 2


def at(number: int) -> str:
    return (START + timedelta(seconds=number)).isoformat()


@slow(1_500, 50_000)
def test_wrong_clocks_backdated_years_and_lies_about_units_are_each_accounted_for(world: World, size: int) -> None:
    space = world.space()
    meter = world.device(space, model="dg-glucometer", since="1990-01-01T00:00:00Z")
    now = datetime.now(UTC)
    chance, planned, sent = random.Random(2), Counter[str](), []
    for n in range(size):
        moment = START + timedelta(seconds=n)
        kind = chance.choice(("true", "ahead", "back", "reset", "ages", "unit", "value", "offset"))
        if kind == "true":
            reading, becomes = glucose("100", moment.isoformat()), "stored"
        elif kind == "ahead":  # a clock that runs ahead by more than it may
            reading, becomes = glucose("100", (now + timedelta(hours=1 + n)).isoformat()), "rejected"
        elif kind == "back":  # a month of any year since 2000: each may be the first of its partition
            reading, becomes = glucose("100", moment.replace(year=2000 + n % 26).isoformat()), "stored"
        elif kind == "reset":
            reading, becomes = glucose("100", f"19{70 + n % 30}-01-01T00:00:{n % 60:02}Z"), "rejected"
        elif kind == "ages":
            reading, becomes = glucose("100", f"0{1 + n % 9:03}-01-01T00:00:00Z"), "rejected"
        elif kind == "unit":  # says mmol/L, and it is mg/dL
            reading, becomes = glucose("100", moment.isoformat()) | {"unit": "mmol/L"}, "rejected"
        elif kind == "value":
            reading, becomes = glucose(str(10_000 + n), moment.isoformat()), "rejected"
        else:
            reading, becomes = glucose("100", moment.replace(tzinfo=None).isoformat() + "+23:00"), "rejected"
        planned[becomes] += 1
        sent.append(message(meter, reading))
    counts = taken(world, iter(sent), 500)
    assert counts == planned | {"quarantined": planned["rejected"]}
    assert len(world.readings(space, "blood-glucose")) == planned["stored"]
    [found] = world.rows(GROUPS, [str(meter)])
    assert found.seen == planned["rejected"]
    assert world.one("SELECT count(*) FROM gateway.quarantine WHERE sender = %s", str(meter)) <= 6 * KEPT_PER_GROUP


def test_who_floods_with_garbage_takes_nobody_elses_place_in_quarantine(world: World) -> None:
    loud, quiet = world.device(world.space()), world.device(world.space())
    ids: list[UUID] = [loud, quiet]
    flood = (raw_message(topic_of(loud, "readings"), b"noise %d" % n) for n in range(3_000))
    heard = [raw_message(topic_of(quiet, "readings"), b"please look %d" % n) for n in range(KEPT_PER_GROUP)]

    def both() -> Iterator[Message]:
        for n, one in enumerate(flood):
            yield one
            if n % 150 == 0:
                yield heard[n // 150]

    assert taken(world, both()) == {"quarantined": 3_000 + KEPT_PER_GROUP}
    kept = Counter(row.sender for row in world.quarantined() if row.sender in map(str, ids))
    assert kept == {str(loud): KEPT_PER_GROUP, str(quiet): KEPT_PER_GROUP}
