"""From what was sent to what is stored: canonical value, kept precision, plausible range."""

from datetime import UTC, datetime
from decimal import Decimal
from math import ceil, floor

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from device_gateway.metrics import METRICS
from device_gateway.readings.model import Reading, Rejected
from device_gateway.readings.normalise import Scale, Value, scale_of, value_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
SCALES = [(metric.key, unit) for metric in METRICS.values() for unit in metric.accepts]
CANONICAL = [(metric.key, metric.unit) for metric in METRICS.values()]


def scale(metric: str, unit: str) -> Scale:
    found = scale_of(metric, unit)
    assert isinstance(found, Scale)
    return found


def value(metric: str, unit: str, text: str) -> Value | Rejected:
    return value_of(Reading(metric, unit, AT, value=text), scale(metric, unit))


def stored(metric: str, unit: str, text: str) -> Value:
    found = value(metric, unit, text)
    assert isinstance(found, Value), found
    return found


@pytest.mark.parametrize(
    ("metric", "unit", "text", "canonical", "decimals"),
    [
        ("body-weight", "kg", "72.40", 72.40, 2),
        ("body-weight", "g", "72400", 72.4, 0),
        ("body-weight", "[lb_av]", "160", 72.5747792, 0),
        ("body-weight", "[stone_av]", "11.5", 73.02837157, 1),
        ("blood-glucose", "mg/dL", "101", 101, 0),
        ("blood-glucose", "mmol/L", "5.60", 100.88736, 2),
        ("body-temperature", "[degF]", "98.6", 37.0, 1),
        ("hba1c", "mmol/mol", "53", 7.00044, 0),
    ],
)
def test_values_become_canonical_and_their_digits_are_kept(
    metric: str, unit: str, text: str, canonical: float, decimals: int
) -> None:
    found = stored(metric, unit, text)
    assert found.value == pytest.approx(canonical, rel=1e-9)
    assert found.decimals == decimals


@pytest.mark.parametrize(
    "text",
    ["", " ", "1,5", "1e2", "+70", "070", "70.", ".5", "NaN", "Infinity", "0x46", "70 ", "\u0667\u0660", "70\n", "--70",
     "1234567890", "70.1234567", "7_0", "\uff17\uff10"],
)  # fmt: skip
def test_anything_but_a_plain_decimal_number_is_rejected_at_the_value(text: str) -> None:
    found = value("body-weight", "kg", text)
    assert isinstance(found, Rejected)
    assert found.pointer == "/value"


@given(st.text(max_size=20))
def test_no_text_makes_the_parser_raise(text: str) -> None:
    found = value("body-weight", "kg", text)
    assert isinstance(found, Rejected) or float(text) == found.value


@pytest.mark.parametrize(("metric", "unit"), SCALES)
def test_what_no_person_can_have_is_rejected_and_the_limits_themselves_are_not(metric: str, unit: str) -> None:
    known = METRICS[metric]
    conversion = known.accepts[unit]
    for limit, beyond in ((known.low, -1), (known.high, 1)):
        sent = (limit - conversion.offset) / conversion.factor
        outside = scale(metric, unit).number(f"{sent + beyond * max(1.0, abs(sent) * 0.01):.3f}")
        assert isinstance(outside, str), f"{metric} {unit} beyond {limit}"
    for limit in (known.low, known.high):
        assert not isinstance(scale(metric, known.unit).number(f"{limit:g}"), str)


@st.composite
def plausible(draw: st.DrawFn, scales: list[tuple[str, str]]) -> tuple[str, str, str]:
    """(metric, unit, decimal string) that can be, in any number of digits that a device may send."""
    metric, unit = draw(st.sampled_from(scales))
    known, decimals = METRICS[metric], draw(st.integers(0, 6))
    conversion = known.accepts[unit]
    low, high = ((limit - conversion.offset) / conversion.factor for limit in (known.low, known.high))
    step = 10**decimals
    return metric, unit, f"{draw(st.integers(ceil(low * step), floor(high * step))) / Decimal(step):.{decimals}f}"


