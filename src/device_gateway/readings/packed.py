"""Rows of the table `reading` as bytes: in the binary format of COPY, and as the arrays of `gateway.reading_put`.

A plain row has one value, an offset and no context; nearly all are. It is put together from parts that many rows share,
so that storing a reading makes a handful of Python objects. Formats: PostgreSQL, "COPY", binary format, and the send
functions of int2, int4, int8, float8, timestamptz (an int8: microseconds since 2000), jsonb and arrays.
"""

import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from psycopg import Connection
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row

# In the order of COPY: series, time (microseconds since 2000-01-01T00:00:00Z), seq, value, decimals, offset_min, flags,
# value2, value3, context.
ReadingRow = tuple[int, int, int, float, int, int | None, int, float | None, float | None, Jsonb | None]
Fields = tuple[bytes, ...]  # of a row, in that order, each with its length before it, as in COPY and in an array
# The same as values, its context as JSON text.
PutRow = tuple[int, int, int, float, int, int | None, int, float | None, float | None, str | None]

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"  # a length of -1
JSONB_VERSION: Final = b"\1"

HEAD: Final = struct.Struct(">hiii")  # count of columns, series, length of time
NUMBER: Final = struct.Struct(">idih")  # value, decimals
TAIL: Final = struct.Struct(">ihih12s")  # offset_min, flags, three NULLs
PLAIN: Final = struct.Struct(">14sqiq18s24s")  # HEAD, time, length of seq, seq, NUMBER, TAIL
PLAIN_VALUES: Final = struct.Struct(">6xi4xq4xq4xd4xh4xh4xh12x")
PLAIN_FIELDS: Final = struct.Struct(">2x8s12s12s12s6s6s6s12x")
SEQ_BYTES: Final = 8
COLUMNS: Final = tuple(struct.Struct(f">i{code}") for code in "iqqdhhhdd")  # all but the context
NO_TIME: Final = 2**63 - 1  # later than any time

TYPES: Final = (23, 1184, 20, 701, 21, 21, 21, 701, 701)  # oids: int4, timestamptz, int8, float8, int2
TEXT: Final = 25
UUID: Final = 2950
INT4: Final = 23


@dataclass(frozen=True, slots=True)
class Packed:
    """`count` rows in the binary format of COPY.

    plain   each of them is a plain row
    oldest  the earliest of their times, in microseconds since 2000; NO_TIME where there is no row
    """

    data: bytes
    count: int
    plain: bool
    oldest: int


class PackedArray(bytes):
    """The binary form of a one-dimensional array, for a parameter ``%b::type[]``."""


class PackedArrayDumper(Dumper):
    """Hands the bytes over as they are; the cast in the statement says of which type they are."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: PackedArray) -> Buffer:
        return obj


def understand_arrays(connection: Connection[Row]) -> None:
    """Let `connection` take `PackedArray` as a parameter."""
    connection.adapters.register_dumper(PackedArray, PackedArrayDumper)


def head_of(series: int) -> bytes:
    """The part of a plain row that its series shares."""
    return HEAD.pack(10, 4, series, 8)


def number_of(value: float, decimals: int) -> bytes:
    return NUMBER.pack(8, value, 2, decimals)


def tail_of(offset_min: int, flags: int) -> bytes:
    return TAIL.pack(2, offset_min, 2, flags, NULL * 3)


def packed(rows: Sequence[ReadingRow]) -> Packed:
    """Any rows. Slower than putting plain rows together from their parts."""
    pieces = [packed_row(row) for row in rows]
    return Packed(b"".join(pieces), len(pieces), plain=False, oldest=min((row[1] for row in rows), default=NO_TIME))


def packed_row(row: ReadingRow) -> bytes:
    pieces = [b"\0\x0a"]
    for column, item in zip(COLUMNS, row[:9], strict=True):
        pieces.append(NULL if item is None else column.pack(column.size - 4, item))
    if row[9] is None:
        pieces.append(NULL)
    else:
        text = JSONB_VERSION + msgspec.json.encode(row[9].obj)
        pieces += (len(text).to_bytes(4, "big"), text)
    return b"".join(pieces)


def fields_of(blocks: Iterable[Packed]) -> list[Fields]:
    """The rows of `blocks` in their order, each cut into its fields."""
    rows: list[Fields] = []
    for block in blocks:
        if block.plain:
            rows += [(*fields, NULL, NULL, NULL) for fields in PLAIN_FIELDS.iter_unpack(block.data)]
        else:
            rows += _cut(block)
    return rows


def unpacked(blocks: Iterable[Packed]) -> list[PutRow]:
    """The rows of `blocks` in their order."""
    rows: list[PutRow] = []
    for block in blocks:
        if block.plain:
            rows += [(*values, None, None, None) for values in PLAIN_VALUES.iter_unpack(block.data)]
        else:
            rows += map(_values, _cut(block))
    return rows


def identity_fields(series: int, time: int, seq: int) -> Fields:
    """The first three fields of such a row."""
    first, second, third = COLUMNS[:3]
    return first.pack(4, series), second.pack(8, time), third.pack(8, seq)


def columns_of(rows: Sequence[Fields]) -> list[PackedArray]:
    """An array for each column of at least one row; the context as text."""
    *columns, contexts = zip(*rows, strict=True)
    arrays = [_array(oid, len(rows), column) for oid, column in zip(TYPES, columns, strict=True)]
    return [*arrays, _array(TEXT, len(rows), map(_text_field, contexts))]


def array_of_ints(items: Sequence[int]) -> PackedArray:
    """An int4[]."""
    return _array(INT4, len(items), [struct.pack(">ii", 4, item) for item in items])


def array_of_uuids(items: Sequence[uuid.UUID]) -> PackedArray:
    return array_of_octets([item.bytes for item in items])


def array_of_octets(items: Sequence[bytes]) -> PackedArray:
    """A uuid[], of the 16 octets of each."""
    return _array(UUID, len(items), [b"\0\0\0\x10" + item for item in items])


def array_of_texts(items: Sequence[str | None]) -> PackedArray:
    octets = [None if item is None else item.encode() for item in items]
    return _array(TEXT, len(items), [NULL if o is None else len(o).to_bytes(4, "big") + o for o in octets])


def _array(oid: int, count: int, items: Iterable[bytes]) -> PackedArray:
    """One dimension from 1 on, that may hold NULLs; none at all when it is empty."""
    if not count:
        return PackedArray(struct.pack(">iii", 0, 0, oid))
    return PackedArray(struct.pack(">iiiii", 1, 1, oid, count, 1) + b"".join(items))


def _cut(block: Packed) -> Iterator[Fields]:
    data, at = block.data, 0
    for _ in range(block.count):
        at += 2
        fields = []
        for _ in range(10):
            end = at + 4 + max(0, int.from_bytes(data[at : at + 4], "big", signed=True))
            fields.append(data[at:end])
            at = end
        yield tuple(fields)


def _values(fields: Fields) -> PutRow:
    numbers = [None if f == NULL else c.unpack(f)[1] for c, f in zip(COLUMNS, fields[:9], strict=True)]
    text = None if fields[9] == NULL else fields[9][5:].decode()
    return (*numbers, text)  # type: ignore[return-value]  # the columns say what is where


def _text_field(context: bytes) -> bytes:
    """A field of jsonb as one of text: without the number of its version."""
    return context if context == NULL else (len(context) - 5).to_bytes(4, "big") + context[5:]
