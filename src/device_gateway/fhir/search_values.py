"""Values of search parameters: alternatives, tokens, references (FHIR R4, 3.1.1.4)."""

import re
from typing import NamedTuple

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class Token(NamedTuple):
    """``code`` alone means any system (None), ``|code`` no system (""); ``system|`` any code (None)."""

    system: str | None
    code: str | None

    def matches(self, system: str, code: str) -> bool:
        return self.system in {None, system} and self.code in {None, code}


class Reference(NamedTuple):
    """Type is None where only an id was given."""

    type: str | None
    id: str


def alternatives(text: str) -> list[str]:
    r"""Split at commas that are not escaped; ``\|`` and the other escapes stay for the parser of the single value."""
    return [part for part in _split(text, ",") if part]


def parse_token(text: str) -> Token:
    """Raises ValueError, saying what to change."""
    parts = _split(text, "|")
    if len(parts) > 2:
        raise ValueError("a token is written code, system|code, system| or |code; a | inside is escaped as \\|")
    if len(parts) == 1:
        return Token(None, _plain(parts[0]))
    system, code = map(_plain, parts)
    if not system and not code:
        raise ValueError("a system or a code is needed beside the |")
    return Token(system, code or None)


def parse_reference(text: str, base_url: str) -> Reference | None:
    """A reference in any of its spellings, or None: it is well-formed and can be nothing of ours.

    Raises ValueError, saying what to change.
    """
    text = _plain(text)
    if "://" in text or text.startswith("urn:"):
        if not text.startswith(base_url + "/"):
            return None
        text = text[len(base_url) + 1 :]
    parts = text.split("/")
    if len(parts) > 2 or not _ID.fullmatch(parts[-1]):
        raise ValueError("a reference is written as an id, Type/id, or the URL of the resource")
    return Reference(parts[0] if len(parts) == 2 else None, parts[-1])


def _split(text: str, separator: str) -> list[str]:
    parts = [""]
    characters = iter(text)
    for character in characters:
        if character == "\\":
            parts[-1] += character + next(characters, "")
        elif character == separator:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
