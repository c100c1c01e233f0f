"""Applications of a vendor: begun, written section by section, handed in, taken back."""

from typing import Literal
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from app_catalog.api.described import (
    Described,
    Difference,
    Sections,
    described,
    placed,
    shown_change,
    shown_fault,
    typed_from,
)
from app_catalog.api.model import Instant, Model, Page, Paging, Problem
from app_catalog.api.operation import Call, Created
from app_catalog.api.own import own_app, own_application, role_of_program
from app_catalog.applications.dossier import dossier
from app_catalog.applications.draft import begin_app, begin_version, draft_as_it_is, draft_of, keep
from app_catalog.applications.missing import missing
from app_catalog.applications.progress import Progress, progress_of
from app_catalog.applications.submission import submit_draft, withdraw
from app_catalog.errors import Fault, Unacceptable, Unknown
from app_catalog.wiring import Row

PATH = "/api/catalogue/vendor/applications"
State = Literal["draft", "submitted", "admissible", "returned", "approved", "refused", "withdrawn"]
# Without drafts that were discarded before anybody else saw them.
LISTED = """SELECT v.id, v.app_id, a.client_id, v.name, v.version, v.state, v.reason, v.submitted_at, v.decided_at,
    count(*) OVER () AS total
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id
  WHERE a.vendor_id = %(vendor)s AND (v.state = 'draft' OR v.submitted_at IS NOT NULL)
    AND (%(state)s::text IS NULL OR v.state = %(state)s) AND (%(app)s::uuid IS NULL OR v.app_id = %(app)s)
  ORDER BY v.created_at DESC, v.id LIMIT %(limit)s OFFSET %(offset)s"""


class Wanted(Paging):
    state: State | None = None
    app_id: UUID | None = None


class ApplicationLine(Model):
    id: UUID
    app_id: UUID
    client_id: str
    name: str
    version: int
    state: State
    reason: str | None = Field(description="What was said with the decision.")
    submitted_at: Instant | None
    decided_at: Instant | None


class ApplicationShown(Described):
    id: UUID
    app_id: UUID
    client_id: str = Field(description="Works for simulated patients while the application waits for a decision.")
    version: int
    state: State
    saved_at: Instant | None = Field(description="Of a draft.")
    submitted_at: Instant | None
    decided_at: Instant | None
    reason: str | None
    missing: tuple[Problem, ...] = Field(description="What keeps a draft from being submitted.")
    unchanged_purposes: tuple[str, ...] = Field(description="Keys: patients are not asked about them again.")
    changes: tuple[Difference, ...] = Field(description="Beside the version in force when it was submitted.")


class NewApp(Model):
    name: str = Field(min_length=1, max_length=80)


class NewVersion(Model):
    base: UUID | None = Field(default=None, description="An application to copy; without one, that in force.")


async def applications(call: Call) -> Page[ApplicationLine]:
    await role_of_program(call)
    wanted: Wanted = call.query
    values = {
        "vendor": call.vendor_id, "state": wanted.state, "app": wanted.app_id, "limit": wanted.limit,
        "offset": wanted.offset,
    }  # fmt: skip
    rows = await (await call.connection.execute(LISTED, values)).fetchall()
    return call.page(tuple(_line(row) for row in rows), rows[0].total if rows else 0)


async def new_app(call: Call) -> Created:
    body: NewApp = call.body
    draft = await begin_app(
        call.connection, body.name.strip(), vendor_id=call.vendor_id, person=call.program, now=call.wiring.clock()
    )
    return Created(await _shown(call, draft), f"{PATH}/{draft}")


async def new_version(call: Call) -> Created:
    body: NewVersion = call.body
    app = await own_app(call)
    draft = await begin_version(
        call.connection, app.id, person=call.program, now=call.wiring.clock(), choices=call.wiring.choices,
        base=body.base,
    )  # fmt: skip
    return Created(await _shown(call, draft), f"{PATH}/{draft}")


async def application(call: Call) -> ApplicationShown:
    return await _shown(call, (await own_application(call)).id)


