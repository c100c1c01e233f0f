"""How long a chunk may be."""

import pytest

from device_gateway.store.measure import LONGEST_H, MEMORY_SHARE, ROW_BYTES, SHORTEST_H, fitting_hours

GB = 1 << 30


@pytest.mark.parametrize("rows_per_day", [0, 10, 20_000])
def test_little_data_fits_any_chunk(rows_per_day: float) -> None:
    assert fitting_hours(rows_per_day, 4 * GB) == LONGEST_H


@pytest.mark.parametrize("patients", [1_000, 30_000, 300_000])
def test_a_chunk_takes_its_share_of_the_memory_and_no_more(patients: int) -> None:
    rows_per_day = patients * 288.0
    hours = fitting_hours(rows_per_day, 64 * GB)
    assert SHORTEST_H <= hours <= LONGEST_H
    assert rows_per_day / 24 * hours * ROW_BYTES <= 64 * GB * MEMORY_SHARE


def test_the_national_case_gets_chunks_of_hours_and_never_less_than_one() -> None:
    assert fitting_hours(17_000 * 86_400, 256 * GB) == 6
    assert fitting_hours(17_000 * 86_400, GB) == SHORTEST_H
