"""Whose reading is it? The holder's at its effective time, and nobody's by guess."""

from uuid import UUID

import psycopg
import pytest
from ingest_world import World, glucose, lines, message, outcomes, weight

from device_gateway.ingest.batch import BatchWriter

GIVEN = "2026-02-01T12:00:00Z"


class Meter:
    """A meter that Ana had until `GIVEN`, and Ben has since; each carried it with an edge of their own."""

    def __init__(self, world: World) -> None:
        self.ana, self.ben = world.space(), world.space()
        self.edge = world.device(self.ben, kind="edge", model="edge")
        self.id = world.device(self.ana, model="ble-glucose", parent=self.edge, until=GIVEN)
        world.hold(self.id, self.ben, GIVEN)

    def full_transfer(self) -> list[dict[str, object]]:
        """All that its memory holds."""
        return [
            glucose(str(100 + seq), f"2026-0{month}-10T08:00:00Z", seq=seq, device=str(self.id))
            for seq, month in ((1, 1), (2, 1), (3, 2), (4, 3))
        ]


@pytest.fixture
def meter(world: World) -> Meter:
    return Meter(world)


def what_is_told(world: World, space: UUID) -> tuple[int, int, list[str]]:
    """Readings, series and journal of a space: all that anybody in it can notice."""
    return (
        world.one(
            "SELECT count(*) FROM gateway.reading r JOIN gateway.series s ON s.id = r.series WHERE s.space_id = %s",
            space,
        ),
        world.one("SELECT count(*) FROM gateway.series WHERE space_id = %s", space),
        [row.event for row in world.rows("SELECT event FROM gateway.journal WHERE space_id = %s", space)],
    )


def test_each_reading_goes_to_who_held_the_device_at_its_time(world: World, writer: BatchWriter, meter: Meter) -> None:
    assert outcomes(writer.commit([message(meter.edge, *meter.full_transfer())])) == ["stored"] * 4
    assert [row.value for row in world.readings(meter.ana, "blood-glucose")] == [101, 102]
    assert [row.value for row in world.readings(meter.ben, "blood-glucose")] == [103, 104]


def test_a_meter_given_away_tells_neither_of_them_of_the_other(world: World, writer: BatchWriter, meter: Meter) -> None:
    """The new owner's use leaves no trace with the former one, who has all of the old readings already."""
    writer.commit([message(meter.edge, *meter.full_transfer()[:2])])
    before = what_is_told(world, meter.ana)
    world.rows("DELETE FROM gateway.device_activity WHERE space_id = %s", meter.ana)
    writer.commit([message(meter.edge, *meter.full_transfer())])
    own = weight("80", "2026-03-01T00:00:00Z", device=str(meter.id))  # of a kind that the former owner never measured
    writer.commit([message(meter.edge, own, {**own, "value": "9999"})])
    assert what_is_told(world, meter.ana) == before
    assert world.rows("SELECT * FROM gateway.device_activity WHERE space_id = %s", meter.ana) == []
    [activity] = world.rows("SELECT * FROM gateway.device_activity WHERE space_id = %s", meter.ben)
    assert (activity.stored, activity.duplicate, activity.rejected) == (3, 0, 1)


def test_a_kind_of_reading_from_the_former_owner_leaves_no_trace_with_the_new_one(
    world: World, writer: BatchWriter, meter: Meter
) -> None:
    old = weight("80", "2026-01-05T00:00:00Z", device=str(meter.id))
    assert outcomes(writer.commit([message(meter.edge, old)])) == ["stored"]
    assert world.one("SELECT count(*) FROM gateway.series WHERE space_id = %s", meter.ben) == 0


def test_what_is_rejected_makes_no_series(world: World, writer: BatchWriter, meter: Meter) -> None:
    bad = weight("9999", "2026-03-01T00:00:00Z", device=str(meter.id))
    assert outcomes(writer.commit([message(meter.edge, bad)])) == ["rejected"]
    assert world.one("SELECT count(*) FROM gateway.series WHERE space_id IN (%s, %s)", meter.ana, meter.ben) == 0


def test_the_instant_of_the_change_belongs_to_the_new_holder(world: World, writer: BatchWriter, meter: Meter) -> None:
    just_before = "2026-02-01T11:59:59.999999Z"
    writer.commit([message(meter.edge, *[glucose("99", at, device=str(meter.id)) for at in (just_before, GIVEN)])])
    assert len(world.readings(meter.ana, "blood-glucose")) == len(world.readings(meter.ben, "blood-glucose")) == 1


