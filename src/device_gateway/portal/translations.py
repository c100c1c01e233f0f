"""Translations, read from the `.po` files at start-up and kept in memory: there is no compiled file to forget.

Messages are English in the source, so English needs no file. Reading both French files takes some 30 ms.
"""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from device_gateway.accounts.account import Language

CATALOGUES = (("device_gateway.portal", "messages.po"), ("app_catalog", "app_catalog.po"))


@cache
def translations(language: Language) -> NullTranslations:
    """Texts of the portal and of the catalogue in `language`, with the first file's rule for plurals."""
    if language == "en":
        return NullTranslations()
    paths = (files(package).joinpath("locale", language, "LC_MESSAGES", name) for package, name in CATALOGUES)
    first, *others = (_read(path, language) for path in paths)
    for other in others:
        first.merge(other)
    return first


def _read(file: Traversable, language: Language) -> Translations:
    with file.open("rb") as source:
        catalogue = read_po(source, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def marked_plural(one: str, many: str) -> tuple[str, str]:
    """Marks two forms of a message for extraction, to be translated where they are shown."""
    return one, many


def marked(message: str) -> str:
    """Marks `message` for extraction, to be translated where it is shown."""
    return message
