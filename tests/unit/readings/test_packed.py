"""Rows as bytes and back. That PostgreSQL reads them alike is for the tests of `put`."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from device_gateway.readings.packed import (
    NO_TIME,
    NULL,
    PLAIN,
    SEQ_BYTES,
    Packed,
    ReadingRow,
    array_of_texts,
    columns_of,
    fields_of,
    head_of,
    identity_fields,
    number_of,
    packed,
    packed_row,
    tail_of,
    unpacked,
)

INT2, INT4, INT8 = (st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32, 64))
FLOATS = st.floats(allow_nan=False)
CONTEXTS = st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.booleans(), INT4), max_size=3)
ROWS = st.tuples(
    INT4, INT8, INT8, FLOATS, INT2, st.none() | INT2, INT2, st.none() | FLOATS, st.none() | FLOATS,
    st.none() | CONTEXTS.map(Jsonb),
)  # fmt: skip
PLAIN_ROWS = st.tuples(INT4, INT8, INT8, FLOATS, INT2, INT2, INT2)


def plain_bytes(row: tuple[int, int, int, float, int, int, int]) -> bytes:
    """As ingestion puts a plain row together."""
    series, time, seq, value, decimals, offset_min, flags = row
    head, number, tail = head_of(series), number_of(value, decimals), tail_of(offset_min, flags)
    return PLAIN.pack(head, time, SEQ_BYTES, seq, number, tail)


@given(rows=st.lists(ROWS, max_size=5))
def test_any_rows_come_back_as_they_were(rows: list[ReadingRow]) -> None:
    block = packed(rows)
    texts = [None if row[9] is None else msgspec.json.encode(row[9].obj).decode() for row in rows]
    assert unpacked([block]) == [(*row[:9], text) for row, text in zip(rows, texts, strict=True)]
    assert block.oldest == min((row[1] for row in rows), default=NO_TIME)


@given(rows=st.lists(PLAIN_ROWS, min_size=1, max_size=5))
def test_a_plain_row_has_the_same_bytes_from_its_parts(rows: list[tuple[int, int, int, float, int, int, int]]) -> None:
    full: list[ReadingRow] = [(*row, None, None, None) for row in rows]
    octets = b"".join(map(plain_bytes, rows))
    assert octets == b"".join(map(packed_row, full))
    block = Packed(octets, len(rows), plain=True, oldest=0)
    assert unpacked([block]) == unpacked([packed(full)])
    assert fields_of([block]) == fields_of([packed(full)])
    assert [identity_fields(*row[:3]) for row in rows] == [fields[:3] for fields in fields_of([block])]


@given(rows=st.lists(st.tuples(*[st.integers(0, 2**bits - 1) for bits in (31, 63, 63)]), max_size=8))
def test_identities_as_bytes_have_the_order_of_numbers(rows: list[tuple[int, int, int]]) -> None:
    assert [identity_fields(*row) for row in sorted(rows)] == sorted(identity_fields(*row) for row in rows)


def test_an_array_says_its_type_its_length_and_what_is_missing() -> None:
    assert array_of_texts(["é", None]) == b"\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\2\0\0\0\1" + b"\0\0\0\2\xc3\xa9" + NULL
    assert array_of_texts([]) == b"\0\0\0\0\0\0\0\0\0\0\0\x19"


def test_a_context_goes_into_its_array_as_text() -> None:
    row: ReadingRow = (1, 2, 3, 4.0, 0, None, 0, None, None, Jsonb({"meal": "fasting"}))
    contexts = columns_of(fields_of([packed([row])]))[-1]
    assert contexts.endswith(b'\0\0\0\x12{"meal":"fasting"}')
