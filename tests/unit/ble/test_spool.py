"""The outbox that outlives everything."""

import sqlite3

import pytest

from device_gateway.transports.spool import SCHEMA, Spool, Spooled, SpoolFull


@pytest.fixture
def spool() -> Spool:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return Spool(connection, limit_octets=100)


def message(number: int, octets: int = 10) -> Spooled:
    return Spooled(f"m{number}", "readings", 1, b"x" * octets)


def test_messages_leave_in_the_order_in_which_they_came(spool: Spool) -> None:
    for number in range(5):
        spool.put(message(number))
    assert [found.message_id for found in spool.oldest(2, {"m0", "m2"})] == ["m1", "m3"]
    spool.remove("m1")
    assert [found.message_id for found in spool.oldest(9, set())] == ["m0", "m2", "m3", "m4"]
    assert spool.oldest(0, set()) == []
    assert (spool.expected("m0"), spool.expected("m1")) == (1, None)
    assert (spool.messages(), spool.octets()) == (4, 40)


def test_a_full_spool_keeps_what_it_has_and_takes_nothing_more(spool: Spool) -> None:
    for number in range(10):
        spool.put(message(number))
    with pytest.raises(SpoolFull):
        spool.put(message(10, 1))
    assert spool.messages() == 10
    spool.remove("m0")
    spool.put(message(11))
    assert spool.octets() == 100


def test_a_message_that_is_there_is_not_added_again(spool: Spool) -> None:
    spool.put(message(1))
    spool.put(message(1))
    assert spool.messages() == 1