@given(plausible(SCALES))
def test_what_was_sent_can_be_read_back_digit_by_digit_whatever_its_unit(sent: tuple[str, str, str]) -> None:
    metric, unit, text = sent
    found = scale(metric, unit).number(text)
    if isinstance(found, str):
        reject()  # at a limit, by a rounding error of its conversion
    canonical, decimals = found
    conversion = METRICS[metric].accepts[unit]
    again = f"{(canonical - conversion.offset) / conversion.factor:.{decimals}f}"
    assert Decimal(again) == Decimal(text)


@given(plausible(CANONICAL))
def test_in_the_canonical_unit_the_stored_number_is_the_sent_one(sent: tuple[str, str, str]) -> None:
    metric, unit, text = sent
    found = scale(metric, unit).number(text)
    assert not isinstance(found, str)
    assert found[0] == float(text)


def test_an_unknown_metric_and_a_wrong_unit_are_rejected_where_they_stand() -> None:
    unknown, wrong = scale_of("shoe-size", "cm"), scale_of("body-weight", "mg/dL")
    assert isinstance(unknown, Rejected)
    assert unknown.pointer == "/metric"
    assert isinstance(wrong, Rejected)
    assert wrong.pointer == "/unit"
    assert "kg" in wrong.reason


def pressure(components: dict[str, str] | None, text: str | None = None) -> Value | Rejected:
    reading = Reading("blood-pressure", "mm[Hg]", AT, value=text, components=components)
    return value_of(reading, scale("blood-pressure", "mm[Hg]"))


def test_blood_pressure_keeps_each_component_with_its_own_digits() -> None:
    assert pressure({"systolic": "121", "diastolic": "79.5", "mean": "93.25"}) == Value(121, 79.5, 93.25, 0x210)
    assert pressure({"systolic": "121", "diastolic": "79"}) == Value(121, 79, None, 0)


@pytest.mark.parametrize(
    ("components", "pointer"),
    [
        (None, "/components"),
        ({}, "/components/systolic"),
        ({"systolic": "121"}, "/components/diastolic"),
        ({"systolic": "121", "diastolic": "x"}, "/components/diastolic"),
        ({"systolic": "79", "diastolic": "121"}, "/components/diastolic"),
        ({"systolic": "121", "diastolic": "79", "pulse": "60"}, "/components/pulse"),
        ({"systolic": "121", "diastolic": "79", "a/b~c": "60"}, "/components/a~1b~0c"),
        ({"systolic": "121", "diastolic": "79", "x" * 5000: "60"}, "/components/" + "x" * 40),
    ],
)
def test_blood_pressure_that_is_not_whole_is_rejected_where_it_is_wrong(
    components: dict[str, str] | None, pointer: str
) -> None:
    found = pressure(components)
    assert isinstance(found, Rejected)
    assert found.pointer == pointer


def test_a_metric_has_either_a_value_or_components() -> None:
    assert isinstance(pressure({"systolic": "121", "diastolic": "79"}, "121"), Rejected)
    both = Reading("body-weight", "kg", AT, value="70", components={"systolic": "1"})
    assert isinstance(value_of(both, scale("body-weight", "kg")), Rejected)
    neither = Reading("body-weight", "kg", AT)
    assert isinstance(value_of(neither, scale("body-weight", "kg")), Rejected)


def test_units_and_metrics_from_outside_fill_no_memory() -> None:
    for number in range(5000):
        assert isinstance(scale_of(f"metric-{number}", "kg"), Rejected)
    info = scale_of.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize
    known = Scale(METRICS["steps"], METRICS["steps"].unit)
    for number in range(5000):
        known.number(str(number))
    assert len(known.known) <= 4096
    assert known.number("4999") == (4999.0, 0)
