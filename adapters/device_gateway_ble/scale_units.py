"""Masses and lengths as the scales of the Bluetooth SIG count them: kilogram and metre, or pound and inch.

Steps: Weight Scale Service 1.0, 3.2; Body Composition Service 1.0, 3.2. The resolutions in the feature characteristics
say how exact a scale is; they do not change these steps.
"""

from decimal import Decimal
from typing import Final, NamedTuple

from device_gateway_ble.medfloat import decimal_text

UNSUCCESSFUL: Final = 0xFFFF


class Step(NamedTuple):
    """What one count stands for, and the UCUM unit."""

    size: Decimal
    unit: str

    def text(self, count: int) -> str:
        """`count` steps as an exact decimal string, with the decimals of the step."""
        return decimal_text(count * self.size)


KILOGRAM: Final = Step(Decimal("0.005"), "kg")
POUND: Final = Step(Decimal("0.01"), "[lb_av]")
METRE: Final = Step(Decimal("0.001"), "m")
INCH: Final = Step(Decimal("0.1"), "[in_i]")
TENTH_PERCENT: Final = Step(Decimal("0.1"), "%")
TENTH_BMI: Final = Step(Decimal("0.1"), "kg/m2")
TENTH_OHM: Final = Step(Decimal("0.1"), "Ohm")
KILOJOULE: Final = Step(Decimal(1), "kJ/(24.h)")

# Accuracy by the number in the feature characteristic: the first three bits of mass, the next of length.
MASS_RESOLUTIONS: Final = ("", "0.5 kg", "0.2 kg", "0.1 kg", "0.05 kg", "0.02 kg", "0.01 kg", "0.005 kg")
LENGTH_RESOLUTIONS: Final = ("", "0.01 m", "0.005 m", "0.001 m")
