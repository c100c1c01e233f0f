"""Ids of readings: reversible, canonical, and nothing else is one."""

import base64
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.errors import NotFound
from device_gateway.readings.reading_id import INT8_MAX, INT8_MIN, ReadingId, SeriesIds, microseconds, parse_reading_id

INT8 = st.integers(INT8_MIN, INT8_MAX)
IDENTITIES = st.builds(ReadingId, st.uuids(), INT8, INT8)


@given(IDENTITIES)
def test_an_id_leads_back_to_its_identity(identity):
    text = str(identity)
    assert len(text) <= 64
    assert parse_reading_id(text) == identity


@given(IDENTITIES)
def test_an_id_is_the_base32_of_the_identity(identity):
    octets = identity.series.bytes + struct.pack(">qq", identity.at_us, identity.seq)
    assert str(identity) == "r." + base64.b32encode(octets).decode().rstrip("=").lower()


@given(st.text(max_size=70) | IDENTITIES.map(str).flatmap(lambda text: st.sampled_from(
    [text.upper(), text[:-1], text + "a", text + "=", text[2:], "d." + text[2:], text[:-1] + "b", "r_" + text[2:]]
)))  # fmt: skip
def test_whatever_is_not_written_so_is_no_id(text):
    try:
        identity = parse_reading_id(text)
    except NotFound:
        return
    assert str(identity) == text


def test_an_id_once_given_out_stays_the_same():
    identity = ReadingId(UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301"), 1_763_706_665_000_000, 41)
    assert str(identity) == "r.h4sqjycprfa5hgqmamc6qlbtaeaamrau6vavyqaaaaaaaaaaaauq"


@pytest.mark.parametrize(
    "instant", [datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), datetime(2262, 1, 1, tzinfo=UTC)]
)
def test_microseconds_are_exact_on_both_sides_of_the_epoch(instant):
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(instant)) == instant


@given(st.uuids(), st.lists(st.tuples(INT8, INT8)))
def test_a_page_of_a_series_has_the_ids_that_each_reading_has_alone(series, identities):
    ids = SeriesIds(series)
    assert [ids.id_of(*each) for each in identities] == [str(ReadingId(series, *each)) for each in identities]
