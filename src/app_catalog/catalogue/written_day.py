"""Days in words, where the catalogue writes to patients."""

from datetime import date
from typing import Final

from app_catalog.wiring import Language, Texts

MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
        "décembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
}  # fmt: skip


def written_days(day: date) -> Texts:
    """`day` in every language of letters."""
    return {language: written_day(day, language) for language in MONTHS}


def written_day(day: date, language: Language) -> str:
    """For instance “1er mars 2026”, “1 March 2026”."""
    number = "1er" if day.day == 1 and language == "fr" else str(day.day)
    return f"{number} {MONTHS[language][day.month - 1]} {day.year}"
