"""When an edge connects to a device that advertises."""

from device_gateway.transports.edge.attention import LONGEST_PAUSE_S, QUIET_S, Attention


def test_a_device_that_goes_on_advertising_is_visited_now_and_then() -> None:
    attention = Attention()
    assert attention.heard(0)
    attention.went_well(1, 15)
    assert not any(attention.heard(now) for now in range(1, 16))
    assert attention.heard(16)


def test_a_device_that_was_silent_has_news() -> None:
    attention = Attention()
    attention.heard(0)
    attention.went_well(1, 600)
    assert not attention.heard(2)
    assert attention.heard(2 + QUIET_S + 0.1)


def test_a_device_is_not_visited_twice_at_once() -> None:
    attention = Attention(busy=True)
    assert not attention.heard(1000)


def test_pauses_grow_with_failures_up_to_a_limit_and_end_with_a_success() -> None:
    attention = Attention()
    pauses = []
    for _ in range(12):
        attention.failed(0, 10)
        pauses.append(attention.not_before)
    assert 5 <= pauses[0] <= 15
    assert pauses[3] > 15
    assert max(pauses) <= 1.5 * LONGEST_PAUSE_S
    assert not attention.heard(10)  # awake again, but it fails
    attention.went_well(20, 10)
    assert attention.heard(31)


def test_devices_that_fail_together_do_not_come_back_together() -> None:
    moments = set()
    for _ in range(20):
        attention = Attention()
        attention.failed(0, 60)
        moments.add(attention.not_before)
    assert len(moments) > 15
