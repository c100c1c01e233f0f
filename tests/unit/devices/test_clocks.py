"""Wall clocks without a zone become instants, the same ones at every transfer."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from device_gateway.devices.clocks import HIGHEST_SEQ, DeviceClock

PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def read(clock: DeviceClock, seq: int, raw: str, zone: ZoneInfo = PARIS) -> str:
    """The instant, in UTC."""
    instant, _ = clock.resolve(seq, wall(raw), zone, NOW)
    clock.accepted(seq, wall(raw))
    return f"{instant:%Y-%m-%dT%H:%M}"


def test_a_clock_that_was_never_compared_is_taken_to_show_the_patients_time() -> None:
    clock = DeviceClock()
    instant, offset_min = clock.resolve(1, wall("2026-11-21T08:00"), PARIS, NOW)
    assert (instant, offset_min) == (datetime(2026, 11, 21, 7, 0, tzinfo=UTC), 60)
    assert clock.segments[0].measured_at is None


def test_a_comparison_gives_the_skew_and_places_what_comes_with_it() -> None:
    clock = DeviceClock()
    assert clock.measured(wall("2026-11-21T13:10"), wall("2026-11-21T13:00+01:00")) == 600
    assert read(clock, 1, "2026-11-21T08:10") == "2026-11-21T07:00"


def test_a_first_comparison_leaves_what_was_already_placed_where_it_is() -> None:
    clock = DeviceClock()
    before = [read(clock, seq, f"2026-11-20T0{seq}:00") for seq in (1, 2, 3)]
    clock.measured(wall("2026-11-21T15:00"), wall("2026-11-21T13:00+01:00"))  # two hours ahead, all the time
    assert [read(clock, seq, f"2026-11-20T0{seq}:00") for seq in (1, 2, 3)] == before
    assert read(clock, 4, "2026-11-21T14:00") == "2026-11-21T11:00"


def test_a_full_transfer_after_a_corrected_clock_gives_the_same_instants() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T14:00"), wall("2026-11-20T13:00+01:00"))  # an hour ahead
    before = [read(clock, seq, f"2026-11-20T1{seq}:00") for seq in (1, 2, 3)]
    clock.measured(wall("2026-11-21T13:00"), wall("2026-11-21T13:00+01:00"))  # set right
    assert read(clock, 4, "2026-11-20T13:30") == "2026-11-20T12:30"  # set back: older than the last by the wall clock
    assert [read(clock, seq, f"2026-11-20T1{seq}:00") for seq in (1, 2, 3)] == before


def test_a_journey_changes_what_comes_after_it_only() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T09:00"), wall("2026-11-20T09:00+01:00"))
    home = read(clock, 1, "2026-11-20T08:00")
    clock.measured(wall("2026-11-21T09:00"), wall("2026-11-21T09:00-05:00"))  # both clocks show New York
    instant, offset_min = clock.resolve(2, wall("2026-11-21T08:00"), PARIS, NOW)
    assert (instant, offset_min) == (datetime(2026, 11, 21, 13, 0, tzinfo=UTC), -300)
    assert read(clock, 1, "2026-11-20T08:00") == home == "2026-11-20T07:00"


def test_a_patient_who_travels_with_a_clock_left_at_home_keeps_instants_and_gets_a_new_offset() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T09:00"), wall("2026-11-20T09:00+01:00"))
    read(clock, 1, "2026-11-20T08:00")
    skew = clock.measured(wall("2026-11-21T15:00"), wall("2026-11-21T09:00-05:00"))
    assert skew == 6 * 3600
    instant, offset_min = clock.resolve(2, wall("2026-11-21T14:00"), PARIS, NOW)
    assert (instant, offset_min) == (datetime(2026, 11, 21, 13, 0, tzinfo=UTC), -300)


def test_summer_time_does_not_move_records_of_the_winter() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-03-28T12:00"), wall("2026-03-28T12:00+01:00"))
    winter = read(clock, 1, "2026-03-28T11:00")
    clock.measured(wall("2026-03-29T12:00"), wall("2026-03-29T12:00+02:00"))
    assert read(clock, 2, "2026-03-29T11:00") == "2026-03-29T09:00"
    assert read(clock, 1, "2026-03-28T11:00") == winter == "2026-03-28T10:00"


def test_a_clock_without_sequence_numbers_is_followed_by_its_own_time() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T12:00"), wall("2026-11-20T12:00+01:00"))
    before = [read(clock, 0, f"2026-11-20T0{hour}:00") for hour in (7, 8, 9)]
    clock.measured(wall("2026-11-21T13:00"), wall("2026-11-21T12:00+01:00"))  # an hour ahead by now
    assert read(clock, 0, "2026-11-21T10:00") == "2026-11-21T08:00"
    assert [read(clock, 0, f"2026-11-20T0{hour}:00") for hour in (7, 8, 9)] == before, "the last one included"


def test_small_differences_start_no_segment() -> None:
    clock = DeviceClock()
    for second in (0, 20, 59):
        clock.measured(wall("2026-11-20T12:00") + timedelta(seconds=second), wall("2026-11-20T12:00+01:00"))
    assert len(clock.segments) == 1


def test_a_comparison_that_comes_late_is_not_taken_for_the_newest() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T13:00"), wall("2026-11-20T12:00+01:00"))  # an hour ahead
    clock.measured(wall("2026-11-21T12:00"), wall("2026-11-21T12:00+01:00"))  # set right
    assert clock.measured(wall("2026-11-20T13:00"), wall("2026-11-20T12:00+01:00")) is None  # the first one, again
    assert read(clock, 5, "2026-11-21T11:00") == "2026-11-21T10:00"


def test_a_comparison_with_a_clock_of_another_age_tells_nothing() -> None:
    clock = DeviceClock()
    assert clock.measured(wall("2099-01-01T00:00"), wall("2026-11-20T12:00+01:00")) is None
    assert clock.measured(wall("0001-01-01T00:00"), wall("2026-11-20T12:00+01:00")) is None
    assert clock.segments == []


def test_a_device_that_numbers_anew_after_a_reset_uses_its_present_clock() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-01T14:00"), wall("2026-11-01T12:00+01:00"))  # two hours ahead
    old = read(clock, 500, "2026-11-01T13:00")
    clock.measured(wall("2026-11-21T12:00"), wall("2026-11-21T12:00+01:00"))  # reset and set right
    assert read(clock, 1, "2026-11-21T11:00") == "2026-11-21T10:00"
    assert read(clock, 500, "2026-11-01T13:00") == old


def test_a_change_of_battery_begins_both_clock_and_numbers_anew_and_moves_no_old_record() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-10-01T12:00"), wall("2026-10-01T12:00+02:00"))
    old = [read(clock, seq, f"2026-10-0{seq}T07:00") for seq in (1, 2, 3)]
    for day in (10, 20):  # the battery is changed, and later once more: each time it is 1 January 2020 again
        clock.measured(wall("2020-01-01T09:00"), wall(f"2026-11-{day}T12:00+01:00"))
        assert read(clock, 1, f"2020-01-01T08:{day}") == f"2026-11-{day}T10:{day}"
    assert [read(clock, seq, f"2026-10-0{seq}T07:00") for seq in (1, 2, 3)] == old
    assert read(clock, 1, "2020-01-01T08:10") == "2026-11-10T10:10"


def test_a_journey_is_no_change_of_battery() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T12:00"), wall("2026-11-20T12:00+01:00"))
    read(clock, 9, "2026-11-20T11:55")
    clock.measured(wall("2026-11-20T06:30"), wall("2026-11-20T06:30-05:00"))
    assert not clock.segments[-1].was_reset
    assert read(clock, 8, "2026-11-20T06:00") == "2026-11-20T05:00"  # came late, by the clock as it was


def test_what_was_rejected_does_not_freeze_the_clock() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T12:00"), wall("2026-11-20T12:00+01:00"))
    clock.resolve(9, wall("2099-01-01T00:00"), PARIS, NOW)  # in the future: never accepted
    assert (clock.last_seq, clock.used) == (-1, False)


def test_the_highest_sequence_number_leaves_room_for_a_new_segment() -> None:
    clock = DeviceClock()
    clock.measured(wall("2026-11-20T12:00"), wall("2026-11-20T12:00+01:00"))
    read(clock, HIGHEST_SEQ, "2026-11-20T11:00")
    clock.measured(wall("2026-11-21T13:00"), wall("2026-11-21T12:00+01:00"))
    assert clock.segments[-1].from_seq <= HIGHEST_SEQ


@given(st.data())
def test_what_was_placed_once_is_placed_there_whatever_the_clocks_do_later(data: st.DataObject) -> None:
    """Syncs, each with a comparison and some new records; then a transfer of everything."""
    numbered = data.draw(st.booleans(), "numbered")
    clock = DeviceClock()
    placed: dict[tuple[int, datetime], datetime] = {}
    true, seq, ahead = datetime(2026, 1, 1, 12, 0, tzinfo=UTC), 0, timedelta()
    for _ in range(data.draw(st.integers(1, 8), "syncs")):
        ahead = data.draw(st.sampled_from([ahead, ahead + HOUR, ahead - HOUR, timedelta(minutes=7)]), "ahead")
        for _ in range(data.draw(st.integers(0, 4), "records")):
            true += timedelta(minutes=data.draw(st.integers(1, 600), "pause"))
            seq += 1
        shown = (true + ahead).replace(tzinfo=None)
        clock.measured(shown, true.astimezone(timezone(timedelta(minutes=data.draw(st.sampled_from([60, 120, -300]))))))
        number = seq if numbered else 0
        instant, _ = clock.resolve(number, shown, PARIS, NOW)
        clock.accepted(number, shown)
        assert placed.setdefault((number, shown), instant) == instant
        for (old, raw), before in placed.items():
            assert clock.resolve(old, raw, NEW_YORK, NOW)[0] == before
