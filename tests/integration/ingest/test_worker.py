"""`device-gateway ingest` on the embedded broker and on Mosquitto: commit, answer, acknowledge, whatever dies."""

import asyncio
import json
import os
import signal
import socket
import struct
import time
import urllib.request
from collections.abc import Iterator
from uuid import UUID

import pytest
from fault_world import (
    UNACKNOWLEDGED_RETURN_S,
    Sender,
    Stack,
    free_ports,
    locks_waited_for,
    owner,
    stack_of,
    wait_until,
)
from ingest_world import weight

from device_gateway.broker.control import system_connection
from device_gateway.broker.embedded import EmbeddedBroker
from device_gateway.devices.credentials import new_password
from device_gateway.devices.topics import hub_topic, shard_of, topic_of
from device_gateway.settings import Settings

PLANTED = "64.3219"  # a value that must be in no log
BAD_PLANTED = "6432.1987"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker on the embedded broker, for all tests of this module; each leaves it running."""
    with stack_of(tmp_path_factory.mktemp("stack")) as stack:
        stack.ingest().wait_ready()
        yield stack


@pytest.fixture
def space(stack: Stack) -> UUID:
    return stack.world.space()


@pytest.fixture
def sender(stack: Stack, space: UUID) -> Iterator[Sender]:
    sender = stack.sender(space)
    yield sender
    stack.end_senders()


def reading(n: int, value: str = PLANTED) -> dict[str, object]:
    return weight(value, f"2026-02-{n // 1440 % 28 + 1:02}T{n // 60 % 24:02}:{n % 60:02}:00Z")


def exactly_once(stack: Stack, space: UUID, count: int) -> None:
    rows = stack.world.readings(space)
    assert len(rows) == count
    assert {row.version for row in rows} == {1}
    assert stack.world.history(space) == []


def test_readings_are_stored_and_answered(stack: Stack, sender: Sender, space: UUID) -> None:
    names = [sender.send(reading(n)) for n in range(20)]
    sender.wait_for(names)
    assert {tuple(sender.answers[name]) for name in names} == {("stored",)}
    exactly_once(stack, space, 20)
    assert sender.outcomes(sender.send(reading(1))) == ["duplicate"]
    assert sender.outcomes(sender.send(reading(2), reading(3, BAD_PLANTED))) == ["duplicate", "rejected"]


def test_no_answer_comes_before_the_commit(stack: Stack, sender: Sender, space: UUID) -> None:
    assert sender.outcomes(sender.send(reading(0))) == ["stored"]
    with owner(stack.world) as somebody:
        somebody.execute("LOCK TABLE gateway.device_activity IN ACCESS EXCLUSIVE MODE")  # what a batch writes last
        name = sender.send(reading(1))
        wait_until(lambda: locks_waited_for(stack.world) > 0)
        time.sleep(0.3)
        assert name not in sender.answers
        somebody.rollback()
    assert sender.outcomes(name) == ["stored"]
    exactly_once(stack, space, 2)


def test_what_comes_while_the_database_is_away_is_stored_when_it_is_back(
    stack: Stack, sender: Sender, space: UUID
) -> None:
    worker = stack.ingests[-1]
    stack.postgres.stop()
    names = [sender.send(reading(n)) for n in range(50)]
    wait_until(lambda: worker.said("database does not answer"))
    stack.postgres.start()
    sender.wait_for(names)
    assert worker.process.poll() is None
    exactly_once(stack, space, 50)


def test_a_flood_waits_at_the_broker_and_the_worker_takes_no_more_than_its_window(
    stack: Stack, sender: Sender, space: UUID
) -> None:
    [port] = free_ports(1)
    stack.ingests.pop().stop()
    stack.ingest(ingest_window="40", ingest_batch_rows="20", ingest_metrics=str(port)).wait_ready()
    with owner(stack.world) as somebody:
        somebody.execute("LOCK TABLE gateway.device_activity IN ACCESS EXCLUSIVE MODE")
        names = [sender.send(reading(n)) for n in range(300)]
        wait_until(lambda: figure(port, "dg_ingest_waiting_messages") == 40, what="filling the window")
        assert figure(port, 'dg_ingest_outcomes_total{outcome="stored"}') == 0
        somebody.rollback()
    sender.wait_for(names)
    exactly_once(stack, space, 300)
    wait_until(lambda: figure(port, 'dg_ingest_outcomes_total{outcome="stored"}') == 300)
    assert figure(port, "dg_ingest_messages_total") == 300
    assert figure(port, "dg_ingest_waiting_messages") == 0


def figure(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")))


def test_an_idle_worker_finds_its_way_back_to_a_database_that_was_restarted(
    stack: Stack, sender: Sender, space: UUID
) -> None:
    stack.postgres.kill()
    stack.postgres.start()
    assert sender.outcomes(sender.send(reading(0))) == ["stored"]


def test_a_message_that_breaks_its_batch_is_isolated_and_the_others_are_stored(
    stack: Stack, sender: Sender, space: UUID
) -> None:
    world = stack.world
    world.rows("ALTER TABLE gateway.series ADD CONSTRAINT poison CHECK (metric <> 'hba1c')")
    try:
        names = [sender.send(reading(n)) for n in range(10)]
        sender.send({"metric": "hba1c", "unit": "%", "value": "6.43219", "at": "2026-02-01T00:00:00Z"})
        names += [sender.send(reading(n)) for n in range(10, 20)]
        sender.wait_for(names)
    finally:
        world.rows("ALTER TABLE gateway.series DROP CONSTRAINT poison")
    wait_until(lambda: any(row.reason == "broke ingestion: CheckViolation" for row in world.quarantined()))
    exactly_once(stack, space, 20)
    sender.sent = {name: body for name, body in sender.sent.items() if name not in names}
    sender.insist()  # the device asks again, and now it goes through
    assert len(world.readings(space, "hba1c")) == 1


@pytest.mark.slow  # ten seconds
def test_a_database_that_lacks_what_is_needed_ends_ingestion_and_no_message_is_blamed(
    stack: Stack, sender: Sender, space: UUID
) -> None:
    quarantined = len(stack.world.quarantined())
    stack.world.rows("REVOKE INSERT ON gateway.reading FROM gateway_ingest")
    try:
        names = [sender.send(reading(n)) for n in range(5)]
        worker = stack.ingests.pop()
        assert worker.wait_end() == 70
    finally:
        stack.world.rows("GRANT INSERT ON gateway.reading TO gateway_ingest")
    assert worker.said("(InsufficientPrivilege)")
    assert len(stack.world.quarantined()) == quarantined
    stack.ingest().wait_ready()
    sender.wait_for(names, UNACKNOWLEDGED_RETURN_S)
    exactly_once(stack, space, 5)


def test_a_topic_that_is_no_text_does_not_stop_ingestion(stack: Stack, sender: Sender, space: UUID) -> None:
    """Sent without a client library, for they do not let one."""
    password = new_password()
    hub = stack.world.device(space, kind="hub", model="theengs-hub", password=password)
    topic = hub_topic(hub, "own").encode() + b"/\xff\xfe\x80"
    with socket.create_connection(("127.0.0.1", stack.mqtt_port), timeout=10) as connection:
        name = str(hub).encode()
        connect = b"\x00\x04MQTT\x04\xc2\x00\x3c" + b"".join(_text(part) for part in (name, name, password.encode()))
        connection.sendall(_packet(0x10, connect))
        assert connection.recv(4)[3:] == b"\0", "the hub is let in"
        connection.sendall(_packet(0x32, _text(topic) + b"\x00\x01" + PLANTED.encode()))
        connection.settimeout(2)
        try:
            acknowledged = connection.recv(4)
        except TimeoutError:
            acknowledged = b""
    assert sender.outcomes(sender.send(reading(0))) == ["stored"]
    if acknowledged:  # the broker took it, so it is ours
        wait_until(lambda: any(str(hub) in row.topic for row in stack.world.quarantined()))


def _text(octets: bytes) -> bytes:
    return struct.pack("!H", len(octets)) + octets


def _packet(kind: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)[0], left % 128
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([kind]) + bytes(length) + body


def test_sigterm_finishes_what_was_taken_and_loses_nothing(stack: Stack, sender: Sender, space: UUID) -> None:
    names = [sender.send(reading(n)) for n in range(400)]
    sender.wait_for(names[:50])
    worker = stack.ingests.pop()
    assert worker.stop() == 0
    stack.ingest().wait_ready()
    sender.wait_for(names, UNACKNOWLEDGED_RETURN_S)
    exactly_once(stack, space, 400)


@pytest.mark.slow  # the broker sends again after 10 s; test_faults.py kills one too
def test_what_a_killed_worker_held_is_stored_by_the_next(stack: Stack, sender: Sender, space: UUID) -> None:
    with owner(stack.world) as somebody:  # so that it dies with messages in hand
        somebody.execute("LOCK TABLE gateway.device_activity IN ACCESS EXCLUSIVE MODE")
        names = [sender.send(reading(n)) for n in range(100)]
        wait_until(lambda: locks_waited_for(stack.world) > 0)
        stack.ingests.pop().kill()
        somebody.rollback()
    stack.ingest().wait_ready()
    sender.wait_for(names, UNACKNOWLEDGED_RETURN_S)
    exactly_once(stack, space, 100)


def test_a_spare_worker_takes_the_slot_of_one_that_is_killed(stack: Stack, sender: Sender, space: UUID) -> None:
    spare = stack.ingest()
    time.sleep(1)
    assert not spare.ready.is_set(), "there is one slot, and it is taken"
    stack.ingests.remove(spare)
    stack.ingests.pop().kill()
    stack.ingests.append(spare.wait_ready())
    assert sender.outcomes(sender.send(reading(0))) == ["stored"]


def test_a_worker_that_hangs_comes_back_without_harm(stack: Stack, sender: Sender, space: UUID) -> None:
    """Stopped for longer than the broker waits: everything it held is sent again, and it still has the old copies."""
    worker = stack.ingests[-1]
    names = [sender.send(reading(n)) for n in range(200)]
    os.kill(worker.process.pid, signal.SIGSTOP)
    time.sleep(1)
    os.kill(worker.process.pid, signal.SIGCONT)
    sender.wait_for(names, UNACKNOWLEDGED_RETURN_S)
    exactly_once(stack, space, 200)


def test_what_the_broker_acknowledged_survives_its_kill_9(stack: Stack, sender: Sender, space: UUID) -> None:
    assert stack.broker is not None
    names = [sender.send(reading(n)) for n in range(300)]
    sender.wait_for(names[:30])
    stack.broker.kill()  # type: ignore[union-attr]  # the embedded one
    stack.broker.start()
    sender.wait_for(names, UNACKNOWLEDGED_RETURN_S, strict=False)
    wait_until(lambda: stack.stored(space) == 300, UNACKNOWLEDGED_RETURN_S, "storing what was acknowledged")
    exactly_once(stack, space, 300)


@pytest.mark.slow  # the broker sends again after 10 s
def test_an_original_that_a_killed_worker_held_becomes_history_behind_its_correction(
    stack: Stack, sender: Sender, space: UUID
) -> None:
    at = "2026-03-01T08:00:00Z"
    with owner(stack.world) as somebody:
        somebody.execute("LOCK TABLE gateway.device_activity IN ACCESS EXCLUSIVE MODE")
        original = sender.send(weight("72.4", at))
        wait_until(lambda: locks_waited_for(stack.world) > 0)
        stack.ingests.pop().kill()
        somebody.rollback()
    stack.ingest().wait_ready()
    correction = sender.send(weight("72.6", at, status="corrected"))
    sender.wait_for([original, correction], UNACKNOWLEDGED_RETURN_S)
    assert sorted(sender.outcomes(original) + sender.outcomes(correction)) == ["corrected", "stored"]
    [current] = stack.world.readings(space)
    assert (current.value, current.version) == (72.6, 2)
    assert stack.world.history(space) == [(72.4, 1)]


def test_no_log_holds_a_measured_value(stack: Stack) -> None:
    """The last test of this module: all that was logged in the tests before."""
    logs = stack.logs()
    assert len(logs) >= 4
    assert any(logs.values())
    for value in (PLANTED, BAD_PLANTED, "6.43219"):
        assert [name for name, text in logs.items() if value in text] == []


def test_workers_share_the_slots_and_take_over_those_of_one_that_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with stack_of(tmp_path_factory.mktemp("slots"), slots=4) as stack:
        first = stack.ingest(ingest_slots="4")
        second = stack.ingest(ingest_slots="4")
        space = stack.world.space()
        for worker in (first, second):
            worker.wait_ready()
        held = (
            "SELECT count(*) AS slots FROM pg_locks WHERE locktype = 'advisory' AND classid = 1684498798"
            " AND objid < 256 AND granted GROUP BY pid ORDER BY 1"
        )
        wait_until(lambda: [row.slots for row in stack.world.rows(held)] == [2, 2], what="sharing out")
        senders = [stack.sender(space) for _ in range(12)]
        assert len({int(shard_of(sender.device), 16) % 4 for sender in senders}) > 1
        names = {sender: [sender.send(reading(n)) for n in range(5)] for sender in senders}
        for sender in senders:
            sender.wait_for(names[sender])
        assert consumers(stack) <= 4 * 2 + 2 * 2 * len(senders)  # of the slots, and of outcomes: not of each shard
        refused, one = stack.sender(stack.world.space()), senders[0]
        for slot in range(4):  # where the broker puts what `one` sends
            refused.publish(one.sent[names[one][0]], f"slot/{slot}/{topic_of(one.device, 'readings')}")
        hub = stack.sender(space, kind="hub", model="home")
        hub.publish(b"nothing known", topic_of(hub.device, "x/nobody/kitchen//12.5"))
        wait_until(lambda: len(stack.world.quarantined()) == 1, what="what a hub sends")
        assert stack.world.quarantined()[0].topic == topic_of(hub.device, "x/nobody/kitchen//12.5")
        second.kill()
        names = {sender: [sender.send(reading(n)) for n in range(5, 10)] for sender in senders}
        for sender in senders:
            sender.wait_for(names[sender], UNACKNOWLEDGED_RETURN_S)
        assert [row.slots for row in stack.world.rows(held)] == [4]
        exactly_once(stack, space, 12 * 10)


def consumers(stack: Stack) -> int:
    """How many the embedded broker keeps: for each message it looks at all of them."""
    assert isinstance(stack.broker, EmbeddedBroker)

    async def asked() -> int:
        connection = await system_connection(Settings(**stack.broker.runtime()), "test")
        answer = await connection.request("$SYS.REQ.SERVER.PING.JSZ", b"{}", timeout=10)
        await connection.close()
        return int(json.loads(answer.data)["data"]["consumers"])

    return asyncio.run(asked())


def test_mosquitto_will_do_as_well(tmp_path_factory: pytest.TempPathFactory) -> None:
    with stack_of(tmp_path_factory.mktemp("mosquitto"), mosquitto=True) as stack:
        stack.ingest().wait_ready()
        space = stack.world.space()
        sender = stack.sender(space)
        names = [sender.send(reading(n)) for n in range(50)]
        sender.wait_for(names)
        with owner(stack.world) as somebody:
            somebody.execute("LOCK TABLE gateway.device_activity IN ACCESS EXCLUSIVE MODE")
            names = [sender.send(reading(n)) for n in range(50, 150)]
            wait_until(lambda: locks_waited_for(stack.world) > 0)
            stack.ingests.pop().kill()
            somebody.rollback()
        sender.publish(b"not JSON " + PLANTED.encode(), topic_of(sender.device, "readings"))
        stack.ingest().wait_ready()
        sender.wait_for(names)
        exactly_once(stack, space, 150)
        wait_until(lambda: len(stack.world.quarantined()) == 1)
        assert [name for name, text in stack.logs().items() if PLANTED in text] == []
