"""The port of the UVA/Padova equations against what is published of them."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean

import pytest

from device_simulators.patients.glucose import glucose_trace, sensor_trace
from device_simulators.patients.physiology import Physiology
from device_simulators.patients.virtual_patient import UnknownPatient, VirtualPatient, patient, patients

START = datetime.fromisoformat("2026-11-02T00:00:00")
EVERYONE = sorted(patients())


def after(person: VirtualPatient, minutes: int, *, eaten_g: float = 0, bolus_u: float = 0) -> list[float]:
    """Plasma glucose, minute by minute, of a fasting person under basal insulin."""
    body = Physiology(person)
    body.eat(eaten_g)
    course = []
    for minute in range(minutes):
        body.minute(person.basal_u_per_min + (bolus_u if minute == 0 else 0))
        course.append(body.plasma_mg_dl)
    return course


@pytest.mark.parametrize("name", EVERYONE)
def test_a_fasting_person_under_basal_insulin_stays_where_they_are(name: str) -> None:
    fasting = Physiology(patient(name)).plasma_mg_dl
    assert 110 <= fasting <= 160
    assert after(patient(name), 12 * 60) == pytest.approx([fasting] * 12 * 60, abs=0.5)


@pytest.mark.parametrize("name", EVERYONE)
def test_a_meal_raises_glucose_and_a_bolus_lowers_it(name: str) -> None:
    person = patient(name)
    steady, eaten = after(person, 240), after(person, 240, eaten_g=50)
    assert max(eaten) - steady[0] > 40
    peak_min = eaten.index(max(eaten))
    assert 25 <= peak_min < 240
    assert after(person, 240, bolus_u=1)[-1] < steady[-1] - 3
    covered = after(person, 240, eaten_g=50, bolus_u=50 / person.carb_ratio)
    assert max(covered) < max(eaten)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("adult#001", [194.8, 184.2, 162.8]),
        ("adolescent#007", [310.3, 271.2, 153.3]),
        ("child#008", [421.9, 289.9, 68.8]),
    ],
)
def test_a_meal_goes_as_in_the_simulator_that_was_ported(name: str, published: list[float]) -> None:
    """simglucose 0.2.11: its equations and parameters, 60 g and 5 U at minute 0, after 1, 2 and 5 hours."""
    course = after(patient(name), 300, eaten_g=60, bolus_u=5)
    assert [course[59], course[119], course[299]] == pytest.approx(published, abs=1)


def test_one_unit_lowers_glucose_about_as_far_as_the_published_correction_factors_say() -> None:
    ratios = []
    for person in patients().values():
        fallen = Physiology(person).plasma_mg_dl - after(person, 300, bolus_u=1)[-1]
        ratios.append(fallen / person.correction_factor)
    assert 0.7 <= fmean(ratios) <= 1.6


def test_a_meal_is_absorbed_and_no_more_than_was_eaten() -> None:
    body = Physiology(patient("adult#001"))
    body.eat(60)
    assert body.carbohydrate_to_come_g == pytest.approx(60)
    for _ in range(12 * 60):
        body.minute(0.02)
    assert 0 <= body.carbohydrate_to_come_g < 3


def test_a_sensor_under_the_skin_is_minutes_behind_plasma() -> None:
    plasma: list[float] = []
    skin: list[float] = []
    person = patient("adult#001")
    body = Physiology(person)
    body.eat(60)
    for minute in range(240):
        body.minute(person.basal_u_per_min + (60 / person.carb_ratio if minute == 0 else 0))
        plasma.append(body.plasma_mg_dl)
        skin.append(body.interstitial_mg_dl)
    assert 3 <= skin.index(max(skin)) - plasma.index(max(plasma)) <= 30


@pytest.mark.parametrize("trace", [glucose_trace, sensor_trace])
def test_a_seed_makes_the_same_trace_again(trace: Callable[..., Iterator[tuple[datetime, float]]]) -> None:
    person = patient("adolescent#002")

    assert list(trace(person, START, 1, 1)) == list(trace(person, START, 1, 1))
    assert list(trace(person, START, 1, 1)) != list(trace(person, START, 1, 2))


def test_a_trace_has_a_value_each_step_from_its_start_on() -> None:
    start = START + timedelta(hours=13, minutes=7, seconds=20)
    times = [at for at, _ in glucose_trace(patient("child#001"), start, 0.5, step_s=60)]
    assert times == [start + timedelta(minutes=minute) for minute in range(720)]
    with pytest.raises(ValueError, match="whole number of minutes"):
        next(glucose_trace(patient("child#001"), START, 1, step_s=90))


@pytest.mark.parametrize("each", [4, pytest.param(1, marks=pytest.mark.slow)], ids=["each fourth", "all"])
def test_two_weeks_are_spent_in_range_as_treated_people_spend_them(each: int) -> None:
    """Consensus: Battelino et al., Diabetes Care 42(8), 2019: 70 to 180 mg/dL; aims at more than 70 % of the time."""
    in_range, low = [], []
    for person in list(patients().values())[::each]:
        shown = [mg_dl for _, mg_dl in sensor_trace(person, START, 14)]
        in_range.append(sum(70 <= mg_dl <= 180 for mg_dl in shown) / len(shown))
        low.append(sum(mg_dl < 54 for mg_dl in shown) / len(shown))
    assert sum(0.55 <= share <= 0.80 for share in in_range) >= 3 * len(in_range) / 4
    assert 0.6 < fmean(in_range) < 0.8
    assert max(low) < 0.04


def test_the_error_of_a_sensor_wanders_and_is_as_large_as_of_todays_sensors() -> None:
    person = patient("adult#003")
    shown = [mg_dl for _, mg_dl in sensor_trace(person, START, 7)]
    plasma = [mg_dl for _, mg_dl in glucose_trace(person, START, 7)]
    relative = fmean(abs(a - b) / b for a, b in zip(shown, plasma, strict=True))
    assert 0.05 < relative < 0.16  # mean absolute relative difference
    errors = [a - b for a, b in zip(shown, plasma, strict=True)]
    middle = fmean(errors)
    neighbours = fmean((a - middle) * (b - middle) for a, b in pairwise(errors))
    assert neighbours / fmean((error - middle) ** 2 for error in errors) > 0.8
    other = [mg_dl for _, mg_dl in sensor_trace(person, START, 7, sensor=2)]
    assert other != shown


def test_an_unknown_patient_is_named() -> None:
    with pytest.raises(UnknownPatient, match="adult#011"):
        patient("adult#011")
