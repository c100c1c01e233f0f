"""Wall-clock times through the whole of ingestion: nothing is stored twice, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from ingest_world import World, glucose, message, outcomes

from device_gateway.ingest.batch import BatchWriter

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day(back: int, hour: int = 8, minute: int = 0) -> datetime:
    """An instant `back` days before this midnight."""
    return TODAY - timedelta(days=back) + timedelta(hours=hour, minutes=minute)


def comparison(shown: datetime, at: datetime, **more: object) -> dict[str, object]:
    return {"raw": f"{shown:%Y-%m-%dT%H:%M:%S}", "measured_at": at.isoformat(), **more}


def record(seq: int, shown: datetime, value: str = "100") -> dict[str, object]:
    return glucose(value, f"{shown:%Y-%m-%dT%H:%M:%S}", seq=seq)


@pytest.fixture
def space(world: World) -> UUID:
    return world.space("UTC")


@pytest.fixture
def meter(world: World, space: UUID) -> UUID:
    return world.device(space, model="ble-glucose")


def instants(world: World, space: UUID) -> list[datetime]:
    return [row.time for row in world.readings(space, "blood-glucose")]


def test_a_full_transfer_after_a_corrected_clock_stores_nothing_twice(
    world: World, writer: BatchWriter, space: UUID, meter: UUID
) -> None:
    hour = timedelta(hours=1)
    ahead = [record(seq, day(9 - seq) + hour) for seq in (1, 2, 3)]
    first = message(meter, *ahead, clocks=[comparison(day(5, 12) + hour, day(5, 12))])
    assert outcomes(writer.commit([first])) == ["stored"] * 3
    corrected = [record(seq, day(9 - seq)) for seq in (4, 5)]
    second = message(meter, *ahead, *corrected, clocks=[comparison(day(2, 12), day(2, 12))])
    assert outcomes(world.writer().commit([second])) == ["duplicate"] * 3 + ["stored"] * 2
    assert instants(world, space) == [day(9 - seq) for seq in (1, 2, 3, 4, 5)]


def test_a_late_redelivery_with_an_old_comparison_does_not_set_the_clock_back(
    world: World, writer: BatchWriter, space: UUID, meter: UUID
) -> None:
    hour = timedelta(hours=1)
    first = message(meter, record(1, day(8) + hour), clocks=[comparison(day(7, 12) + hour, day(7, 12))])
    second = message(meter, record(2, day(6)), clocks=[comparison(day(5, 12), day(5, 12))])
    for each in (first, second, first):
        writer.commit([each])
    assert outcomes(writer.commit([message(meter, record(3, day(4)))])) == ["stored"]
    assert instants(world, space) == [day(8), day(6), day(4)]
    assert world.one("SELECT clock_skew_s FROM gateway.device_holding WHERE device_id = %s", meter) == 0


def test_messages_that_wait_together_are_placed_each_by_its_own_comparison(
    world: World, writer: BatchWriter, space: UUID, meter: UUID
) -> None:
    """As they would have been one by one: ingestion was away for a while."""
    hour = timedelta(hours=1)
    first = message(meter, record(1, day(8) + hour), clocks=[comparison(day(7, 12) + hour, day(7, 12))])
    second = message(meter, record(2, day(6)), clocks=[comparison(day(5, 12), day(5, 12))])
    writer.commit([first, second])
    assert instants(world, space) == [day(8), day(6)]


def test_a_reading_from_an_impossible_year_does_not_stop_later_corrections_of_the_clock(
    world: World, writer: BatchWriter, space: UUID, meter: UUID
) -> None:
    wrong = record(2**62, datetime(2098, 1, 1))  # noqa: DTZ001  # a device's clock has no zone
    told = outcomes(writer.commit([message(meter, wrong, clocks=[comparison(day(7, 12), day(7, 12))])]))
    assert told == ["rejected"]
    ahead = timedelta(hours=3)
    later = message(meter, record(5, day(6) + ahead), clocks=[comparison(day(5, 12) + ahead, day(5, 12))])
    assert outcomes(writer.commit([later])) == ["stored"]
    assert instants(world, space) == [day(6)]


@pytest.mark.parametrize(
    "clock",
    [
        {"raw": "9999-12-31T23:59:59", "measured_at": "2026-03-01T00:00:00Z"},
        {"raw": "0001-01-01T00:00:00", "measured_at": "2026-03-01T00:00:00Z"},
        {"raw": "2026-03-01T00:00:00", "measured_at": "0001-01-01T00:00:00+14:00"},
        {"raw": "2026-03-01T00:00:00", "measured_at": "9999-12-31T23:59:59-12:00"},
        {"raw": "2026-03-01T00:00:00", "measured_at": "2026-03-01T00:00:00"},
        {"raw": "2026-03-01T00:00:00Z", "measured_at": "2026-03-01T00:00:00Z", "device": "somebody else's"},
    ],
)
def test_a_comparison_that_cannot_be_true_harms_nothing(
    world: World, writer: BatchWriter, meter: UUID, clock: dict[str, object]
) -> None:
    told = outcomes(writer.commit([message(meter, record(1, day(3)), clocks=[clock])]))
    assert told == ["stored"]
    assert world.one("SELECT clock_skew_s FROM gateway.device_holding WHERE device_id = %s", meter) is None


def test_without_any_comparison_the_patients_zone_at_the_first_sync_counts_for_good(
    world: World, writer: BatchWriter
) -> None:
    space = world.space("Asia/Kathmandu")
    meter = world.device(space, model="ble-glucose")
    writer.commit([message(meter, record(1, day(3)))])
    world.rows("UPDATE gateway.space SET zone = 'America/New_York' WHERE id = %s", space)
    assert outcomes(world.writer().commit([message(meter, record(1, day(3)), record(2, day(2)))])) == [
        "duplicate", "stored",
    ]  # fmt: skip
    assert instants(world, space) == [day(3) - timedelta(minutes=345), day(2) - timedelta(minutes=345)]
    assert {row.offset_min for row in world.readings(space, "blood-glucose")} == {345}


def test_the_skew_that_the_patient_sees_is_the_newest(world: World, writer: BatchWriter, meter: UUID) -> None:
    for back, ahead in ((5, 90), (4, 30), (6, 999)):
        shown = day(back, 12) + timedelta(seconds=ahead)
        writer.commit([message(meter, clocks=[comparison(shown, day(back, 12))])])
    assert world.one("SELECT clock_skew_s FROM gateway.device_holding WHERE device_id = %s", meter) == 30


def test_a_segment_is_never_changed_or_removed(world: World, writer: BatchWriter, meter: UUID) -> None:
    for back in (6, 5, 4):
        shown = day(back, 12) + timedelta(hours=back)
        writer.commit([message(meter, record(9 - back, shown), clocks=[comparison(shown, day(back, 12))])])
    segments = world.rows("SELECT from_seq, shift_s FROM gateway.device_clock WHERE device_id = %s ORDER BY id", meter)
    assert [(row.from_seq, row.shift_s) for row in segments] == [(0, 6 * 3600), (4, 5 * 3600), (5, 4 * 3600)]
