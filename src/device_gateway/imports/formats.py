"""File formats, found by entry point, and recognised by what stands in a file."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final, Protocol

from device_gateway.errors import GatewayError
from device_gateway.ingest.dialects import adapters
from device_gateway.readings.model import Entry, Model, Text

HEAD_BYTES: Final = 65_536  # of a file, by which its format is recognised
ENCODINGS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
BINARY: Final = ((b"PK\x03\x04", "a ZIP archive or a spreadsheet"), (b"%PDF", "a PDF"), (b"\x1f\x8b", "gzip"))

Octets = Callable[[], Iterable[bytes]]  # a file in pieces of any length; each call begins anew


class UnknownFormat(GatewayError):
    """This file has none of the known formats."""

    http_status = 422
    exit_code = 65  # EX_DATAERR of sysexits.h


class FileFormat(Protocol):
    """Turns the text of a file into entries. Pure: no I/O, no exception for any text."""

    transport: str
    key: str
    name: str
    models: tuple[Model, ...]

    def recognises(self, head: str) -> bool: ...
    def preamble(self, text: Text) -> str: ...
    def read(self, text: Text) -> Iterator[Entry]: ...


@cache
def formats() -> dict[str, FileFormat]:
    """File formats by key."""
    return {adapter.key: adapter for adapter in adapters() if adapter.transport == "file"}


def format_of(octets: Octets, key: str | None = None) -> FileFormat:
    """The format called `key`, or the one that recognises the file. Raises UnknownFormat, with what was seen."""
    known = formats()
    if key is not None:
        if key not in known:
            raise UnknownFormat(f"There is no format {key!r}; the formats are {', '.join(sorted(known))}.")
        return known[key]
    head = head_of(octets)
    for magic, what in BINARY:
        if head.startswith(magic):
            raise UnknownFormat(f"This is {what}: unpack it, or export it as CSV or JSON.")
    text = "".join(_decoded([head]))
    for candidate in known.values():
        if candidate.recognises(text):
            return candidate
    raise UnknownFormat(f"{_seen(text)} The known formats are {', '.join(one.name for one in known.values())}.")


def text_of(octets: Octets) -> Text:
    """The text of a file: UTF-8, UTF-16 with its mark, otherwise Windows-1252. What cannot be read becomes U+FFFD."""
    return lambda: _decoded(octets())


def head_of(octets: Octets) -> bytes:
    head = b""
    for piece in octets():
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES]


def _decoded(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = iter(pieces)
    head = b""
    for piece in rest:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    decoder = codecs.getincrementaldecoder(_encoding(head))("replace")
    yield decoder.decode(head)
    for piece in rest:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _encoding(head: bytes) -> str:
    for mark, name in ENCODINGS:
        if head.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _seen(text: str) -> str:
    """What stands at the beginning, without any measured value: the names of columns, or of an object's fields."""
    if not text.strip():
        return "The file is empty."
    first = text.strip().splitlines()[0]
    if first[0] in "[{":
        return "The file is JSON, whose objects are neither Nightscout entries nor Tidepool data."
    columns = [name.strip(' "') for name in first.replace(";", ",").replace("\t", ",").split(",")]
    named = [name[:40] for name in columns if name and not any(letter.isdigit() for letter in name)]
    return f"The first line names {', '.join(named[:8])}." if named else "The first line names no columns."
