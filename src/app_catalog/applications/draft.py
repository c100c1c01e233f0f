"""Drafts: begun, saved over days, discarded. What is typed is kept as it is; it is looked at when it is submitted."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from app_catalog.applications.stored import stored_application
from app_catalog.applications.typed import Typed, typed_of
from app_catalog.catalogue.status import Status
from app_catalog.criteria.answers import Answer, answers_of
from app_catalog.documents.document import copy_documents
from app_catalog.errors import Unknown, WrongState
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import Choice, Connection, Person, Row

MAX_CANDIDATES = 50  # apps of one vendor that wait for their first approval: more is a program, or a mistake

ADD_APP = "INSERT INTO catalogue.app (id, vendor_id, client_id, status, created_at) VALUES (%s, %s, %s, %s, %s)"
# The columns are filled when it is submitted.
ADD_DRAFT = """INSERT INTO catalogue.application (id, app_id, version, state, draft, logo, name, description_fr,
    description_en, profile, redirect_uris, origins, created_at, saved_at)
  VALUES (%(id)s, %(app)s, 1 + (SELECT coalesce(max(version), 0) FROM catalogue.application WHERE app_id = %(app)s),
    'draft', %(draft)s, %(logo)s, %(name)s, '', '', '', '{}', '{}', %(now)s, %(now)s)"""
LOCK_VENDOR = "SELECT id FROM catalogue.vendor WHERE id = %s FOR UPDATE"
CANDIDATES = "SELECT count(*) AS n FROM catalogue.app WHERE vendor_id = %s AND status = 'CANDIDATE'"
LOCK_APP = "SELECT vendor_id, status, application_id FROM catalogue.app WHERE id = %s FOR UPDATE"
UNDECIDED = """SELECT id FROM catalogue.application
  WHERE app_id = %s AND state IN ('draft', 'submitted', 'admissible')"""
NEWEST = """SELECT id FROM catalogue.application WHERE app_id = %s AND submitted_at IS NOT NULL
  ORDER BY version DESC LIMIT 1"""
DRAFT = """SELECT v.id, v.app_id, a.vendor_id, v.version, v.state, v.draft, v.logo, v.name, v.saved_at,
    a.application_id AS in_force, a.status
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id WHERE v.id = %s"""
SAVE = "UPDATE catalogue.application SET draft = %s, name = %s, saved_at = %s WHERE id = %s"
SET_LOGO = "UPDATE catalogue.application SET logo = %s, saved_at = %s WHERE id = %s"


@dataclass(frozen=True)
class Draft:
    """`in_force` is the application that the public knows the app by; `logo` the SHA-256 of a picture."""

    id: UUID
    app_id: UUID
    vendor_id: UUID
    version: int
    typed: Typed
    logo: bytes | None
    name: str
    saved_at: datetime
    in_force: UUID | None
    status: str  # of the app


async def begin_app(
    connection: Connection, name: str, *, vendor_id: UUID, person: Person, now: datetime
) -> UUID:  # fmt: skip
    """The draft of a new app. Raises NotAllowed, or WrongState for a vendor with too many candidates."""
    async with connection.transaction():
        await require(connection, vendor_id, person, *WRITERS)
        await connection.execute(LOCK_VENDOR, (vendor_id,))
        row = await (await connection.execute(CANDIDATES, (vendor_id,))).fetchone()
        if row is not None and row.n >= MAX_CANDIDATES:
            raise WrongState("Your organisation has 50 candidates: discard one, or wait for a decision.")
        app_id = uuid4()
        client_id = secrets.token_urlsafe(15)
        await connection.execute(ADD_APP, (app_id, vendor_id, client_id, Status.CANDIDATE.value, now))
        return await _add(connection, app_id, {"identity": {"name": name, "exchanges_data": "yes"}}, None, now)


async def begin_version(
    connection: Connection,
    app_id: UUID,
    *,
    person: Person,
    now: datetime,
    choices: tuple[Choice, ...] = (),
    base: UUID | None = None,
) -> UUID:
    """The draft of a further version: a copy of `base`, of the version in force, or of the newest that was submitted.

    Raises Unknown, NotAllowed, or WrongState for an app with an undecided application, or that left the catalogue.
    """
    async with connection.transaction():
        app = await (await connection.execute(LOCK_APP, (app_id,))).fetchone()
        if app is None:
            raise Unknown
        await require(connection, app.vendor_id, person, *WRITERS)
        if app.status == Status.DEREFERENCED:
            raise WrongState("This app has left the catalogue.")
        if await (await connection.execute(UNDECIDED, (app_id,))).fetchone():
            raise WrongState("This app has an application that is not decided yet.")
        base = base or app.application_id or await _newest(connection, app_id)
        if base is None:
            return await _add(connection, app_id, {"identity": {"exchanges_data": "yes"}}, None, now)
        former = await stored_application(connection, base)
        if former is None or former.app_id != app_id or former.submitted_at is None:
            raise Unknown
        answers = await answers_of(connection, base)
        typed = dict(typed_of(former.application, answers, choices))
        typed["identity"] |= {"changes_fr": "", "changes_en": ""}
        draft = await _add(connection, app_id, typed, former.logo, now)
        copies = await copy_documents(connection, base, draft, person=person, now=now)
        moved = {code: _with_document(answer, copies) for code, answer in answers.items()}
        await keep(connection, draft, typed | {"criteria": typed_of(former.application, moved, ())["criteria"]}, now)
        return draft


async def draft_of(connection: Connection, application_id: UUID, person: Person) -> Draft:
    """The draft, locked until the transaction ends. Raises Unknown, NotAllowed for who may not write for its vendor,
    WrongState for what is no draft any more."""
    row = await (await connection.execute(DRAFT, (application_id,))).fetchone()
    if row is None:
        raise Unknown
    await require(connection, row.vendor_id, person, *WRITERS)
    await connection.execute(LOCK_APP, (row.app_id,))
    row = await (await connection.execute(DRAFT, (application_id,))).fetchone()
    if row is None or row.state != "draft":
        raise WrongState("This application is no draft any more.")
    return _draft(row)


async def draft_as_it_is(connection: Connection, application_id: UUID) -> Draft | None:
    """The draft, for a caller who may read it and changes nothing; None for what is no draft."""
    row = await (await connection.execute(DRAFT, (application_id,))).fetchone()
    return _draft(row) if row is not None and row.state == "draft" else None


async def keep(connection: Connection, application_id: UUID, typed: Typed, now: datetime) -> None:
    """Save what was typed into a draft that the caller has locked."""
    name = str(typed.get("identity", {}).get("name", "")).strip()[:80]
    await connection.execute(SAVE, (json.dumps(typed), name, now, application_id))


async def set_logo(connection: Connection, application_id: UUID, digest: bytes | None, now: datetime) -> None:
    await connection.execute(SET_LOGO, (digest, now, application_id))


def seen(section: Any) -> str:
    """A short name of what a section said when it was shown, to notice that it was saved by somebody else since."""
    return hashlib.sha256(json.dumps(section, sort_keys=True).encode()).hexdigest()[:16]


async def _add(connection: Connection, app_id: UUID, typed: Typed, logo: bytes | None, now: datetime) -> UUID:
    draft = uuid4()
    name = str(typed["identity"].get("name", "")).strip()[:80]
    parameters = {"id": draft, "app": app_id, "draft": json.dumps(typed), "logo": logo, "name": name, "now": now}
    await connection.execute(ADD_DRAFT, parameters)
    return draft


async def _newest(connection: Connection, app_id: UUID) -> UUID | None:
    row = await (await connection.execute(NEWEST, (app_id,))).fetchone()
    return row.id if row else None


def _with_document(answer: Answer, copies: dict[UUID, UUID]) -> Answer:
    return Answer(answer.answer, answer.explanation, copies.get(answer.document) if answer.document else None)


def _draft(row: Row) -> Draft:
    logo = bytes(row.logo) if row.logo is not None else None
    return Draft(
        row.id, row.app_id, row.vendor_id, row.version, row.draft, logo, row.name, row.saved_at, row.in_force,
        row.status,
    )  # fmt: skip
