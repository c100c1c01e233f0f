"""Submitting an application: it is written down as a candidate, and waits for a reviewer."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from app_catalog.applications.application import Application, check
from app_catalog.applications.redirect_uri import origin_of
from app_catalog.catalogue.status import Status
from app_catalog.errors import NotAllowed
from app_catalog.events import EventName
from app_catalog.oauth.profiles import PROFILES
from app_catalog.scopes.grammar import Scopes, parse
from app_catalog.scopes.narrowing import normal_form
from app_catalog.vendors.vendor import vendors_of
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person
from app_catalog.words import marked

ADD_APP = "INSERT INTO catalogue.app (id, vendor_id, client_id, status, created_at) VALUES (%s, %s, %s, %s, %s)"
ADD_APPLICATION = """INSERT INTO catalogue.application (id, app_id, state, draft, version, created_at, saved_at, name,
    description_fr, description_en, profile, redirect_uris, origins, submitted_by, submitted_at, launch_uri,
    id_token_signed_response_alg)
  VALUES (%s, %s, 'draft', '{}', 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
ADD_PURPOSE = """INSERT INTO catalogue.purpose (id, same_as, application_id, position, key, name_fr, name_en, wording_fr,
    wording_en, required, retention_days, read_scope, write_scope)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
SUBMIT = "UPDATE catalogue.application SET state = 'submitted', draft = NULL WHERE id = %s"
ADD_STEP = """INSERT INTO catalogue.app_step (app_id, application_id, step, from_status, to_status, actor, actor_name,
    reason, at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""


class Step(StrEnum):
    """What can happen to an app, as it is written down and, as an English msgid, shown."""

    SUBMITTED = marked("submitted")
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


@dataclass(frozen=True)
class Submitted:
    app_id: UUID
    application_id: UUID
    client_id: str  # of no use before approval


async def submit_application(
    connection: Connection,
    application: Application,
    *,
    vendor_id: UUID,
    person: Person,
    journal: Journal,
    now: datetime,
) -> Submitted:
    """Write down a candidate. Raises Unacceptable with every fault, NotAllowed for who is not the vendor's member."""
    check(application)
    if vendor_id not in await vendors_of(connection, person.id):
        raise NotAllowed
    submitted = Submitted(uuid4(), uuid4(), secrets.token_urlsafe(15))
    is_public = PROFILES[application.profile].is_public
    origins = sorted({origin_of(uri) for uri in application.redirect_uris}) if is_public else []
    async with connection.transaction():
        await connection.execute(
            ADD_APP, (submitted.app_id, vendor_id, submitted.client_id, Status.CANDIDATE.value, now)
        )
        await connection.execute(
            ADD_APPLICATION,
            (
                submitted.application_id,
                submitted.app_id,
                now,
                now,
                application.name.strip(),
                application.description["fr"].strip(),
                application.description["en"].strip(),
                application.profile,
                list(application.redirect_uris),
                origins,
                person.id,
                now,
                application.launch_uri,
                application.id_token_signed_response_alg,
            ),
        )
        for position, purpose in enumerate(application.purposes):
            purpose_id = uuid4()
            await connection.execute(
                ADD_PURPOSE,
                (purpose_id, purpose_id, submitted.application_id, position, purpose.key, purpose.name["fr"].strip(),
                 purpose.name["en"].strip(), purpose.wording["fr"].strip(), purpose.wording["en"].strip(),
                 purpose.required, purpose.retention_days, _normal(purpose.read_scope), _normal(purpose.write_scope)),
            )  # fmt: skip
        await connection.execute(SUBMIT, (submitted.application_id,))
        await connection.execute(
            ADD_STEP,
            (submitted.app_id, submitted.application_id, Step.SUBMITTED.value, None, Status.CANDIDATE.value, person.id,
             person.display_name, None, now),
        )  # fmt: skip
        await journal.write(
            connection,
            CatalogueEvent(
                EventName.APPLICATION_SUBMITTED,
                None,
                person.kind,
                person.id,
                person.display_name,
                f"application/{submitted.application_id}",
                details={"app": application.name, "purposes": [purpose.key for purpose in application.purposes]},
            ),
        )
    return submitted


def _normal(scope: str) -> str:
    """Without what another scope includes, in the order of the vendor, which is also that of the consent page."""
    resources = parse(scope).resources
    kept = set(normal_form(resources))
    return str(Scopes(tuple(scope for scope in resources if scope in kept)))
