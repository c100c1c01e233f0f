"""Kill -9 of ingestion, the broker, the database, the edge, in the middle of their work: each reading is there once.

A device publishes 2,000 readings over MQTT with QoS 1 and its own credentials. It sends again only what the broker did
not acknowledge, as any MQTT client does: what the broker acknowledged is the gateway's to keep. And an edge transfers
the memory of a glucose meter over Bluetooth LE.
"""

import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from fault_world import UNACKNOWLEDGED_RETURN_S, Sender, Stack, stack_of, wait_until
from home_world import Home
from ingest_world import weight

READINGS = 2_000
RECORDS = 250  # of a meter; the transfer takes some seconds
MIDDLE = 500  # answered when the kill comes: the rest is being committed, with the broker, or not yet sent


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_of(tmp_path_factory.mktemp("faults")) as stack:
        stack.ingest().wait_ready()
        yield stack


@pytest.fixture
def space(stack: Stack) -> UUID:
    return stack.world.space()


@pytest.fixture
def sender(stack: Stack, space: UUID) -> Iterator[Sender]:
    yield stack.sender(space)
    stack.end_senders()


def value_of(number: int) -> str:
    """Tells which reading it is."""
    return f"{60 + number / 100:.2f}"


def reading(number: int, value: str | None = None) -> dict[str, object]:
    """One a minute."""
    at = f"2026-02-{number // 1440 + 1:02}T{number // 60 % 24:02}:{number % 60:02}:00+01:00"
    return weight(value or value_of(number), at, seq=number + 1)


def kill_ingestion(stack: Stack) -> None:
    stack.ingests.pop().kill()
    stack.ingest()


def kill_broker(stack: Stack) -> None:
    stack.broker.kill()
    stack.broker.start()


def kill_database(stack: Stack) -> None:
    stack.postgres.kill()
    stack.postgres.start()


KILLS = (kill_ingestion, kill_broker, kill_database)


@pytest.mark.parametrize("kill", KILLS)
def test_of_two_thousand_readings_each_is_stored_exactly_once(
    stack: Stack, sender: Sender, space: UUID, kill: Callable[[Stack], None]
) -> None:
    publishing = threading.Thread(target=lambda: [sender.send(reading(number)) for number in range(READINGS)])
    publishing.start()
    wait_until(lambda: len(sender.answers) >= MIDDLE, what="the middle")
    assert len(sender.answers) < READINGS - MIDDLE, "the middle is over"
    kill(stack)
    publishing.join()
    wait_until(lambda: stack.stored(space) == READINGS, 2 * UNACKNOWLEDGED_RETURN_S, "storing all readings")
    rows = stack.world.readings(space)
    assert [(row.seq, row.value) for row in rows] == [(n + 1, float(value_of(n))) for n in range(READINGS)]
    assert {row.version for row in rows} == {1}
    assert stack.world.history(space) == []
    sender.insist()  # whose answer was lost asks again: for a device that waits for each
    assert {outcome for answer in sender.answers.values() for outcome in answer} <= {"stored", "duplicate"}
    assert stack.stored(space) == READINGS
    assert stack.world.quarantined() == []


@pytest.mark.parametrize("kill", [kill_ingestion, *(pytest.param(kill, marks=pytest.mark.slow) for kill in KILLS[1:])])
def test_a_correction_is_not_undone_by_a_late_redelivery(
    stack: Stack, sender: Sender, space: UUID, kill: Callable[[Stack], None]
) -> None:
    first = sender.send(reading(0, "60.0"))
    assert sender.outcomes(first) == ["stored"]
    assert sender.outcomes(sender.send(reading(0, "60.5"))) == ["corrected"]
    kill(stack)
    del sender.answers[first]
    sender.insist()  # the first one, late
    assert sender.answers[first] == ["duplicate"]
    [row] = stack.world.readings(space)
    assert (row.value, row.version) == (60.5, 2)
    assert [(old.value, old.version) for old in stack.world.history(space)] == [(60.0, 1)]


@pytest.fixture
def home(stack: Stack, space: UUID) -> Iterator[Home]:
    home = Home(stack, space, RECORDS)
    try:
        home.start()
        yield home
    finally:
        home.leave()


@pytest.mark.parametrize("victim", ["edge", "ingestion", "broker", pytest.param("database", marks=pytest.mark.slow)])
def test_every_record_of_a_meter_is_stored_exactly_once(stack: Stack, home: Home, victim: str) -> None:
    wait_until(lambda: home.position >= RECORDS // 5, what="the middle of the transfer")
    if victim == "edge":
        home.edge.kill()
    assert home.position < RECORDS, "the transfer is over"
    if victim == "edge":
        home.start_edge()
    else:
        {"ingestion": kill_ingestion, "broker": kill_broker, "database": kill_database}[victim](stack)
    wait_until(
        lambda: home.position == RECORDS and home.spooled == 0, 2 * UNACKNOWLEDGED_RETURN_S, "the whole transfer"
    )
    rows = stack.world.readings(home.space, "blood-glucose")
    assert [row.seq for row in rows] == list(range(1, RECORDS + 1))
    assert {row.version for row in rows} == {1}
    assert stack.world.history(home.space, "blood-glucose") == []
    assert stack.world.inbox(home.meter_id) == []
    assert stack.world.quarantined() == []
