"""Record Access Control Point (0x2A52) of a glucose meter: requests and responses. Glucose Service 1.0.1, 3.4, 4.4."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar


class Operation(IntEnum):
    REPORT = 1
    DELETE = 2
    ABORT = 3
    NUMBER = 4
    NUMBER_RESPONSE = 5
    RESPONSE = 6


class Operator(IntEnum):
    NULL = 0
    ALL = 1
    AT_MOST = 2
    AT_LEAST = 3
    BETWEEN = 4
    FIRST = 5
    LAST = 6


class Code(IntEnum):
    """What a response says."""

    SUCCESS = 1
    OPERATION_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS = 6
    ABORT_UNSUCCESSFUL = 7
    NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9


_BY_SEQUENCE_NUMBER = 1  # filter type; 2 is user facing time, which this meter does not offer
_OPERAND_OCTETS = {Operator.AT_MOST: 3, Operator.AT_LEAST: 3, Operator.BETWEEN: 5}


class RefusedRequest(Exception):
    """The request gets a response with this code."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


class Numbered(Protocol):
    """Anything that has a sequence number."""

    @property
    def seq(self) -> int: ...


R = TypeVar("R", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Request:
    """What to do with which records: those within `lowest` … `highest`, of them `only` the first or the last."""

    operation: Operation
    lowest: int = 0
    highest: int = 0xFFFF
    only: slice | None = None

    def select(self, records: list[R]) -> list[R]:
        """The records that are meant, in their order."""
        chosen = [record for record in records if self.lowest <= record.seq <= self.highest]
        return chosen[self.only] if self.only else chosen


def parse_request(value: bytes) -> Request:
    """The request that was written. Raises RefusedRequest."""
    try:
        operation = Operation(value[0])
    except (IndexError, ValueError) as error:
        raise RefusedRequest(Code.OPERATION_NOT_SUPPORTED) from error
    if operation in (Operation.NUMBER_RESPONSE, Operation.RESPONSE):
        raise RefusedRequest(Code.OPERATION_NOT_SUPPORTED)
    try:
        operator = Operator(value[1])
    except (IndexError, ValueError) as error:
        raise RefusedRequest(Code.OPERATOR_NOT_SUPPORTED) from error
    if (operation is Operation.ABORT) != (operator is Operator.NULL):
        raise RefusedRequest(Code.INVALID_OPERATOR)
    return _PARSERS[operator](operation, operator, value[2:])


def response(operation: int, code: Code) -> bytes:
    """What is indicated at the end of a procedure."""
    return bytes([Operation.RESPONSE, Operator.NULL, operation, code])


def number_response(count: int) -> bytes:
    """What is indicated in answer to "how many"."""
    return bytes([Operation.NUMBER_RESPONSE, Operator.NULL]) + count.to_bytes(2, "little")


def _whole(operation: Operation, operator: Operator, operand: bytes) -> Request:
    if operand:
        raise RefusedRequest(Code.INVALID_OPERAND)
    only = {Operator.FIRST: slice(0, 1), Operator.LAST: slice(-1, None)}.get(operator)
    return Request(operation, only=only)


def _filtered(operation: Operation, operator: Operator, operand: bytes) -> Request:
    if not operand:
        raise RefusedRequest(Code.INVALID_OPERAND)
    if operand[0] != _BY_SEQUENCE_NUMBER:
        raise RefusedRequest(Code.OPERAND_NOT_SUPPORTED)
    if len(operand) != _OPERAND_OCTETS[operator]:
        raise RefusedRequest(Code.INVALID_OPERAND)
    first = int.from_bytes(operand[1:3], "little")
    if operator is Operator.AT_MOST:
        return Request(operation, highest=first)
    if operator is Operator.AT_LEAST:
        return Request(operation, lowest=first)
    second = int.from_bytes(operand[3:5], "little")
    if first > second:
        raise RefusedRequest(Code.INVALID_OPERAND)
    return Request(operation, first, second)


_PARSERS: dict[Operator, Callable[[Operation, Operator, bytes], Request]] = {
    Operator.NULL: _whole,
    Operator.ALL: _whole,
    Operator.FIRST: _whole,
    Operator.LAST: _whole,
    Operator.AT_MOST: _filtered,
    Operator.AT_LEAST: _filtered,
    Operator.BETWEEN: _filtered,
}
