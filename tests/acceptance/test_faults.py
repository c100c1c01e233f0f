"""Kill -9 in the middle of 2,000 readings: of ingestion, of the broker, of the database. Each reading is there once.

A device publishes over MQTT with QoS 1 and its own credentials. It sends again only what the broker did not
acknowledge, as any MQTT client does: what the broker acknowledged is the gateway's to keep.
"""

import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from fault_world import UNACKNOWLEDGED_RETURN_S, Sender, Stack, stack_of, wait_until
from ingest_world import weight

READINGS = 2_000
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


@pytest.mark.parametrize("kill", [kill_ingestion, kill_broker, kill_database])
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


@pytest.mark.parametrize("kill", [kill_ingestion, kill_broker, kill_database])
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
