"""JSON objects of a file that may be larger than memory: an array of them, or one after the other."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

MOST_OBJECT: Final = 1_000_000  # characters of one object; none of a known format comes near
BETWEEN: Final = frozenset(" \t\r\n,[]")
# Digits stay as they were written: "5.60" is not 5.6. NaN and Infinity are no JSON, and no number that can be kept.
_DECODER: Final = json.JSONDecoder(parse_float=str, parse_constant=str)
CUT_SHORT: Final = 16  # characters: a fault this close to the end may be because more is to come


class Found(NamedTuple):
    """`number` counts from 1. `value` is None where the text is no JSON object."""

    number: int
    text: str
    value: dict[str, Any] | None  # Any: JSON of another product


def objects_of(pieces: Iterable[str]) -> Iterator[Found]:
    """Objects in their order. Broken text is one `Found` without a value, up to where an object may begin again."""
    source = iter(pieces)
    buffer, at, number, more = "", 0, 0, True
    while True:
        while at < len(buffer) and buffer[at] in BETWEEN:
            at += 1
        if at == len(buffer):
            buffer, at = next(source, ""), 0
            if not buffer:
                return
            continue
        try:
            value, end = _DECODER.raw_decode(buffer, at)
        except (ValueError, RecursionError) as error:
            if more and len(buffer) - at < MOST_OBJECT and _cut_short(error, len(buffer)):
                piece = next(source, "")
                more = bool(piece)
                buffer, at = buffer[at:] + piece, 0
                continue
            end = _next_object(buffer, at + 1)
            value = None
        if end == len(buffer) and more and not isinstance(value, dict):
            piece = next(source, "")  # a number may go on in the next piece
            more = bool(piece)
            buffer, at = buffer[at:] + piece, 0
            if more:
                continue
            end = len(buffer)
        number += 1
        yield Found(number, buffer[at:end].strip(), value if isinstance(value, dict) else None)
        buffer, at = (buffer[end:], 0) if end > MOST_OBJECT else (buffer, end)


def _cut_short(error: Exception, length: int) -> bool:
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= length - CUT_SHORT or error.msg.startswith("Unterminated")


def _next_object(buffer: str, at: int) -> int:
    begin = buffer.find("{", at)
    return len(buffer) if begin < 0 else begin
