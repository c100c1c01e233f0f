"""An application as JSON, section by section: the same words in a draft, in what was submitted, and for reviewers."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import Field

from app_catalog.api.model import BothLanguages, Instant, Model, Problem, texts
from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.applications.difference import Change
from app_catalog.applications.published import Published
from app_catalog.applications.typed import CLIENT_TEXTS, Section, Typed, typed_of
from app_catalog.criteria.answers import ANSWERS, Answer
from app_catalog.documents.document import Document
from app_catalog.errors import Fault
from app_catalog.oauth.algorithms import ALGORITHMS
from app_catalog.wiring import Choice


class Links(Model):
    site: str | None = None
    terms: str | None = None
    privacy: str | None = None
    support: str | None = None
    ios: str | None = None
    android: str | None = None
    web: str | None = None


class Identity(Model):
    name: str = ""
    description: BothLanguages = BothLanguages()
    changes: BothLanguages = Field(default=BothLanguages(), description="What is new in this version, for patients.")
    exchanges_data: bool = Field(default=True, description="If not, the app has neither a client nor purposes.")
    links: Links = Links()
    economic_model: str = Field(default="", description="free, free_with_purchases or paid.")
    regions: tuple[str, ...] = Field(default=(), description="ISO 3166-2:FR; none: everywhere.")
    themes: tuple[str, ...] = ()
    medical_device_class: str | None = Field(default=None, description="I, IIa, IIb or III (Regulation (EU) 2017/745).")
    medical_device_certificate: str | None = None


class Client(Model):
    profile: str = Field(default="", description="smart-public, smart-secret, smart-asym or hddt.")
    redirect_uris: tuple[Annotated[str, Field(pattern=r"^\S+$")], ...] = ()
    launch_uri: str | None = Field(default=None, description="Where the portal opens the app.")
    id_token_signed_response_alg: str = ALGORITHMS[0]


class Purpose(Model):
    key: str = ""
    name: BothLanguages = BothLanguages()
    wording: BothLanguages = Field(default=BothLanguages(), description="What the patient agrees to.")
    required: bool = Field(default=False, description="The app cannot work without it.")
    retention_days: int = Field(default=0, ge=0, lt=100_000, description="Days for which the vendor keeps the data.")
    read_scope: str = Field(default="", description="SMART scopes for reading, separated by spaces.")
    write_scope: str = ""
    justification: str = Field(default="", description="Why the app needs this data, for reviewers.")


AnswerName = Literal["met", "not_met", "not_applicable"]


class CriterionAnswer(Model):
    answer: AnswerName
    explanation: str = ""
    document: UUID | None = Field(default=None, description="One of the documents of the application.")


class Sections(Model):
    """Each section that is given replaces what there was, whole; one that is left out stays as it is."""

    identity: Identity | None = None
    client: Client | None = None
    purposes: tuple[Purpose, ...] | None = Field(default=None, max_length=100)
    criteria: dict[str, CriterionAnswer] | None = Field(
        default=None, description="By the code of the criterion, see /api/catalogue/criteria."
    )


class DocumentShown(Model):
    id: UUID
    kind: str
    name: str
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    added_at: Instant


class Difference(Model):
    label: str
    about: str
    before: str
    after: str


class Described(Model):
    """identity, client, purposes, criteria and documents of an application."""

    identity: Identity
    client: Client
    purposes: tuple[Purpose, ...]
    criteria_version: int | None
    criteria: dict[str, CriterionAnswer]
    documents: tuple[DocumentShown, ...]
    has_logo: bool


def described(
    application: Application,
    answers: Mapping[str, Answer],
    documents: Iterable[Document],
    *,
    criteria_version: int | None,
    has_logo: bool,
) -> dict[str, Any]:
    """The fields of `Described`."""
    published = application.published
    return {
        "identity": Identity(
            name=application.name,
            description=texts(application.description),
            changes=texts(application.changes),
            exchanges_data=application.exchanges_data,
            links=Links(**published.links),
            economic_model=published.economic_model,
            regions=published.regions,
            themes=published.themes,
            medical_device_class=published.medical_device_class,
            medical_device_certificate=published.medical_device_certificate,
        ),
        "client": Client(
            profile=application.profile,
            redirect_uris=application.redirect_uris,
            launch_uri=application.launch_uri,
            id_token_signed_response_alg=application.id_token_signed_response_alg,
        ),
        "purposes": tuple(_purpose(one) for one in application.purposes),
        "criteria_version": criteria_version,
        "criteria": {
            code: CriterionAnswer(
                answer=cast("AnswerName", one.answer), explanation=one.explanation, document=one.document
            )
            for code, one in sorted(answers.items())
            if one.answer in ANSWERS
        },
        "documents": tuple(shown_document(document) for document in documents),
        "has_logo": has_logo,
    }  # fmt: skip


def shown_document(document: Document) -> DocumentShown:
    return DocumentShown(
        id=document.id, kind=document.kind, name=document.name, media_type=document.media_type, size=document.size,
        sha256=document.sha256.hex(), added_at=document.added_at,
    )  # fmt: skip


def shown_change(change: Change) -> Difference:
    return Difference(label=change.label, about=change.about, before=change.before, after=change.after)


def typed_from(sections: Sections, typed: Typed, choices: tuple[Choice, ...]) -> dict[str, Any]:
    """`typed` with the sections that are given, as if they had been typed on their pages."""
    identity, client = sections.identity or Identity(), sections.client or Client()
    whole = typed_of(
        Application(
            name=identity.name,
            description=identity.description.model_dump(),
            profile=client.profile,
            redirect_uris=client.redirect_uris,
            purposes=tuple(_draft_of(one) for one in sections.purposes or ()),
            launch_uri=client.launch_uri,
            id_token_signed_response_alg=client.id_token_signed_response_alg,
            exchanges_data=identity.exchanges_data,
            published=_published(identity),
            changes=identity.changes.model_dump(),
        ),
        {code: Answer(one.answer, one.explanation, one.document) for code, one in (sections.criteria or {}).items()},
        choices,
    )
    given = {name: whole[name] for name in Sections.model_fields if getattr(sections, name) is not None}
    if "purposes" in given:
        _keep_ids(given["purposes"], typed.get("purposes", ()))
    return {**typed, **given}


def placed(fault: Fault) -> Fault:
    """`fault` of an application, pointing into its JSON here."""
    first = fault.pointer.split("/")[1]
    if first in {"purposes", "criteria", "documents"}:
        return fault
    return Fault(f"/{'client' if first in CLIENT_TEXTS else 'identity'}{fault.pointer}", fault.message)


def shown_fault(fault: Fault) -> Problem:
    return Problem(pointer=fault.pointer, detail=fault.message)


def _keep_ids(purposes: list[Section], former: Iterable[Section]) -> None:
    """A purpose that keeps its key stays the same on the pages of whoever has it open."""
    known = {one.get("key"): one["id"] for one in former}
    for purpose in purposes:
        purpose["id"] = known.pop(purpose["key"], purpose["id"])


def _purpose(purpose: PurposeDraft) -> Purpose:
    return Purpose(
        key=purpose.key, name=texts(purpose.name), wording=texts(purpose.wording), required=purpose.required,
        retention_days=purpose.retention_days, read_scope=purpose.read_scope, write_scope=purpose.write_scope,
        justification=purpose.justification,
    )  # fmt: skip


def _draft_of(purpose: Purpose) -> PurposeDraft:
    return PurposeDraft(
        key=purpose.key, name=purpose.name.model_dump(), wording=purpose.wording.model_dump(),
        required=purpose.required, retention_days=purpose.retention_days, read_scope=purpose.read_scope,
        write_scope=purpose.write_scope, justification=purpose.justification,
    )  # fmt: skip


def _published(identity: Identity) -> Published:
    return Published(
        links=identity.links.model_dump(exclude_none=True), economic_model=identity.economic_model,
        regions=identity.regions, themes=identity.themes,
        medical_device_class=identity.medical_device_class,
        medical_device_certificate=identity.medical_device_certificate,
    )  # fmt: skip
