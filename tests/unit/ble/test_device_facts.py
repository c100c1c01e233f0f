"""What devices say of themselves."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway.transports.ble.device_facts import parse_current_time
from device_simulators.ble.date_time import current_time


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2200-01-01")))
def test_a_clock_is_read_to_a_256th_of_a_second(moment: datetime) -> None:
    shown = parse_current_time(current_time(moment))
    assert shown is not None
    assert timedelta(0) <= moment - shown <= timedelta(microseconds=3906)  # 1/256 s


@pytest.mark.parametrize("octets", ["", "ea07", "00000b16071e05020000", "ea070d16071e05020000", "ea070b16071e050200"])
def test_a_clock_that_is_not_set_is_no_clock(octets: str) -> None:
    assert parse_current_time(bytes.fromhex(octets)) is None


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.binary(max_size=12))
def test_no_octets_are_too_strange(octets: bytes) -> None:
    parse_current_time(octets)
