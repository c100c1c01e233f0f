"""Rows of the table `reading` as bytes: in the binary format of COPY, and as the arrays of `gateway.reading_put`.

A plain row has one value, an offset and no context; nearly all are. It is put together from parts that many rows share,
so that storing a reading makes a handful of Python objects. Formats: PostgreSQL, "COPY", binary format, and the send
functions of int2, int4, int8, float8, timestamptz (an int8: microseconds since 2000), jsonb and arrays.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
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
# The same, its context as JSON text.
PutRow = tuple[int, int, int, float, int, int | None, int, float | None, float | None, str | None]

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"  # a length of -1
JSONB_VERSION: Final = b"\1"

HEAD: Final = struct.Struct(">hiii")  # count of columns, series, length of time
NUMBER: Final = struct.Struct(">idih")  # value, decimals
TAIL: Final = struct.Struct(">ihih12s")  # offset_min, flags, three NULLs
PLAIN: Final = struct.Struct(">14sqiq18s24s")  # HEAD, time, length of seq, seq, NUMBER, TAIL
PLAIN_FIELDS: Final = struct.Struct(">6xi4xq4xq4xd4xh4xh4xh12x")
SEQ_BYTES: Final = 8
COLUMNS: Final = tuple(struct.Struct(f">i{code}") for code in "iqqdhhhdd")  # all but the context
NO_TIME: Final = 2**63 - 1  # later than any time
REST_OF_PLAIN: Final = (None, None, None)

INT2: Final = (21, "h")  # oid, code of struct
INT4: Final = (23, "i")
INT8: Final = (20, "q")
FLOAT8: Final = (701, "d")
TIMESTAMPTZ: Final = (1184, "q")
TEXT_OID: Final = 25


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


def unpacked(blocks: Iterable[Packed]) -> list[PutRow]:
    """The rows of `blocks` in their order."""
    rows: list[PutRow] = []
    for block in blocks:
        if block.plain:
            rows += [fields + REST_OF_PLAIN for fields in PLAIN_FIELDS.iter_unpack(block.data)]
        else:
            rows += _unpacked_slowly(block)
    return rows


def _unpacked_slowly(block: Packed) -> Iterable[PutRow]:
    data, at = block.data, 0
    for _ in range(block.count):
        at += 2
        row: list[int | float | str | None] = []
        for column in COLUMNS:
            if data[at : at + 4] == NULL:
                row.append(None)
                at += 4
            else:
                row.append(column.unpack_from(data, at)[1])
                at += column.size
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        row.append(data[at + 1 : at + length].decode() if length >= 0 else None)
        at += max(length, 0)
        yield tuple(row)  # type: ignore[misc]  # the columns say what is where


def array_of(kind: tuple[int, str], items: Sequence[float | None]) -> PackedArray:
    """`kind` is one of INT2, INT4, INT8, FLOAT8, TIMESTAMPTZ; None becomes NULL."""
    oid, code = kind
    if None in items:
        one = struct.Struct(f">i{code}")
        return _array(oid, items, b"".join([NULL if i is None else one.pack(one.size - 4, i) for i in items]))
    size = struct.calcsize(f">{code}")
    return _array(oid, items, _items(code, len(items)).pack(*chain.from_iterable(zip(repeat(size), items))))


def array_of_texts(items: Sequence[str | None]) -> PackedArray:
    encoded = [None if item is None else item.encode() for item in items]
    return _array(TEXT_OID, items, b"".join([NULL if i is None else len(i).to_bytes(4, "big") + i for i in encoded]))


def _array(oid: int, items: Sequence[object], body: bytes) -> PackedArray:
    """One dimension from 1 on, that may hold NULLs; none at all when it is empty."""
    if not items:
        return PackedArray(struct.pack(">iii", 0, 0, oid))
    return PackedArray(struct.pack(">iiiii", 1, 1, oid, len(items), 1) + body)


@lru_cache(maxsize=16)  # batches are of few sizes; the format of one of 10,000 is some 160 kB
def _items(code: str, count: int) -> struct.Struct:
    return struct.Struct(f">{f'i{code}' * count}")
