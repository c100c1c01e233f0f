"""The life of an app in service as its vendor sees it: decisions, audits to answer, objections, renewals."""

from datetime import date
from typing import Final
from uuid import UUID

from pydantic import Field

from app_catalog.api.apps import StatusName
from app_catalog.api.model import Instant, Model
from app_catalog.api.operation import Call
from app_catalog.api.own import described_app, own_audit, role_of_program
from app_catalog.api.review import AgreementShown, shown_agreement
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.errors import Unknown
from app_catalog.reports import watch
from app_catalog.reports.audit import answer_audit
from app_catalog.reports.complaint import complain, is_open_to_complaint
from app_catalog.reports.vendor_pages import FOR_THE_VENDOR, TOLD
from app_catalog.review.agreement import agreement_of
from app_catalog.wiring import Row

MAX_STEP: Final = 2**63  # of PostgreSQL's int8


class Complaint(Model):
    text: str
    made_at: Instant
    upheld: bool | None = Field(description="None while nobody has answered.")
    answer: str | None


class LifeStep(Model):
    id: int
    at: Instant
    step: str
    from_status: StatusName | None
    to_status: StatusName | None
    reason: str | None
    may_be_objected_to: bool
    complaint: Complaint | None


class AuditEntry(Model):
    at: Instant
    step: str
    text: str | None
    outcome: str | None


class Audit(Model):
    id: UUID
    state: str
    opened_at: Instant
    outcome: str | None
    due_on: date | None
    steps: tuple[AuditEntry, ...]


class Renewal(Model):
    text: str
    made_by: str
    made_at: Instant
    granted: bool | None
    until: date | None
    reason: str | None


class Life(Model):
    status: StatusName
    agreement: AgreementShown | None
    steps: tuple[LifeStep, ...] = Field(description="The newest first.")
    audits: tuple[Audit, ...]
    renewals: tuple[Renewal, ...] = Field(description="Asked for by an owner, on the page.")


class NewComplaint(Model):
    step: int = Field(ge=1, lt=MAX_STEP, description="The decision, among the steps.")
    text: str = Field(description="Why it is wrong.")


class AuditAnswer(Model):
    text: str


async def life(call: Call) -> Life:
    await role_of_program(call)
    return await _shown(call, await described_app(call))


async def new_complaint(call: Call) -> Life:
    body: NewComplaint = call.body
    app = await described_app(call)
    await complain(call.connection, app.id, body.step, text=body.text, **call.doing)
    return await _shown(call, app)


async def answer(call: Call) -> Life:
    body: AuditAnswer = call.body
    app_id = await answer_audit(call.connection, await own_audit(call), text=body.text, **call.doing)
    app = await app_by_id(call.connection, app_id)
    if app is None:
        raise Unknown
    return await _shown(call, app)


async def _shown(call: Call, app: App) -> Life:
    now = call.wiring.clock()
    agreement = await agreement_of(call.connection, app.id)
    steps = await watch.steps_of_app(call.connection, app.id)
    audits = await watch.audits_of_app(call.connection, app.id)
    return Life(
        status=app.status.value,
        agreement=shown_agreement(call, agreement) if agreement else None,
        steps=tuple(
            _step(row, is_open=row.complaint is None and is_open_to_complaint(row, now))
            for row in steps
            if row.step in TOLD
        ),
        audits=tuple([await _audit(call, row) for row in audits]),
        renewals=tuple(
            Renewal(
                text=row.text, made_by=row.made_by_name, made_at=row.made_at, granted=row.granted, until=row.until,
                reason=row.reason,
            )
            for row in await watch.renewals_of_app(call.connection, app.id)
        ),
    )  # fmt: skip


def _step(row: Row, *, is_open: bool) -> LifeStep:
    complaint = None
    if row.complaint is not None:
        complaint = Complaint(text=row.complaint, made_at=row.complained_at, upheld=row.upheld, answer=row.answer)
    return LifeStep(
        id=row.id, at=row.at, step=row.step, from_status=row.from_status, to_status=row.to_status, reason=row.reason,
        may_be_objected_to=is_open, complaint=complaint,
    )  # fmt: skip


async def _audit(call: Call, row: Row) -> Audit:
    """Without what patients wrote, and without the names of reviewers."""
    steps = await watch.steps(call.connection, row.id)
    return Audit(
        id=row.id,
        state=row.state,
        opened_at=row.opened_at,
        outcome=row.outcome,
        due_on=row.due_on,
        steps=tuple(
            AuditEntry(at=step.at, step=step.step, text=step.text, outcome=step.outcome)
            for step in steps
            if step.step in FOR_THE_VENDOR
        ),
    )
