"""French or English, as the browser prefers; and numbers and dates written that way."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from babel.dates import format_datetime

Language = Literal["fr", "en"]
DEFAULT: Final[Language] = "fr"
LANGUAGES: Final[dict[str, Language]] = {"fr": "fr", "en": "en"}
PATTERNS: Final = {"fr": "d MMM y 'à' HH:mm", "en": "d MMM y, HH:mm"}

_WEIGHT = re.compile(r"[01](\.\d{0,3})?")  # RFC 9110 §12.4.2


def preferred(accept_language: str) -> Language:
    """The language of ours that an Accept-Language header weighs highest (RFC 9110 §12.5.4)."""
    weighed: list[tuple[float, Language]] = []
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";q=")
        language = LANGUAGES.get(tag.lower().split("-", maxsplit=1)[0])
        if language and _WEIGHT.fullmatch(weight or "1"):
            weighed.append((float(weight or 1), language))
    return max(weighed, key=lambda item: item[0], default=(0.0, DEFAULT))[1]


def number(value: Decimal, language: Language) -> str:
    """With all its digits, and a comma in French."""
    text = format(value, "f")
    return text.replace(".", ",") if language == "fr" else text


def signed(value: Decimal, language: Language) -> str:
    """With a plus, or a true minus sign."""
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + number(abs(value), language)


def moment(at: datetime, language: Language) -> str:
    """The patient's wall clock at that time, whatever zone the reader is in."""
    return format_datetime(at.replace(tzinfo=None), PATTERNS[language], locale=language)
