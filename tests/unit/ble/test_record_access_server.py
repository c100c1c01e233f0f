"""What the simulated meter makes of requests to its Record Access Control Point."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_simulators.ble.glucose_history import history
from device_simulators.ble.record_access import (
    Code,
    Operation,
    RefusedRequest,
    number_response,
    parse_request,
    response,
)

RECORDS = history(1, 10, datetime.fromisoformat("2026-11-22T12:00:00"))


@pytest.mark.parametrize(
    ("octets", "seqs"),
    [
        ("0101", range(1, 11)),
        ("0102010300", range(1, 4)),
        ("0103010800", range(8, 11)),
        ("01040103000500", range(3, 6)),
        ("0105", [1]),
        ("0106", [10]),
        ("0103016400", []),
    ],
)
def test_each_operator_selects_its_records(octets: str, seqs: Sequence[int]) -> None:
    assert [record.seq for record in parse_request(bytes.fromhex(octets)).select(RECORDS)] == list(seqs)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        ("", Code.OPERATION_NOT_SUPPORTED),
        ("0001", Code.OPERATION_NOT_SUPPORTED),
        ("0501", Code.OPERATION_NOT_SUPPORTED),
        ("0901", Code.OPERATION_NOT_SUPPORTED),
        ("01", Code.OPERATOR_NOT_SUPPORTED),
        ("0107", Code.OPERATOR_NOT_SUPPORTED),
        ("0100", Code.INVALID_OPERATOR),
        ("0301", Code.INVALID_OPERATOR),
        ("010101", Code.INVALID_OPERAND),
        ("0103", Code.INVALID_OPERAND),
        ("01030105", Code.INVALID_OPERAND),
        ("01040105000300", Code.INVALID_OPERAND),
        ("010302ea070b16071e05", Code.OPERAND_NOT_SUPPORTED),
    ],
)
def test_each_bad_request_has_its_code(octets: str, code: Code) -> None:
    with pytest.raises(RefusedRequest) as refused:
        parse_request(bytes.fromhex(octets))
    assert refused.value.code is code


def test_responses_are_laid_out_as_the_service_says() -> None:
    assert response(Operation.ABORT, Code.SUCCESS) == bytes.fromhex("06000301")
    assert number_response(300) == bytes.fromhex("05002c01")


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.binary(max_size=10))
def test_no_request_brings_the_meter_down(octets: bytes) -> None:
    with suppress(RefusedRequest):
        parse_request(octets).select(RECORDS)


def test_a_seed_makes_the_same_history_again() -> None:
    newest = datetime.fromisoformat("2026-11-22T12:00:00")
    assert history(4, 200, newest) == history(4, 200, newest)
    assert history(4, 200, newest) != history(5, 200, newest)
    records = history(4, 200, newest)
    assert [record.seq for record in records] == list(range(1, 201))
    assert all(40 <= int(record.value) <= 420 for record in records)
    assert max(record.base_time for record in records) <= newest
