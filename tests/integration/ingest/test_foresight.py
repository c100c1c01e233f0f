"""Messages that are read while the server takes in those before: they come to the same as if all were read first."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
from ingest_world import World, glucose, message, outcomes, raw_message, weight

from device_gateway.devices.topics import topic_of
from device_gateway.ingest.batch import BatchWriter

CLOCKS = "SELECT measured_at FROM gateway.device_clock WHERE device_id = %s"
LATER_UTC = datetime(2026, 3, 1, 7, tzinfo=UTC)
AT, LATER = "2026-03-01T07:31:05+01:00", "2026-03-01T08:00:00+01:00"


@pytest.fixture
def space(world: World) -> UUID:
    return world.space()


@pytest.fixture
def scale(world: World, writer: BatchWriter, space: UUID) -> UUID:
    """A device of which it is foreseen what it measures."""
    device = world.device(space)
    writer.commit([message(device, weight("70", AT))])
    return device


def test_what_is_not_foreseen_is_stored_with_all_else_of_its_batch(
    world: World, writer: BatchWriter, space: UUID, scale: UUID
) -> None:
    name = uuid4().hex
    child = world.device(space, parent=scale, hardware_id=name)
    clock = {"raw": "2026-03-01T09:00:00", "measured_at": LATER}
    surprises = [
        message(scale, glucose("101", AT)),
        message(scale, weight("71", AT, seq=1) | {"device": name}),
        message(scale, weight("72", "2026-03-01T09:00:00", seq=2)),
        raw_message(topic_of(scale, "readings"), msgspec.json.encode({"readings": [], "clocks": [clock]})),
    ]
    for number, surprise in enumerate(surprises):
        before = message(scale, weight("70", AT, seq=10 + number))
        result = writer.commit([before, surprise, message(scale, weight("70", AT, seq=20 + number))])
        assert result.outcomes["stored"] == (2 if surprise is surprises[3] else 3)
        assert result.outcomes["duplicate"] == 0
    assert len(world.readings(space, "blood-glucose")) == 1
    assert len(world.readings(space)) == 1 + 8 + 2
    assert LATER_UTC in {row.measured_at for row in world.rows(CLOCKS, scale)}
    assert world.one("SELECT count(*) FROM gateway.series WHERE device_id = %s", child) == 1


def test_garbage_among_what_is_foreseen_goes_to_quarantine(writer: BatchWriter, scale: UUID) -> None:
    garbage = raw_message(topic_of(scale, "readings"), b'{"message_id": "m", "readings": 5}')
    result = writer.commit([message(scale, weight("70", LATER)), garbage, message(scale, weight("7000", LATER))])
    assert (result.outcomes["stored"], result.outcomes["rejected"], result.outcomes["quarantined"]) == (1, 1, 2)
    assert len(result.answers) == 3


def test_the_order_of_messages_decides_which_content_stays(
    world: World, writer: BatchWriter, space: UUID, scale: UUID
) -> None:
    """The first is foreseen; the second needs a series to be made, and is placed before."""
    other = world.device(space)
    batch = [message(scale, weight("80", LATER)), message(other, weight("60", AT)), message(scale, weight("81", LATER))]
    assert outcomes(writer.commit(batch)) == ["stored", "stored", "corrected"]
    assert [row.value for row in world.readings(space) if row.version == 2] == [81]


def test_a_device_that_changed_hands_is_looked_up_anew(
    world: World, writer: BatchWriter, space: UUID, scale: UUID
) -> None:
    world.release(scale, "2026-03-02T00:00:00Z")
    heir = world.space()
    world.hold(scale, heir, "2026-03-03T00:00:00Z")
    late, nobody, new = AT, "2026-03-02T12:00:00Z", "2026-03-04T07:00:00Z"
    batch = [message(scale, weight("70", at, seq=5)) for at in (late, nobody, new)]
    assert writer.commit(batch).outcomes["stored"] == 3  # one of them in the inbox
    assert len(world.readings(space)) == 2
    assert len(world.readings(heir)) == 1
