"""What a vendor typed into a draft, complete or not, as JSON by section; and the application that it makes.

identity  {field: text or list of codes}
client    {field: text}
purposes  [{"id": a random word, field: text or list of choices}]
criteria  {code: {"answer", "explanation", "document"}}
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.applications.published import LINKS, Published
from app_catalog.criteria.answers import Answer
from app_catalog.form import Fields
from app_catalog.oauth.algorithms import ALGORITHMS
from app_catalog.scopes.grammar import parse
from app_catalog.wiring import Choice

Section = dict[str, Any]
Typed = Mapping[str, Any]

IDENTITY_TEXTS = (
    "name",
    "description_fr",
    "description_en",
    "changes_fr",
    "changes_en",
    "exchanges_data",
    "economic_model",
    "medical_device_class",
    "medical_device_certificate",
    *(f"links_{name}" for name in LINKS),
)
IDENTITY_LISTS = ("regions", "themes")
CLIENT_TEXTS = ("profile", "redirect_uris", "launch_uri", "id_token_signed_response_alg")
PURPOSE_TEXTS = (
    "key",
    "name_fr",
    "name_en",
    "wording_fr",
    "wording_en",
    "required",
    "retention_days",
    "read_scope",
    "write_scope",
    "justification",
)
PURPOSE_LISTS = ("reads", "writes")
YES = "yes"


def section_from(fields: Fields, texts: Iterable[str], lists: Iterable[str] = ()) -> Section:
    """The fields of a section that a form sent. Line ends become those of everything else here."""
    typed: Section = {name: fields.text(name).replace("\r\n", "\n") for name in texts}
    return typed | {name: list(dict.fromkeys(fields.all(name))) for name in lists}


def new_purpose() -> Section:
    """An empty one under an id of its own, which outlives changes of its place and its key."""
    return {"id": secrets.token_hex(4)}


# ---- typed ▸ application ----


def application_from(typed: Typed, choices: Iterable[Choice]) -> Application:
    """What was typed, as it would be submitted. Nothing is checked here."""
    identity, client = typed.get("identity", {}), typed.get("client", {})
    exchanges_data = identity.get("exchanges_data") == YES
    return Application(
        name=_text(identity, "name"),
        description=_texts(identity, "description"),
        profile=_text(client, "profile"),
        redirect_uris=tuple(_text(client, "redirect_uris").split()) if exchanges_data else (),
        purposes=tuple(_purpose(one, tuple(choices)) for one in typed.get("purposes", ())) if exchanges_data else (),
        launch_uri=(_text(client, "launch_uri") or None) if exchanges_data else None,
        id_token_signed_response_alg=_text(client, "id_token_signed_response_alg") or ALGORITHMS[0],
        exchanges_data=exchanges_data,
        published=Published(
            links={name: url for name in LINKS if (url := _text(identity, f"links_{name}"))},
            economic_model=_text(identity, "economic_model"),
            regions=tuple(identity.get("regions", ())),
            themes=tuple(identity.get("themes", ())),
            medical_device_class=_text(identity, "medical_device_class") or None,
            medical_device_certificate=_text(identity, "medical_device_certificate") or None,
        ),
        changes=_texts(identity, "changes"),
    )


def answers_from(typed: Typed) -> dict[str, Answer]:
    """The answers by code, those without any choice left out."""
    return {
        code: Answer(one["answer"], one["explanation"].strip(), UUID(one["document"]) if one.get("document") else None)
        for code, one in typed.get("criteria", {}).items()
        if one.get("answer")
    }


def _purpose(typed: Section, choices: tuple[Choice, ...]) -> PurposeDraft:
    days = _text(typed, "retention_days")
    reads, writes = set(typed.get("reads", ())), set(typed.get("writes", ()))
    return PurposeDraft(
        key=_text(typed, "key"),
        name=_texts(typed, "name"),
        wording=_texts(typed, "wording"),
        required=typed.get("required") == YES,
        retention_days=int(days) if days.isdecimal() and len(days) < 6 else 0,
        read_scope=_joined(
            (choice.read_scope for choice in choices if choice.key in reads), _text(typed, "read_scope")
        ),
        write_scope=_joined(
            (choice.write_scope for choice in choices if choice.key in writes), _text(typed, "write_scope")
        ),
        justification=_text(typed, "justification"),
    )


def _joined(chosen: Iterable[str | None], typed: str) -> str:
    return " ".join(dict.fromkeys([*(scope for scope in chosen if scope), *typed.split()]))


def _text(section: Section, name: str) -> str:
    return str(section.get(name, "")).strip()


def _texts(section: Section, name: str) -> dict[str, str]:
    return {language: _text(section, f"{name}_{language}") for language in ("fr", "en")}


# ---- application ▸ typed ----


def typed_of(application: Application, answers: Mapping[str, Answer], choices: Iterable[Choice]) -> Typed:
    """What one would have to type for this application: a new version begins so."""
    known, published = tuple(choices), application.published
    return {
        "identity": {
            "name": application.name,
            **_by_language("description", application.description),
            **_by_language("changes", application.changes),
            "exchanges_data": YES if application.exchanges_data else "",
            "economic_model": published.economic_model,
            "regions": list(published.regions),
            "themes": list(published.themes),
            "medical_device_class": published.medical_device_class or "",
            "medical_device_certificate": published.medical_device_certificate or "",
            **{f"links_{name}": url for name, url in published.links.items()},
            "saved": YES,
        },
        "client": {
            "profile": application.profile,
            "redirect_uris": "\n".join(application.redirect_uris),
            "launch_uri": application.launch_uri or "",
            "id_token_signed_response_alg": application.id_token_signed_response_alg,
        },
        "purposes": [_typed_purpose(purpose, known) for purpose in application.purposes],
        "criteria": {
            code: {
                "answer": answer.answer,
                "explanation": answer.explanation,
                "document": str(answer.document) if answer.document else "",
            }
            for code, answer in answers.items()
        },
    }


def _typed_purpose(purpose: PurposeDraft, choices: tuple[Choice, ...]) -> Section:
    reads, read_scope = _chosen(purpose.read_scope, {choice.read_scope: choice.key for choice in choices})
    writes, write_scope = _chosen(purpose.write_scope, {choice.write_scope: choice.key for choice in choices})
    return {
        **new_purpose(),
        "key": purpose.key,
        **_by_language("name", purpose.name),
        **_by_language("wording", purpose.wording),
        "required": YES if purpose.required else "",
        "retention_days": str(purpose.retention_days),
        "reads": reads,
        "read_scope": read_scope,
        "writes": writes,
        "write_scope": write_scope,
        "justification": purpose.justification,
    }


def _chosen(scope: str, keys: Mapping[str | None, str]) -> tuple[list[str], str]:
    """Which choices make up `scope`, and the rest of it as text."""
    known = {one: key for text, key in keys.items() if text is not None for one in parse(text).resources}
    chosen: list[str] = []
    rest: list[str] = []
    for word in scope.split():
        parts = parse(word).resources
        keys_of_word = [known[part] for part in parts if part in known]
        if parts and len(keys_of_word) == len(parts):
            chosen += keys_of_word
        else:
            rest.append(word)
    return list(dict.fromkeys(chosen)), " ".join(rest)


def _by_language(name: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}_{language}": texts.get(language, "") for language in ("fr", "en")}
