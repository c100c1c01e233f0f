"""What glucose columns hold: a number in the writer's decimal style, a word for "out of range", or nothing."""

from typing import Final

from device_gateway.readings.model import Rejected

MG_DL: Final = "mg/dL"
MMOL_L: Final = "mmol/L"
# Words that sensors, receivers and their web sites write in English, German and French.
BELOW_WORDS: Final = frozenset({"low", "lo", "niedrig", "tief", "bas", "basse", "faible"})
ABOVE_WORDS: Final = frozenset({"high", "hi", "hoch", "haut", "haute", "élevé", "élevée"})

# As a special value of a Bluetooth sensor: there is no number to keep.
BELOW: Final = Rejected("/value", "the sensor gave no number: below what it can measure")
ABOVE: Final = Rejected("/value", "the sensor gave no number: above what it can measure")
NO_VALUE: Final = Rejected("/value", "there is no value")
NO_TIME: Final = Rejected("/at", "the date and time cannot be read")


def decimal_text(text: str) -> str | Rejected:
    """A decimal string with a point; the digits stay. What is no number is found out when it is read."""
    if not text:
        return NO_VALUE
    word = text.lower()
    if word in BELOW_WORDS:
        return BELOW
    if word in ABOVE_WORDS:
        return ABOVE
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def unit_in(text: str) -> str | None:
    """The unit that the name of a column ends with, as "Historic Glucose mg/dL" or "Glukosewert (mmol/l)"."""
    lowered = text.lower()
    return MG_DL if "mg/dl" in lowered else MMOL_L if "mmol/l" in lowered else None
