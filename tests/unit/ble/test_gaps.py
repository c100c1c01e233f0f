"""Which values of a sensor session are missing."""

from hypothesis import given
from hypothesis import strategies as st

from device_gateway.transports.ble.gaps import Gaps


def noted(*minutes: int) -> Gaps:
    gaps = Gaps()
    for minute in minutes:
        gaps.note(minute)
    return gaps


def test_a_stretch_without_values_is_open_until_they_come() -> None:
    gaps = noted(30, 35, 40, 60, 65)
    assert gaps.open == [(41, 59)]
    assert gaps.values_in(gaps.open) == 3
    gaps.note(50)
    assert gaps.open == [(41, 49), (51, 59)]
    assert gaps.values_in(gaps.open) == 2
    gaps.note(45)
    gaps.note(55)
    assert gaps.open == []


def test_what_the_sensor_has_not_got_is_given_up() -> None:
    gaps = noted(1, 2, 9)
    assert gaps.give_up() == [(3, 8)]
    assert gaps.open == []
    assert gaps.values_in([(3, 8)]) == 6


def test_a_new_session_begins_with_nothing_missing() -> None:
    gaps = noted(1, 2, 9)
    gaps.reset()
    gaps.note(0)
    gaps.note(5)
    assert gaps.open == []


@given(st.permutations(range(0, 300, 5)))
def test_in_whatever_order_values_come_nothing_is_open_in_the_end(minutes: list[int]) -> None:
    gaps = noted(0, 5)
    for minute in minutes:
        gaps.note(minute)
    assert gaps.open == []
