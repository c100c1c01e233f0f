"""Submitting an application: the draft becomes a version that never changes, and waits for the reviewers."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.applications.draft import Draft, begin_app, begin_version, draft_of, keep, set_logo
from app_catalog.applications.missing import missing
from app_catalog.applications.redirect_uri import origin_of
from app_catalog.applications.typed import answers_from, application_from, typed_of
from app_catalog.criteria.answers import Answer, keep_answers
from app_catalog.criteria.criterion import current_set
from app_catalog.documents.content import keep_content
from app_catalog.documents.document import add_document, documents_of
from app_catalog.documents.logo import MEDIA_TYPE, logo_from
from app_catalog.documents.upload import Upload
from app_catalog.errors import Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.oauth.profiles import PROFILES
from app_catalog.scopes.grammar import Scopes, parse
from app_catalog.scopes.narrowing import normal_form
from app_catalog.vendors.contact import require_verified
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import CatalogueEvent, Choice, Connection, Journal, Person
from app_catalog.words import marked

NO_CLIENT = "smart-public"  # the profile of an app without a client: no redirect URI is registered, so nothing starts

SUBMIT = """UPDATE catalogue.application SET state = 'submitted', draft = NULL, name = %(name)s,
    description_fr = %(description_fr)s, description_en = %(description_en)s, profile = %(profile)s,
    redirect_uris = %(redirect_uris)s, origins = %(origins)s, launch_uri = %(launch_uri)s,
    id_token_signed_response_alg = %(alg)s, changes_fr = %(changes_fr)s, changes_en = %(changes_en)s,
    exchanges_data = %(exchanges_data)s, links = %(links)s, economic_model = %(economic_model)s, regions = %(regions)s,
    themes = %(themes)s, medical_device_class = %(device_class)s, medical_device_certificate = %(certificate)s,
    criteria_version = %(criteria)s, submitted_by = %(person)s, submitted_at = %(now)s
  WHERE id = %(id)s"""
# Among what was ever submitted for this app; the justification is for reviewers, and asks nothing of a patient.
SAME_PURPOSE = """SELECT p.same_as FROM catalogue.purpose p JOIN catalogue.application v ON v.id = p.application_id
  WHERE v.app_id = %(app)s AND p.key = %(key)s AND p.name_fr = %(name_fr)s AND p.name_en = %(name_en)s
    AND p.wording_fr = %(wording_fr)s AND p.wording_en = %(wording_en)s AND p.required = %(required)s
    AND p.retention_days = %(retention_days)s AND p.read_scope = %(read_scope)s AND p.write_scope = %(write_scope)s
  ORDER BY v.version LIMIT 1"""
ADD_PURPOSE = """INSERT INTO catalogue.purpose (id, same_as, application_id, position, key, name_fr, name_en,
    wording_fr, wording_en, required, retention_days, read_scope, write_scope, justification)
  VALUES (%(id)s, %(same_as)s, %(application)s, %(position)s, %(key)s, %(name_fr)s, %(name_en)s, %(wording_fr)s,
    %(wording_en)s, %(required)s, %(retention_days)s, %(read_scope)s, %(write_scope)s, %(justification)s)"""
CLIENT_ID = "SELECT client_id FROM catalogue.app WHERE id = %s"
TO_WITHDRAW = """SELECT v.app_id, v.name, v.state, a.vendor_id, a.status FROM catalogue.application v
  JOIN catalogue.app a ON a.id = v.app_id WHERE v.id = %s FOR UPDATE OF a, v"""
CLEAR = "DELETE FROM catalogue.document WHERE application_id = %s"
WITHDRAW = """UPDATE catalogue.application SET state = 'withdrawn', draft = NULL, decided_by = %s, decided_at = %s,
    logo = CASE WHEN state = 'draft' THEN NULL ELSE logo END
  WHERE id = %s AND state IN ('draft', 'submitted', 'admissible')"""
ADD_STEP = """INSERT INTO catalogue.app_step (app_id, application_id, step, from_status, to_status, actor, actor_name,
    reason, at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""


class Step(StrEnum):
    """What can happen to an app, as it is written down and, as an English msgid, shown."""

    SUBMITTED = marked("submitted")
    WITHDRAWN = marked("withdrawn")
    APPROVED = marked("approved")
    REFUSED = marked("refused")
    MOVED = marked("moved")
    ADMITTED = marked("found complete")
    RETURNED = marked("given back as not complete")
    DECLARED = marked("interests declared")
    EVALUATED = marked("evaluation handed in")
    ASKED = marked("question asked")
    ANSWERED = marked("question answered")
    OPINION = marked("opinion written")
    OFFERED = marked("agreement offered")
    ACCEPTED = marked("agreement accepted")
    EXTENDED = marked("agreement extended")
    ATTESTED = marked("interoperability attested")
    CORRECTIVE = marked("has to be corrected")
    END_GIVEN = marked("end given")
    NOT_RENEWED = marked("renewal refused")
    KEYS = marked("keys or certificate of the client changed")


@dataclass(frozen=True)
class Submitted:
    app_id: UUID
    application_id: UUID
    client_id: str  # of no use to patients before approval


async def submit_application(
    connection: Connection,
    application: Application,
    *,
    vendor_id: UUID,
    person: Person,
    journal: Journal,
    now: datetime,
    answers: Mapping[str, Answer],
    documents: Iterable[tuple[str, Upload]] = (),
    logo: bytes | None = None,
    app_id: UUID | None = None,
) -> Submitted:
    """All in one: a draft with all that is given, submitted. With `app_id` it is that app's next version.

    `documents` are (kind, file). Raises as `submit_draft`.
    """
    async with connection.transaction():
        if app_id is None:
            draft = await begin_app(connection, application.name, vendor_id=vendor_id, person=person, now=now)
        else:
            draft = await begin_version(connection, app_id, person=person, now=now)
        await keep(connection, draft, typed_of(application, answers, ()), now)
        for kind, upload in documents:
            await add_document(connection, draft, kind, upload, person=person, now=now)
        if logo is not None:
            picture = await keep_content(connection, logo_from(logo), MEDIA_TYPE, now)
            await set_logo(connection, draft, picture, now)
        return await submit_draft(connection, draft, person=person, journal=journal, now=now)


async def submit_draft(
    connection: Connection,
    application_id: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    choices: tuple[Choice, ...] = (),
) -> Submitted:
    """Hand a draft in. Raises Unacceptable with everything that is missing, Unknown, NotAllowed or WrongState."""
    async with connection.transaction():
        draft = await draft_of(connection, application_id, person)
        await require_verified(connection, draft.vendor_id)
        application, answers = application_from(draft.typed, choices), answers_from(draft.typed)
        criteria = await current_set(connection)
        documents = await documents_of(connection, application_id)
        if faults := missing(application, answers, documents, criteria, follows=draft.in_force is not None):
            raise Unacceptable(*faults)
        asked = criteria.asked(exchanges_data=application.exchanges_data)
        given = {one.code: answers[one.code] for one in asked}
        present = {document.id for document in documents}
        given = {code: one if one.document in present else replace(one, document=None) for code, one in given.items()}
        await keep_answers(connection, application_id, criteria.version, given)
        for position, purpose in enumerate(application.purposes):
            await _add_purpose(connection, draft, position, purpose)
        await connection.execute(SUBMIT, _columns(application, draft.id, criteria.version, person, now))
        await _add_step(
            connection, draft.app_id, application_id, Step.SUBMITTED, status=draft.status, person=person, now=now
        )
        await journal.write(
            connection,
            _event(
                EventName.APPLICATION_SUBMITTED,
                application_id,
                person,
                {
                    "app": application.name,
                    "version": draft.version,
                    "purposes": [purpose.key for purpose in application.purposes],
                },
            ),
        )
        row = await (await connection.execute(CLIENT_ID, (draft.app_id,))).fetchone()
        if row is None:
            raise Unknown
        return Submitted(draft.app_id, application_id, row.client_id)


async def withdraw(
    connection: Connection, application_id: UUID, *, person: Person, journal: Journal, now: datetime
) -> None:
    """Take an undecided application back, or discard a draft. Raises Unknown, NotAllowed or WrongState."""
    async with connection.transaction():
        row = await (await connection.execute(TO_WITHDRAW, (application_id,))).fetchone()
        if row is None:
            raise Unknown
        await require(connection, row.vendor_id, person, *WRITERS)
        if row.state == "draft":
            await connection.execute(CLEAR, (application_id,))
        done = await connection.execute(WITHDRAW, (person.id, now, application_id))
        if done.rowcount != 1:
            raise WrongState
        if row.state == "draft":
            return
        await _add_step(
            connection, row.app_id, application_id, Step.WITHDRAWN, status=row.status, person=person, now=now
        )
        await journal.write(
            connection, _event(EventName.APPLICATION_WITHDRAWN, application_id, person, {"app": row.name})
        )


async def _add_purpose(connection: Connection, draft: Draft, position: int, purpose: PurposeDraft) -> None:
    said = {
        "key": purpose.key,
        "name_fr": purpose.name["fr"],
        "name_en": purpose.name["en"],
        "wording_fr": purpose.wording["fr"],
        "wording_en": purpose.wording["en"],
        "required": purpose.required,
        "retention_days": purpose.retention_days,
        "read_scope": _normal(purpose.read_scope),
        "write_scope": _normal(purpose.write_scope),
    }
    new = uuid4()
    former = await (await connection.execute(SAME_PURPOSE, said | {"app": draft.app_id})).fetchone()
    await connection.execute(
        ADD_PURPOSE,
        said
        | {
            "id": new,
            "same_as": former.same_as if former else new,
            "application": draft.id,
            "position": position,
            "justification": purpose.justification,
        },
    )


def _columns(
    application: Application, draft: UUID, criteria: int, person: Person, now: datetime
) -> dict[str, object]:  # fmt: skip
    profile = application.profile if application.exchanges_data else NO_CLIENT
    is_public = PROFILES[profile].is_public
    published = application.published
    return {
        "id": draft,
        "name": application.name,
        "description_fr": application.description["fr"],
        "description_en": application.description["en"],
        "profile": profile,
        "redirect_uris": list(application.redirect_uris),
        "origins": sorted({origin_of(uri) for uri in application.redirect_uris}) if is_public else [],
        "launch_uri": application.launch_uri,
        "alg": application.id_token_signed_response_alg,
        "changes_fr": application.changes.get("fr", ""),
        "changes_en": application.changes.get("en", ""),
        "exchanges_data": application.exchanges_data,
        "links": json.dumps(dict(published.links)),
        "economic_model": published.economic_model,
        "regions": list(published.regions),
        "themes": list(published.themes),
        "device_class": published.medical_device_class,
        "certificate": published.medical_device_certificate,
        "criteria": criteria,
        "person": person.id,
        "now": now,
    }


async def _add_step(
    connection: Connection,
    app_id: UUID,
    application_id: UUID,
    step: Step,
    *,
    status: str,
    person: Person,
    now: datetime,
) -> None:
    before = None if step is Step.SUBMITTED and status == "CANDIDATE" else status
    await connection.execute(
        ADD_STEP, (app_id, application_id, step.value, before, status, person.id, person.display_name, None, now)
    )


def _event(name: EventName, application_id: UUID, person: Person, details: Mapping[str, object]) -> CatalogueEvent:
    resource = f"application/{application_id}"
    return CatalogueEvent(name, None, person.kind, person.id, person.display_name, resource, details=details)


def _normal(scope: str) -> str:
    """Without what another scope includes, in the order of the vendor, which is also that of the consent page."""
    resources = parse(scope).resources
    kept = set(normal_form(resources))
    return str(Scopes(tuple(scope for scope in resources if scope in kept)))
