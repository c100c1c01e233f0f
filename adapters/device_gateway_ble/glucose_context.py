"""Glucose Measurement Context (0x2A34). Layout: Glucose Service 1.0.1, 3.2; GATT Specification Supplement."""

from collections.abc import Mapping
from typing import Final

from device_gateway.readings.model import ContextValue
from device_gateway_ble.medfloat import decimal_text
from device_gateway_ble.octets import Octets, RefusedField

CARBOHYDRATE, MEAL, TESTER_HEALTH, EXERCISE = 0x01, 0x02, 0x04, 0x08
MEDICATION, MEDICATION_IN_LITRES, HBA1C, EXTENDED_FLAGS = 0x10, 0x20, 0x40, 0x80

G_IN_KG: Final = 3  # powers of ten
MG_IN_KG: Final = 6
ML_IN_L: Final = 3

_EXERCISE_OVERRUN = 0xFFFF
_NOT_AVAILABLE = 15

CARBOHYDRATES: Final = {1: "breakfast", 2: "lunch", 3: "dinner", 4: "snack", 5: "drink", 6: "supper", 7: "brunch"}
MEALS: Final = {1: "before-meal", 2: "after-meal", 3: "fasting", 4: "casual", 5: "bedtime"}
TESTERS: Final = {1: "self", 2: "health-care-professional", 3: "laboratory"}
HEALTHS: Final = {1: "minor-issues", 2: "major-issues", 3: "during-menses", 4: "under-stress", 5: "no-issues"}
MEDICATIONS: Final = {
    1: "rapid-acting-insulin",
    2: "short-acting-insulin",
    3: "intermediate-acting-insulin",
    4: "long-acting-insulin",
    5: "pre-mixed-insulin",
}


def parse_glucose_context(data: bytes) -> tuple[int, dict[str, ContextValue]]:
    """(sequence number of the measurement it belongs to, context by key). Raises RefusedField.

    Keys: ``carbohydrate`` and ``carbohydrate-g``; ``meal``; ``tester``; ``health``; ``exercise-s`` (or
    ``exercise-overrun``: longer than the meter can count) and ``exercise-intensity-percent``; ``medication`` and
    ``medication-mg`` or ``medication-ml``; ``hba1c-percent``. Amounts are decimal strings with the digits sent.
    """
    octets = Octets(data)
    flags = octets.unsigned(1, "/context/flags")
    seq = octets.unsigned(2, "/context/sequence")
    context: dict[str, ContextValue] = {}
    if flags & EXTENDED_FLAGS and octets.unsigned(1, "/context/extended-flags"):
        raise RefusedField("/context/extended-flags", "a reserved flag is set: fields of a later version are misread")
    if flags & CARBOHYDRATE:
        context["carbohydrate"] = _named(octets.unsigned(1, "/context/carbohydrate"), CARBOHYDRATES, "carbohydrate")
        context["carbohydrate-g"] = decimal_text(octets.sfloat("/context/carbohydrate-amount"), G_IN_KG)
    if flags & MEAL:
        context["meal"] = _named(octets.unsigned(1, "/context/meal"), MEALS, "meal")
    if flags & TESTER_HEALTH:
        octet = octets.unsigned(1, "/context/tester-health")
        if (tester := octet & 0x0F) != _NOT_AVAILABLE:
            context["tester"] = _named(tester, TESTERS, "tester")
        if (health := octet >> 4) != _NOT_AVAILABLE:
            context["health"] = _named(health, HEALTHS, "health")
    if flags & EXERCISE:
        _exercise(octets, context)
    if flags & MEDICATION:
        context["medication"] = _named(octets.unsigned(1, "/context/medication"), MEDICATIONS, "medication")
        amount = octets.sfloat("/context/medication-amount")
        if flags & MEDICATION_IN_LITRES:
            context["medication-ml"] = decimal_text(amount, ML_IN_L)
        else:
            context["medication-mg"] = decimal_text(amount, MG_IN_KG)
    if flags & HBA1C:
        context["hba1c-percent"] = decimal_text(octets.sfloat("/context/hba1c"), 0)
    octets.end()
    return seq, context


def _exercise(octets: Octets, context: dict[str, ContextValue]) -> None:
    duration_s = octets.unsigned(2, "/context/exercise-duration")
    intensity = octets.unsigned(1, "/context/exercise-intensity")
    if intensity > 100:
        raise RefusedField("/context/exercise-intensity", "more than 100 %")
    if duration_s == _EXERCISE_OVERRUN:
        context["exercise-overrun"] = True
    else:
        context["exercise-s"] = duration_s
    context["exercise-intensity-percent"] = intensity


def _named(number: int, names: Mapping[int, str], field: str) -> str:
    if name := names.get(number):
        return name
    raise RefusedField(f"/context/{field}", f"reserved {field} {number}")
