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