async def change(call: Call) -> ApplicationShown:
    """The sections that are given. What is missing is in the answer, and refuses nothing, as on the pages."""
    sections: Sections = call.body
    row = await own_application(call)
    async with call.connection.transaction():
        draft = await draft_of(call.connection, row.id, call.program)
        call.unchanged(await _shown(call, row.id))
        progress = await progress_of(call.connection, draft, call.wiring.choices)
        if faults := _unknown_answers(sections, progress):
            raise Unacceptable(*faults)
        typed = typed_from(sections, draft.typed, call.wiring.choices)
        await keep(call.connection, draft.id, typed, call.wiring.clock())
        return await _shown(call, row.id)


async def submit(call: Call) -> ApplicationShown:
    row = await own_application(call)
    try:
        async with call.connection.transaction():
            await draft_of(call.connection, row.id, call.program)
            call.unchanged(await _shown(call, row.id))
            await submit_draft(call.connection, row.id, choices=call.wiring.choices, **call.doing)
    except Unacceptable as unacceptable:
        raise Unacceptable(*(placed(fault) for fault in unacceptable.faults)) from None
    return await _shown(call, row.id)


async def take_back(call: Call) -> Response | None:
    """Discards a draft, withdraws what waits for a decision."""
    row = await own_application(call)
    await withdraw(call.connection, row.id, **call.doing)
    return None


async def _shown(call: Call, application_id: UUID) -> ApplicationShown:
    row = await _row(call, application_id)
    draft = await draft_as_it_is(call.connection, application_id)
    if draft is None:
        return await _submitted(call, row)
    progress = await progress_of(call.connection, draft, call.wiring.choices)
    faults = missing(
        progress.application, progress.answers, progress.documents, progress.criteria,
        follows=draft.in_force is not None,
    )  # fmt: skip
    return ApplicationShown(
        id=draft.id,
        app_id=draft.app_id,
        client_id=row.client_id,
        version=draft.version,
        state="draft",
        saved_at=draft.saved_at,
        submitted_at=None,
        decided_at=None,
        reason=None,
        missing=tuple(shown_fault(placed(fault)) for fault in faults),
        unchanged_purposes=(),
        changes=(),
        **described(
            progress.application, progress.answers, progress.documents, criteria_version=progress.criteria.version,
            has_logo=draft.logo is not None,
        ),
    )  # fmt: skip


async def _submitted(call: Call, row: Row) -> ApplicationShown:
    found = await dossier(call.connection, row.id)
    if found is None:
        raise Unknown
    return ApplicationShown(
        id=found.id,
        app_id=found.app_id,
        client_id=row.client_id,
        version=found.version,
        state=row.state,
        saved_at=None,
        submitted_at=found.submitted_at,
        decided_at=found.decided_at,
        reason=found.reason,
        missing=(),
        unchanged_purposes=tuple(sorted(found.unchanged)),
        changes=tuple(shown_change(one) for one in found.changes),
        **described(
            found.application, found.answers, found.documents,
            criteria_version=found.criteria.version if found.criteria else None, has_logo=found.logo is not None,
        ),
    )  # fmt: skip


async def _row(call: Call, application_id: UUID) -> Row:
    query = """SELECT v.id, v.state, a.client_id FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id
      WHERE v.id = %s"""
    return await (await call.connection.execute(query, (application_id,))).fetchone()


def _line(row: Row) -> ApplicationLine:
    return ApplicationLine(
        id=row.id, app_id=row.app_id, client_id=row.client_id, name=row.name, version=row.version, state=row.state,
        reason=row.reason, submitted_at=row.submitted_at, decided_at=row.decided_at,
    )  # fmt: skip


def _unknown_answers(sections: Sections, progress: Progress) -> list[Fault]:
    """A code or a document that there is not is a slip of the pen: the pages do not offer it either."""
    documents = {document.id for document in progress.documents}
    faults = []
    for code, answer in (sections.criteria or {}).items():
        if code not in progress.criteria.by_code:
            faults.append(Fault(f"/criteria/{code}", "There is no such criterion."))
        elif answer.document is not None and answer.document not in documents:
            faults.append(Fault(f"/criteria/{code}/document", "There is no such document in this application."))
    return faults
