"""Every text of the catalogue's pages exists in French."""

from importlib.resources import as_file

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from app_catalog import LOCALE, TEMPLATES, CatalogueError

KEYWORDS = {
    "_": None,
    "ngettext": (1, 2),
    "marked": (1,),
    "Fault": (2,),
    "NotAllowed": (1,),
    "WrongState": (1,),
    "Malformed": (1,),
}
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]


def shown():
    with as_file(TEMPLATES) as templates:
        for _, _, message, _, _ in extract_from_dir(templates.parent, METHODS, keywords=KEYWORDS):
            yield message
    errors = [CatalogueError, *CatalogueError.__subclasses__()]
    yield from (error.__doc__.splitlines()[0] for error in errors)


def test_every_text_is_translated_and_no_translation_is_left_over():
    with LOCALE.joinpath("fr", "LC_MESSAGES", "app_catalog.po").open("rb") as file:
        french = read_po(file, locale="fr")
    texts = set(shown())
    assert not {
        text for text in texts if not (french.get(text[0] if isinstance(text, tuple) else text) or _NONE).string
    }
    assert {message.id for message in french if message.id} <= texts
    assert not [message.id for message in french if message.fuzzy and message.id]


def test_translations_name_the_same_things():
    with LOCALE.joinpath("fr", "LC_MESSAGES", "app_catalog.po").open("rb") as file:
        for message in read_po(file, locale="fr"):
            if message.id and isinstance(message.id, str):
                assert sorted(_fields(message.id)) == sorted(_fields(message.string)), message.id


class _NONE:
    string = ""


def _fields(text):
    return [part.split("}")[0] for part in text.split("{")[1:]]