def test_what_nobody_held_the_device_for_waits_in_the_inbox_and_is_in_no_space(
    world: World, writer: BatchWriter
) -> None:
    space = world.space()
    scale = world.device(space, since=GIVEN)
    old = weight("70", "2026-01-05T00:00:00Z")
    assert outcomes(writer.commit([message(scale, old, weight("71", "2026-03-05T00:00:00Z"))])) == ["stored"] * 2
    assert [row.value for row in world.readings(space)] == [71]
    assert [row.value for row in world.inbox(scale)] == [70]
    assert outcomes(writer.commit([message(scale, old)])) == ["duplicate"]


def test_the_inbox_keeps_every_version(world: World, writer: BatchWriter) -> None:
    scale = world.device(world.space(), since=GIVEN)
    sent = [weight(value, "2026-01-05T00:00:00Z") for value in ("70", "70", "71", "70", "71")]
    assert outcomes(writer.commit([message(scale, *sent)])) == [
        "stored", "duplicate", "corrected", "duplicate", "duplicate",
    ]  # fmt: skip
    with_context = weight("70", "2026-01-05T00:00:00Z", context={"clothes": "none"})
    told = [outcomes(writer.commit([message(scale, with_context)])) for _ in range(2)]
    assert told == [["corrected"], ["duplicate"]]
    assert [(row.value, row.version) for row in world.inbox(scale)] == [(70, 1), (71, 2), (70, 3)]


def test_the_holder_is_told_how_many_readings_wait_and_nobody_else(world: World, writer: BatchWriter) -> None:
    space, stranger = world.space(), world.space()
    scale = world.device(space, since=GIVEN)
    sent = [weight(v, f"2026-01-0{day}T00:00:00Z") for day in (1, 2) for v in ("70", "71")]
    writer.commit([message(scale, *sent)])

    def waiting(who: UUID) -> int:
        with psycopg.connect(world.owner_url) as connection:
            connection.execute("SELECT set_config('app.space', %s, true)", (str(who),))
            return int(connection.execute("SELECT gateway.inbox_count(%s)", (scale,)).fetchone()[0])  # type: ignore[index]

    assert (waiting(space), waiting(stranger)) == (2, 0)


def test_after_release_new_readings_are_nobodys_and_late_ones_still_arrive(world: World, writer: BatchWriter) -> None:
    space = world.space()
    scale = world.device(space)
    world.release(scale, GIVEN)
    late, new = weight("70", "2026-01-31T00:00:00Z"), weight("71", "2026-02-02T00:00:00Z")
    assert outcomes(writer.commit([message(scale, late, new)])) == ["stored", "stored"]
    assert [row.value for row in world.readings(space)] == [70]
    assert [row.value for row in world.inbox(scale)] == [71]


def test_who_claims_a_device_again_goes_on_with_the_same_series(world: World, writer: BatchWriter) -> None:
    space = world.space()
    scale = world.device(space, until=GIVEN)
    world.hold(scale, space, "2026-03-01T00:00:00Z")
    days = ("2026-01-15", "2026-02-15", "2026-03-15")
    writer.commit([message(scale, *[weight("70", f"{day}T00:00:00Z") for day in days])])
    assert len(world.readings(space)) == 2
    assert len(world.inbox(scale)) == 1, "between the two holdings it was nobody's"
    assert world.one("SELECT count(*) FROM gateway.series WHERE space_id = %s", space) == 1


def test_a_release_takes_effect_with_the_next_batch_of_a_worker_that_runs(world: World, writer: BatchWriter) -> None:
    space = world.space()
    scale = world.device(space)
    writer.commit([message(scale, weight("70", "2026-03-01T00:00:00Z"))])
    world.release(scale, GIVEN)
    writer.commit([message(scale, weight("71", "2026-03-02T00:00:00Z"))])
    assert [row.value for row in world.readings(space)] == [70]
    assert [row.value for row in world.inbox(scale)] == [71]


def test_answers_do_not_say_whose_a_reading_was(world: World, writer: BatchWriter, meter: Meter) -> None:
    before_anybody = glucose("99", "2019-01-01T00:00:00Z", device=str(meter.id))
    told = lines(writer.commit([message(meter.edge, *meter.full_transfer(), before_anybody)]))
    assert {tuple(line) for line in told} == {("index", "outcome")}
    assert {line["outcome"] for line in told} == {"stored"}
