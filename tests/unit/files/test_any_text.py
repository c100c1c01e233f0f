"""Whatever a file holds: no exception, no record lost, no time wasted."""

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.imports.formats import UnknownFormat, format_of, formats, text_of
from device_gateway.readings.model import Entry, Reading, Rejected
from device_gateway_files import clarity, libreview
from device_gateway_files.objects import objects_of
from device_gateway_files.rows import MOST_LINE, lines_of, rows_of
from device_gateway_files.tidepool import FACTOR, Tidepool

KEYS = sorted(formats())
WORDS = st.sampled_from(
    ['"', ",", ";", "\n", "\r\n", "{", "}", "[", "]", ":", "0", "1", "5,8", "mg/dL", "EGV", "Low",
     "2026-10-25T02:30:00", "25-10-2026 02:30", "13-13-2026 9:00 PM", "\0", "\ufeff", "\ud800", "type", "sgv",
     '"date":', "1790573563077", "time,metric,value,unit", "NaN", "1e999", "true", "null"]
)  # fmt: skip
HEADS = {
    "clarity": "Index,Timestamp (YYYY-MM-DDThh:mm:ss),a,b,c,d,e,Glucose Value (mg/dL)\n",
    "libreview": "x\nDevice,Serial Number,Device Timestamp,Record Type,Historic Glucose mg/dL,Scan Glucose mg/dL\n",
    "csv": "time,metric,value,unit,systolic,device,seq,context.x,status\n",
    "nightscout": "[",
    "tidepool": "[",
}


def read(key: str, text: str) -> list[Entry]:
    return list(formats()[key].read(lambda: iter([text])))


@pytest.mark.parametrize("key", KEYS)
@given(parts=st.lists(WORDS | st.text(max_size=12), max_size=60))
def test_any_text_after_a_known_beginning_gives_entries_and_no_exception(key: str, parts: list[str]) -> None:
    for entry in read(key, HEADS[key] + "".join(parts)):
        assert entry.result is None or isinstance(entry.result, Reading | Rejected)


@pytest.mark.parametrize("key", KEYS)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(key: str, content: bytes) -> None:
    text = text_of(lambda: [content])
    assert all(isinstance(entry, Entry) for entry in formats()[key].read(text))
    with contextlib.suppress(UnknownFormat):
        format_of(lambda: [content])


@given(st.text(alphabet='a",\n\r', max_size=200))
def test_every_line_of_a_table_is_in_exactly_one_row(text: str) -> None:
    lines = [line for line in lines_of([text]) if line.strip()]
    rows = list(rows_of([text], ","))
    assert [line for row in rows for line in row.text.split("\n") if line.strip()] == lines


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers(), max_size=3)), st.integers(1, 9)
)
def test_objects_are_found_however_the_text_is_cut(values: list[dict[str, object]], length: int) -> None:
    for text in (json.dumps(values), json.dumps(values, indent=1), "\n".join(map(json.dumps, values))):
        pieces = [text[at : at + length] for at in range(0, len(text), length)]
        assert [found.value for found in objects_of(pieces)] == values


def test_a_broken_object_takes_no_other_with_it() -> None:
    text = '[{"a": 1}, {"a": }, {"a": 2}, {"a": "3'
    found = list(objects_of([text]))
    assert [one.value for one in found] == [{"a": 1}, None, {"a": 2}, None]
    assert "".join(one.text for one in found if one.value is None).startswith('{"a": },')


def test_a_quote_that_is_never_closed_swallows_no_rows() -> None:
    text = HEADS["csv"] + '2026-01-01T00:00:00Z,body-weight,"72,kg\n' + "2026-01-01T00:00:00Z,body-weight,72,kg\n" * 100
    results = [entry.result for entry in read("csv", text)]
    assert sum(isinstance(result, Reading) for result in results) >= 100


def test_a_note_may_hold_line_breaks() -> None:
    rows = list(rows_of(['a,"first\nsecond",b\nc,d,e\n'], ","))
    assert [(row.line, row.fields) for row in rows] == [(1, ["a", "first\nsecond", "b"]), (3, ["c", "d", "e"])]


def test_a_file_without_line_ends_is_cut_and_fits_into_memory() -> None:
    def pieces() -> Iterator[str]:
        for _ in range(40):
            yield "x" * 100_000

    assert max(map(len, lines_of(pieces()))) <= MOST_LINE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_is_read_in_the_encodings_that_spreadsheets_write(encoding: str) -> None:
    head = "Gerät,Seriennummer,Gerätezeitstempel,Aufzeichnungstyp,Glukosewert-Verlauf mg/dL\n"
    content = f"{head}Libre,A,13.02.2026 08:00,0,100\n".encode(encoding)
    pieces = [content[at : at + 3] for at in range(0, len(content), 3)]
    file_format = format_of(lambda: pieces)
    assert file_format.key == "libreview"
    [entry] = file_format.read(text_of(lambda: pieces))
    assert isinstance(entry.result, Reading)
    assert entry.result.value == "100"


@given(st.integers(2020, 2030), st.integers(1, 12), st.booleans(), st.booleans())
def test_libreview_dates_are_read_in_the_order_that_the_file_has(
    year: int, month: int, day_first: bool, twelve: bool
) -> None:
    """Of a file that spans a month there is only one reading."""
    style = ("%d-%m-%Y" if day_first else "%m-%d-%Y") + (" %I:%M %p" if twelve else " %H:%M")
    days = [datetime(year, month, day, 13 + day % 2, 5) for day in range(1, 29)]  # noqa: DTZ001  # wall clocks
    text = HEADS["libreview"] + "".join(f"L,S,{day.strftime(style)},0,100,\n" for day in days)
    assert [entry.result.at for entry in read("libreview", text) if isinstance(entry.result, Reading)] == days


@given(st.integers(10, 600))
def test_what_tidepool_converted_is_again_the_number_that_the_meter_showed(mg_dl: int) -> None:
    item = {"type": "smbg", "units": "mmol/L", "value": mg_dl / float(FACTOR), "time": "2020-01-01T00:00:00Z"}
    [entry] = Tidepool().read(lambda: [json.dumps([item])])
    assert isinstance(entry.result, Reading)
    shown = float(entry.result.value or "") * (1 if entry.result.unit == "mg/dL" else float(FACTOR))
    assert round(shown, 2) == mg_dl


def test_a_table_is_looked_for_in_its_first_lines_only() -> None:
    for module in (clarity, libreview):
        assert module.table_of(["x\n" * 100_000]) is None
