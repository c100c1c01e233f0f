"""Where a transfer resumes after it broke off."""

from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway.transports.ble.progress import Progress


def test_the_position_follows_records_that_come_in_order() -> None:
    progress = Progress(None)
    assert progress.so_far([]) is None
    for seq in (1, 2, 5):
        progress.note(seq)
    assert progress.so_far([]) == 5
    assert progress.complete() == 5


def test_a_record_that_waits_for_its_second_packet_holds_the_position_back() -> None:
    progress = Progress(10)
    progress.note(11)
    assert progress.so_far([11]) == 10
    progress.note(12)
    progress.note(13)
    assert progress.so_far([12]) == 11
    assert progress.so_far([]) == 13


def test_records_that_come_newest_first_move_nothing_before_all_are_there() -> None:
    progress = Progress(10)
    for seq in (13, 12):
        progress.note(seq)
    assert progress.so_far([]) == 10
    progress.note(11)
    assert progress.complete() == 13


def test_nothing_new_leaves_the_position_where_it_was() -> None:
    assert Progress(7).complete() == 7
    assert Progress(None).complete() is None


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.lists(st.integers(0, 0xFFFF), max_size=40), st.sets(st.integers(0, 0xFFFF), max_size=5))
def test_no_record_that_is_not_kept_is_ever_passed_over(seqs: list[int], incomplete: set[int]) -> None:
    seqs = sorted(set(seqs))
    progress = Progress(None)
    for count, seq in enumerate(seqs, start=1):
        progress.note(seq)
        waiting = incomplete & set(seqs[:count])
        position = progress.so_far(waiting)
        if position is not None:
            assert all(seq > position for seq in waiting | set(seqs[count:]))


def test_numbers_that_roll_over_go_on() -> None:
    progress = Progress(65533)
    for seq in (65534, 65535, 0, 1):
        progress.note(seq)
    assert progress.so_far(()) == progress.complete() == 1
    assert progress.holes() == []


def test_holes_are_named_between_what_was_kept_and_what_came() -> None:
    progress = Progress(10)
    for seq in (13, 14, 20):
        progress.note(seq)
    assert progress.holes() == [(11, 12), (15, 19)]
    progress.note(16)
    assert progress.holes() == [(11, 12), (15, 15), (17, 19)]


def test_with_live_values_among_the_old_ones_only_the_end_moves_the_position() -> None:
    progress = Progress(10, steady=False)
    progress.note(500)
    assert progress.so_far(()) == 10
    progress.note(11)
    assert progress.complete() == 500
