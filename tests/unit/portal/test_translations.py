import re
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

import app_catalog
import device_gateway
from device_gateway.portal.translations import translations

ROOT = Path(__file__).parents[3]
KEYWORDS = {**DEFAULT_KEYWORDS, "_n": (1, 2), "marked_plural": (1, 2)}
DOMAINS = [
    (Path(device_gateway.__file__).parent, "portal/locale/fr/LC_MESSAGES/messages.po"),
    (Path(app_catalog.__file__).parent, "locale/fr/LC_MESSAGES/app_catalog.po"),
]


def extracted(package: Path) -> set[object]:
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    return {entry[2] for entry in extract_from_dir(str(package), methods, options, keywords=KEYWORDS)}


@pytest.mark.parametrize(("package", "name"), DOMAINS, ids=["portal", "catalogue"])
def test_every_text_of_the_pages_has_a_french_translation(package: Path, name: str) -> None:
    with (package / name).open("rb") as file:
        catalogue = read_po(file, locale="fr")
    found = extracted(package)
    assert len(found) > 50
    missing = []
    for message in found:
        entry = catalogue.get(message[0] if isinstance(message, tuple) else message)
        texts = entry.string if entry and isinstance(entry.string, tuple) else (entry.string if entry else "",)
        if entry is None or entry.fuzzy or not all(texts):
            missing.append(message)
    assert missing == []


@pytest.mark.parametrize(("package", "name"), DOMAINS, ids=["portal", "catalogue"])
def test_a_translation_has_the_same_placeholders_as_its_original(package: Path, name: str) -> None:
    with (package / name).open("rb") as file:
        catalogue = read_po(file, locale="fr")
    faults = [(message.id, [str(fault) for fault in message.check(catalogue)]) for message in catalogue if message.id]
    assert [fault for fault in faults if fault[1]] == []


def test_plural_forms_follow_each_language() -> None:
    french, english = translations("fr"), translations("en")
    one, many = "%(num)s device paired", "%(num)s devices paired"
    assert french.ungettext(one, many, 0) == "%(num)s appareil appairé"
    assert french.ungettext(one, many, 2) == "%(num)s appareils appairés"
    assert english.ungettext(one, many, 0) == many


@pytest.mark.parametrize(("package", "name"), DOMAINS, ids=["portal", "catalogue"])
def test_french_signs_and_apostrophes_are_typographic(package: Path, name: str) -> None:
    """U+00A0 before a colon and within guillemets, U+202F before ; ? and !: no line begins with them."""
    with (package / name).open("rb") as file:
        texts = [message.string for message in read_po(file, locale="fr") if message.id]
    each = [one for text in texts for one in (text if isinstance(text, tuple) else (text,))]
    assert [one for one in each if re.search(r" [:;?!»]|« |\u00a0[;?!]|'", one)] == []
