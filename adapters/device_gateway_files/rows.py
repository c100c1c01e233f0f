"""Text that comes in pieces ▸ lines ▸ fields of a delimited table, each with the text that it was."""

import csv
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

MOST_LINE: Final = 1_000_000  # characters: a longer line is cut, so that a file without line ends fits into memory
MOST_JOINED: Final = 20  # lines of one row: a note may hold line breaks; a quote never closed must swallow no more
DELIMITERS: Final = (",", ";", "\t")
HEAD_ROWS: Final = 40  # lines among which the header is looked for


class Row(NamedTuple):
    """`line` counts from 1; `text` is without its line end."""

    line: int
    text: str
    fields: list[str]


def lines_of(pieces: Iterable[str]) -> Iterator[str]:
    """Lines without their ends."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line.removesuffix("\r")
        while len(rest) > MOST_LINE:
            yield rest[:MOST_LINE]
            rest = rest[MOST_LINE:]
    if rest:
        yield rest.removesuffix("\r")


def rows_of(pieces: Iterable[str], delimiter: str) -> Iterator[Row]:
    """Rows with at least one character. A quoted field may go on over some lines."""
    lines = enumerate(lines_of(pieces), 1)
    waiting: list[tuple[int, str]] = []
    while True:
        number, text = waiting.pop(0) if waiting else next(lines, (0, ""))
        if not number:
            return
        if text.count('"') % 2:
            text, waiting = _joined(number, text, lines, waiting)
        if text.strip():
            yield Row(number, text, fields_of(text, delimiter))


def fields_of(text: str, delimiter: str) -> list[str]:
    if '"' not in text:  # most rows; the module would need three times as long
        return [field.strip() for field in text.split(delimiter)]
    try:
        return [field.strip() for field in next(csv.reader((text,), delimiter=delimiter), [])]
    except csv.Error:  # a field longer than the module allows: no format has one
        return [text]


def _joined(
    number: int, first: str, lines: Iterator[tuple[int, str]], waiting: list[tuple[int, str]]
) -> tuple[str, list[tuple[int, str]]]:
    """The row that begins with `first`, and the lines to be read after it: `first` alone when its quote never ends."""
    read = list(waiting)
    text = first
    for taken in range(MOST_JOINED):
        if taken >= len(read):
            following = next(lines, None)
            if following is None:
                break
            read.append(following)
        text = f"{text}\n{read[taken][1]}"
        if text.count('"') % 2 == 0 and number:
            return text, read[taken + 1 :]
    return first, read
