"""From stored numbers back to what was sent, digit for digit."""

from collections import namedtuple
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.metrics import METRICS
from device_gateway.readings.model import Reading
from device_gateway.readings.normalise import scale_of, value_of
from device_gateway.readings.rows import Series, kept_reading

Row = namedtuple("Row", "series time seq value value2 value3 decimals offset_min flags version context amended")
AT = datetime(2026, 11, 21, 6, 31, 5, tzinfo=UTC)


def stored(reading, offset_min=60, status=0):
    """The row that ingestion writes for `reading`."""
    scale = scale_of(reading.metric, reading.unit)
    value = value_of(reading, scale)
    columns = (
        value.value,
        value.value2,
        value.value3,
        value.decimals,
        offset_min,
        scale.flags | status << 8,
        1,
        None,
        False,
    )
    return Row(1, AT, 0, *columns)


def kept(reading, **options):
    return kept_reading(stored(reading, **options), Series(1, UUID(int=5), METRICS[reading.metric], UUID(int=6), None))


@pytest.mark.parametrize(
    ("metric", "value", "unit", "canonical"),
    [
        ("body-weight", "72.40", "kg", "72.40"),
        ("body-weight", "159.6", "[lb_av]", "72.39"),
        ("blood-glucose", "5.60", "mmol/L", "101"),
        ("blood-glucose", "101", "mg/dL", "101"),
        ("hba1c", "48", "mmol/mol", "6.5"),
        ("body-temperature", "98.6", "[degF]", "37.0"),
        ("steps", "0", "1/(24.h)", "0"),
    ],
)
def test_digits_come_back_in_the_unit_sent_and_sensibly_in_the_canonical_one(metric, value, unit, canonical):
    reading = kept(Reading(metric=metric, unit=unit, at=AT, value=value))
    assert (reading.sent.value, reading.sent.unit) == (value, unit)
    assert (reading.canonical.value, reading.canonical.unit) == (canonical, METRICS[metric].unit)
    assert reading.numbers == (pytest.approx(float(canonical), abs=0.5),)


def test_a_blood_pressure_has_components_and_no_value():
    reading = kept(
        Reading("blood-pressure", "kPa", AT, components={"systolic": "16.13", "diastolic": "10.5"}), offset_min=-210
    )
    assert reading.sent.value is None
    assert reading.sent.components == {"systolic": "16.13", "diastolic": "10.5"}
    assert reading.canonical.components == {"systolic": "121", "diastolic": "79"}
    assert reading.numbers[2] is None
    assert reading.at.isoformat() == "2026-11-21T03:01:05-03:30"


def test_status_and_unknown_offset_are_told():
    reading = kept(Reading("heart-rate", "/min", AT, "61"), status=1, offset_min=None)
    assert reading.status == "preliminary"
    assert reading.at.isoformat() == "2026-11-21T06:31:05+00:00"


@given(
    st.sampled_from([(one.key, unit) for one in METRICS.values() if not one.components for unit in one.accepts]),
    st.decimals(0, 700, places=4), st.integers(0, 4),
)  # fmt: skip
def test_any_value_comes_back_as_it_was_sent(what, number, places):
    metric, unit = what
    text = f"{number:.{places}f}"
    scale = scale_of(metric, unit)
    if isinstance(scale.number(text), str):
        return  # out of the plausible range
    assert kept(Reading(metric, unit, AT, text)).sent.value == text
