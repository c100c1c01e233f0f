"""What a version changes: field by field, purposes by their key, answers by their criterion, documents by content."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.applications.labels import LABELS
from app_catalog.applications.published import ECONOMIC_MODELS, LINKS, REGIONS, THEMES
from app_catalog.criteria.answers import ANSWERS, Answer
from app_catalog.documents.document import KINDS, Document
from app_catalog.words import marked

ALIKE = 0.6  # share of words that two texts have in common: below, the one and then the other reads better
YES, NO = marked("yes"), marked("no")

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Change:
    """One difference; an empty side means that there was, or is, nothing.

    label       what changed, as an English msgid
    about       of which purpose, criterion or file; empty for the app itself
    translated  whether the two sides are English msgids as well, rather than the vendor's text
    """

    label: str
    before: str
    after: str
    about: str = ""
    translated: bool = False

    @property
    def pieces(self) -> Sequence[tuple[Literal["same", "gone", "new"], str]]:
        """The text of the vendor, word by word."""
        before, after = _WORDS.findall(self.before), _WORDS.findall(self.after)
        matched = SequenceMatcher(lambda word: word.isspace(), before, after, autojunk=False)
        if matched.ratio() < ALIKE:
            before, after = [self.before], [self.after]
            matched = SequenceMatcher(None, before, after, autojunk=False)
        pieces: list[tuple[Literal["same", "gone", "new"], str]] = []
        for kind, i, j, k, m in matched.get_opcodes():
            if kind == "equal":
                pieces.append(("same", "".join(before[i:j])))
            else:
                pieces += [("gone", "".join(before[i:j])), ("new", "".join(after[k:m]))]
        return [piece for piece in pieces if piece[1]]


@dataclass(frozen=True)
class Side:
    """A version as far as it is compared. `logo` is the SHA-256 of a picture."""

    application: Application
    answers: Mapping[str, Answer]
    documents: Sequence[Document]
    logo: bytes | None


def difference(before: Side, after: Side) -> tuple[Change, ...]:
    """In the order of the form."""
    return (
        *_fields(_texts(before.application), _texts(after.application)),
        *_codes(before.application, after.application),
        *_fields({"logo": _short(before.logo)}, {"logo": _short(after.logo)}),
        *_purposes(before.application.purposes, after.application.purposes),
        *_documents(before.documents, after.documents),
        *_answers(before, after),
    )


def _short(digest: bytes | None) -> str:
    return digest.hex()[:8] if digest else ""


def _texts(application: Application) -> dict[str, str]:
    return {
        "name": application.name,
        "description_fr": application.description.get("fr", ""),
        "description_en": application.description.get("en", ""),
        **{f"links_{name}": application.published.links.get(name, "") for name in LINKS},
        "medical_device_class": application.published.medical_device_class or "",
        "medical_device_certificate": application.published.medical_device_certificate or "",
        "profile": application.profile,
        "redirect_uris": "\n".join(application.redirect_uris),
        "launch_uri": application.launch_uri or "",
        "id_token_signed_response_alg": application.id_token_signed_response_alg,
    }


def _fields(before: Mapping[str, str], after: Mapping[str, str], about: str = "") -> Iterator[Change]:
    for name, text in after.items():
        if before.get(name, "") != text:
            yield Change(LABELS[name], before.get(name, ""), text, about)


def _codes(before: Application, after: Application) -> Iterator[Change]:
    if before.exchanges_data != after.exchanges_data:
        yield _said("exchanges_data", _yes(before.exchanges_data), _yes(after.exchanges_data))
    if (was := before.published).economic_model != (now := after.published).economic_model:
        former_price, price = (_word(one.economic_model, ECONOMIC_MODELS) for one in (was, now))
        yield _said("economic_model", former_price, price)
    for name, words in (("regions", REGIONS), ("themes", THEMES)):
        former, present = set(getattr(was, name)), set(getattr(now, name))
        for code in sorted(former ^ present):
            word = _word(code, words)
            yield _said(name, word if code in former else "", word if code in present else "")


def _purposes(before: Iterable[PurposeDraft], after: Iterable[PurposeDraft]) -> Iterator[Change]:
    former, present = {one.key: one for one in before}, {one.key: one for one in after}
    for key in [*present, *(key for key in former if key not in present)]:
        was, now = former.get(key), present.get(key)
        yield from _fields(_purpose(was), _purpose(now), key)
        if was is None or now is None or was.required != now.required:
            yield _said("required", _yes(was.required) if was else "", _yes(now.required) if now else "", key)


def _purpose(purpose: PurposeDraft | None) -> dict[str, str]:
    if purpose is None:
        return dict.fromkeys(_purpose(PurposeDraft("", {}, {}, required=False, retention_days=0)), "")
    return {
        "name_fr": purpose.name.get("fr", ""),
        "name_en": purpose.name.get("en", ""),
        "wording_fr": purpose.wording.get("fr", ""),
        "wording_en": purpose.wording.get("en", ""),
        "retention_days": str(purpose.retention_days),
        "read_scope": purpose.read_scope,
        "write_scope": purpose.write_scope,
        "justification": purpose.justification,
    }


def _documents(before: Iterable[Document], after: Iterable[Document]) -> Iterator[Change]:
    former, present = _files(before), _files(after)
    for file in [*present, *(file for file in former if file not in present)]:
        if (file in former) != (file in present):
            kind, name, _ = file
            yield Change(KINDS[kind], name if file in former else "", name if file in present else "")


def _files(documents: Iterable[Document]) -> dict[tuple[str, str, bytes], None]:
    return {(document.kind, document.name, document.sha256): None for document in documents}


def _answers(before: Side, after: Side) -> Iterator[Change]:
    for code in sorted({*before.answers, *after.answers}):
        was, now = before.answers.get(code), after.answers.get(code)
        if (was and was.answer) != (now and now.answer):
            yield _said("criteria", _answer(was), _answer(now), code)
        elif was and now and was.explanation != now.explanation:
            yield Change(LABELS["criteria"], was.explanation, now.explanation, code)


def _answer(answer: Answer | None) -> str:
    return _word(answer.answer, ANSWERS) if answer else ""


def _said(name: str, before: str, after: str, about: str = "") -> Change:
    return Change(LABELS[name], before, after, about, translated=True)


def _yes(value: bool) -> str:
    return YES if value else NO


def _word(code: str, words: Mapping[str, str]) -> str:
    return words.get(code, code)
