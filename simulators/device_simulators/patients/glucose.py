"""Traces of glucose: what is in the plasma, and what a sensor under the skin shows of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from device_simulators.patients.habits import Habits
from device_simulators.patients.physiology import Physiology
from device_simulators.patients.sensor_error import SensorError
from device_simulators.patients.virtual_patient import VirtualPatient

_BEFORE_DAYS = 1  # lived before a trace begins, so that it does not begin with a fast
_DAWN = (4 * 60, 8 * 60)  # minutes of the day in which hormones work against insulin
_DAWN_LOSS = 0.18


def glucose_trace(
    patient: VirtualPatient, start: datetime, days: float, seed: int = 1, step_s: int = 300
) -> Iterator[tuple[datetime, float]]:
    """Plasma glucose in mg/dL every `step_s` from `start` on, which has the person's own wall clock.

    The same arguments give the same trace. `step_s` is a whole number of minutes; ValueError otherwise.
    """
    for at, body in _life(patient, start, days, seed, step_s):
        yield at, body.plasma_mg_dl


def sensor_trace(
    patient: VirtualPatient, start: datetime, days: float, seed: int = 1, step_s: int = 300, *, sensor: int = 1
) -> Iterator[tuple[datetime, float]]:
    """The same hours as a continuous sensor shows them: interstitial, with the error of a sensor, 40 to 400 mg/dL.

    `sensor` is the number of the sensor that the person wears: the next one errs differently.
    """
    error = SensorError(f"{patient.name} {seed} {sensor}")
    for at, body in _life(patient, start, days, seed, step_s):
        yield at, error.shown(at, body.interstitial_mg_dl)


def _life(
    patient: VirtualPatient, start: datetime, days: float, seed: int, step_s: int
) -> Iterator[tuple[datetime, Physiology]]:
    if step_s < 60 or step_s % 60:
        raise ValueError("step_s is a whole number of minutes")
    body, habits = Physiology(patient), Habits(patient, seed)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=_BEFORE_DAYS)
    first = round((start - midnight).total_seconds() / 60)
    count = round(days * 86_400 / step_s)
    step = step_s // 60
    for minute in range(first + count * step):
        if minute >= first and (minute - first) % step == 0:
            yield start + timedelta(minutes=minute - first), body
        of_day = minute % 1440
        if of_day == 0:
            habits.begin((midnight + timedelta(minutes=minute)).date())
        seen = body.interstitial_mg_dl
        body.eat(habits.eats(of_day, seen))
        given = patient.basal_u_per_min + habits.injects(of_day, seen)
        effect = habits.sensitivity - (_DAWN_LOSS if _DAWN[0] <= of_day < _DAWN[1] else 0)
        body.minute(given * effect)
