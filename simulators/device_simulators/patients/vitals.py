"""What scales, cuffs, thermometers and oximeters find on a virtual patient at a moment.

Weight and age are those of the patient. All else is chosen to look like an adult's or a child's at home, differs from
person to person and from day to day, and comes from no patient. The same person, seed and moment give the same.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import pi, sin

from device_simulators.patients.virtual_patient import VirtualPatient

_ADULT_HEIGHT_CM = 171


@dataclass(frozen=True, slots=True)
class BloodPressure:
    """mmHg; the pulse is per minute."""

    systolic: Decimal
    diastolic: Decimal
    mean: Decimal
    pulse: Decimal


class Vitals:
    """One person."""

    def __init__(self, patient: VirtualPatient, seed: int) -> None:
        chance = random.Random(f"person {patient.name} {seed}")
        self._name = f"{patient.name} {seed}"
        self.age = round(patient.age)
        self._weight_kg = patient.BW
        grown = min(0.45 + 0.03 * patient.age, 1.0)
        self.height_cm = round(_ADULT_HEIGHT_CM * grown + chance.gauss(0, 6))
        self.is_male = chance.random() < 0.5
        self._trend_days = chance.uniform(40, 120)
        self._systolic = 104 + 0.42 * patient.age + chance.gauss(0, 7)
        self._diastolic = 66 + 0.22 * patient.age + chance.gauss(0, 5)
        self._pulse = max(84 - 0.3 * patient.age, 62) + chance.gauss(0, 5)
        self._saturation = 97.5 + chance.gauss(0, 0.5) - max(patient.age - 60, 0) * 0.05
        self._temperature = 36.7 + chance.gauss(0, 0.15)

    def weight_kg(self, at: datetime) -> Decimal:
        """With two decimals: a slow wave, a day's water, and what one ate since morning."""
        chance = random.Random(f"weight {self._name} {at.date()}")
        days = at.toordinal()
        wave = 0.012 * sin(2 * pi * days / self._trend_days)
        eaten = 0.35 * min(max(at.hour - 7, 0), 12) / 12
        return _round(self._weight_kg * (1 + wave) + chance.gauss(0, 0.25) + eaten, "0.01")

    def body_fat_percent(self, at: datetime) -> Decimal:
        """P. Deurenberg, J. A. Weststrate, J. C. Seidell, Br. J. Nutr. 65(2), 1991: from body mass index, age, sex."""
        bmi = float(self.weight_kg(at)) / (self.height_cm / 100) ** 2
        fat = (
            1.20 * bmi + 0.23 * self.age - 10.8 * self.is_male - 5.4
            if self.age > 15
            else 1.51 * bmi - 0.70 * self.age - 3.6 * self.is_male + 1.4
        )
        chance = random.Random(f"fat {self._name} {at.date()}")
        return _round(min(max(fat + chance.gauss(0, 0.4), 5.0), 55.0), "0.1")

    def basal_metabolism_kcal(self, at: datetime) -> Decimal:
        """A day. M. D. Mifflin et al., Am. J. Clin. Nutr. 51(2), 1990."""
        kcal = 10 * float(self.weight_kg(at)) + 6.25 * self.height_cm - 5 * self.age
        return _round(kcal + (5 if self.is_male else -161), "1")

    def blood_pressure(self, at: datetime) -> BloodPressure:
        """Highest in the late afternoon, lowest at night."""
        chance = self._now("pressure", at)
        day = 4 * sin(2 * pi * (at.hour - 10) / 24)
        systolic = round(self._systolic + day + chance.gauss(0, 5))
        diastolic = min(round(self._diastolic + day / 2 + chance.gauss(0, 3.5)), systolic - 20)
        mean = round(diastolic + (systolic - diastolic) / 3)
        return BloodPressure(Decimal(systolic), Decimal(diastolic), Decimal(mean), self.heart_rate(at))

    def heart_rate(self, at: datetime) -> Decimal:
        """Beats a minute at rest."""
        return Decimal(round(self._pulse + self._now("pulse", at).gauss(0, 3)))

    def saturation_percent(self, at: datetime) -> Decimal:
        """Oxygen saturation by pulse oximetry."""
        return Decimal(min(round(self._saturation + self._now("saturation", at).gauss(0, 0.7)), 100))

    def perfusion_percent(self, at: datetime) -> Decimal:
        """Pulse amplitude index."""
        return _round(max(self._now("perfusion", at).gauss(4.2, 1.1), 0.3), "0.1")

    def temperature_cel(self, at: datetime) -> Decimal:
        """Of the body; one day in thirty with fever."""
        fever = 1.8 if random.Random(f"fever {self._name} {at.date()}").random() < 1 / 30 else 0.0
        day = 0.3 * sin(2 * pi * (at.hour - 11) / 24)
        return _round(self._temperature + fever + day + self._now("heat", at).gauss(0, 0.08), "0.1")

    def _now(self, what: str, at: datetime) -> random.Random:
        return random.Random(f"{what} {self._name} {at.isoformat(timespec='seconds')}")


def _round(number: float, step: str) -> Decimal:
    return Decimal(number).quantize(Decimal(step))
