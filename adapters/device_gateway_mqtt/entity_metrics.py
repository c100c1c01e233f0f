"""What a sensor of home automation measures: by the words of its object id, and a unit that fits them.

A device class alone does not tell: "weight" is also that of a bone, "temperature" that of a room. What fits no row
holds no reading.
"""

import re
from typing import Final, NamedTuple

KILOGRAMS: Final = {"kg": "kg", "g": "g", "lb": "[lb_av]", "lbs": "[lb_av]", "st": "[stone_av]"}
PERCENT: Final = {"%": "%"}
A_MINUTE: Final = {"bpm": "/min", "/min": "/min", "1/min": "/min", "br/min": "/min", "breaths/min": "/min"}

# Metric, phrases of which one must stand in the object id, and units as sent ▸ UCUM. The first row that fits counts.
ROWS: Final = (
    ("muscle-mass", ("muscle_mass", "muscle"), {"kg": "kg", "lb": "[lb_av]", "lbs": "[lb_av]"}),
    ("muscle-percentage", ("muscle_percentage", "muscle_rate", "muscle"), PERCENT),
    ("body-fat", ("body_fat_percentage", "body_fat", "fat_percentage"), PERCENT),
    ("body-water", ("body_water_percentage", "body_water"), PERCENT),
    ("bmi", ("body_mass_index", "bmi"), {"kg/m²": "kg/m2", "kg/m2": "kg/m2"}),
    ("body-weight", ("body_weight", "weight"), KILOGRAMS),
    ("oxygen-saturation", ("blood_oxygen_saturation", "oxygen_saturation", "blood_oxygen", "spo2"), PERCENT),
    ("heart-rate", ("heart_rate", "pulse_rate", "pulse"), A_MINUTE),
    ("respiratory-rate", ("respiratory_rate", "respiration_rate", "breathing_rate"), A_MINUTE),
    ("body-temperature", ("body_temperature", "body_temp"), {"°C": "Cel", "°F": "[degF]"}),
    ("blood-glucose", ("blood_glucose", "blood_sugar"), {"mg/dL": "mg/dL", "mmol/L": "mmol/L"}),
)
OF_A_PART: Final = frozenset({"bone", "fat", "lean", "water", "protein", "visceral", "ideal", "target", "muscle"})
SEPARATOR: Final = re.compile(r"[^a-z0-9]+", re.ASCII)


class Meaning(NamedTuple):
    """rest  what is left of the object id: which of several devices it is, for instance ``bathroom-scale``."""

    metric: str
    unit: str
    rest: str


def meaning_of(object_id: str, unit: str) -> Meaning | None:
    """None: nothing that we know to be measured on a person."""
    plain = f"_{SEPARATOR.sub('_', object_id.lower()).strip('_')}_"
    for metric, phrases, units in ROWS:
        ucum = units.get(unit)
        phrase = next((p for p in phrases if f"_{p}_" in plain), None)
        if ucum is None or phrase is None:
            continue
        if metric == "body-weight" and OF_A_PART & set(plain.split("_")):
            return None
        return Meaning(metric, ucum, plain.replace(f"_{phrase}_", "_", 1).strip("_").replace("_", "-"))
    return None
