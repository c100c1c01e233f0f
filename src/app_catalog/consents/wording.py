"""What a patient is shown about a purpose, word for word: the same value fills the page and is kept with the answer."""

from dataclasses import asdict, dataclass
from typing import Any

from app_catalog.catalogue.apps import App, Purpose
from app_catalog.scopes.grammar import Scopes
from app_catalog.wiring import DataPlane, Language


@dataclass(frozen=True)
class Wording:
    """One purpose in one language. `reads` and `writes` are what its scopes open, in plain words."""

    language: str
    app: str
    vendor: str
    purpose: str
    text: str
    required: bool
    retention_days: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    everything: bool  # a wildcard: also what will come in the future (SMART 2.2, "wildcard scopes")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def wording(app: App, purpose: Purpose, language: Language, data_plane: DataPlane) -> Wording:
    return Wording(
        language=language,
        app=app.name,
        vendor=app.vendor_name,
        purpose=purpose.name[language],
        text=purpose.wording[language],
        required=purpose.required,
        retention_days=purpose.retention_days,
        reads=in_plain_words(purpose.reads, language, data_plane),
        writes=in_plain_words(purpose.writes, language, data_plane),
        everything=any(scope.resource_type == "*" for scope in purpose.scopes.resources),
    )


def in_plain_words(scopes: Scopes, language: Language, data_plane: DataPlane) -> tuple[str, ...]:
    """Each distinct description once, in the order of the scopes."""
    return tuple(dict.fromkeys(data_plane.describe(scope)[language] for scope in scopes.resources))


def language_of(tag: str) -> Language:
    """The language of our texts for a language tag: English for ``en…``, French for every other."""
    return "en" if tag.lower().startswith("en") else "fr"
