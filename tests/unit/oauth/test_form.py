"""Forms are read strictly or not at all."""

import contextlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_catalog.form import Fields, Malformed, parse

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_what_a_browser_encodes_is_read_back(pairs):
    assert parse(urlencode(pairs).encode()).pairs == tuple(pairs)


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw):
    with contextlib.suppress(Malformed):
        assert isinstance(parse(raw), Fields)


@pytest.mark.parametrize("raw", [b"\xff", b"a=%ff", b"a=%00", b"%00=a", b"a=%7f%1b", b"a=%ed%a0%80", b"a&" * 400])
def test_what_is_not_text_is_refused(raw):
    with pytest.raises(Malformed):
        parse(raw)


def test_an_empty_value_counts_as_absent_and_the_first_one_counts():
    fields = parse(b"a=&a=1&a=2&b=&c=3")
    assert fields.first == {"a": "1", "c": "3"}
    assert fields.get("b") is None
    assert fields.all("a") == ("1", "2")
    assert fields.repeated == ("a",)
