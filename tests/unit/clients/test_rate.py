"""How often a client is served, by a clock that the test turns."""

from datetime import UTC, datetime, timedelta

from app_catalog.clients.rate import BURST_S, Rates

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_client_is_served_ten_seconds_worth_at_once_and_then_at_its_rate():
    rates = Rates(2)
    for _ in range(2 * BURST_S):
        assert rates.wait_s("token", "a", NOON) == 0
        rates.count("token", "a", NOON)
    assert rates.wait_s("token", "a", NOON) == 1
    assert rates.wait_s("token", "a", NOON + timedelta(seconds=0.5)) == 0
    assert rates.wait_s("introspect", "a", NOON) == rates.wait_s("token", "b", NOON) == 0
    rates.count("token", "a", NOON + timedelta(seconds=0.5))
    assert rates.wait_s("token", "a", NOON + timedelta(seconds=0.5)) == 1
    assert rates.wait_s("token", "a", NOON + timedelta(minutes=1)) == 0


def test_processes_beside_each_other_give_no_more_together_than_one_alone():
    several, served = [Rates(4, processes=4) for _ in range(4)], 0
    for second in range(60):
        for rates in several:
            while not rates.wait_s("token", "a", NOON + timedelta(seconds=second)):
                rates.count("token", "a", NOON + timedelta(seconds=second))
                served += 1
    assert served == 4 * BURST_S + 4 * 59


def test_no_limit_is_none():
    rates = Rates()
    for _ in range(1000):
        rates.count("token", "a", NOON)
    assert rates.wait_s("token", "a", NOON) == 0
