"""Free text that people write about an app, held to what can be shown and kept."""

import re
from typing import Final

from app_catalog.errors import Fault, Unacceptable

MAX_TEXT: Final = 4000  # characters
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0B-\x1F\x7F]")


def checked_text(pointer: str, text: str, limit: int = MAX_TEXT) -> str:
    """`text` without space around it. Raises Unacceptable for none, too much, or what cannot be shown."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise Unacceptable(Fault(pointer, "This is needed."))
    if len(text) > limit or _UNPRINTABLE.search(text):
        raise Unacceptable(Fault(pointer, "This is too long, or has characters that cannot be shown."))
    return text
