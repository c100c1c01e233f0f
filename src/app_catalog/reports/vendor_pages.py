"""A vendor's page about the life of one app: status, agreement, audits, objections, and the circle of a pre-series."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.circle import PLACES, invitations_of
from app_catalog.catalogue.status import Status
from app_catalog.errors import Unknown
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.reports import watch
from app_catalog.reports.audit import AuditStep, Outcome, answer_audit
from app_catalog.reports.complaint import complain, is_open_to_complaint
from app_catalog.reports.given_end import given_end_of
from app_catalog.reports.renewal import ask_for_renewal, may_ask
from app_catalog.review.agreement import agreement_of
from app_catalog.vendors.role import WRITERS, Role, require
from app_catalog.wiring import Connection, Wiring

# What reviewers write for each other is not among these.
TOLD = frozenset({Step.SUBMITTED, Step.WITHDRAWN, Step.ADMITTED, Step.RETURNED, Step.ASKED, Step.ANSWERED, Step.OFFERED,
                  Step.ACCEPTED, Step.EXTENDED, Step.APPROVED, Step.REFUSED, Step.MOVED, Step.CORRECTIVE,
                  Step.END_GIVEN, Step.NOT_RENEWED})  # fmt: skip
FOR_THE_VENDOR = frozenset(
    {AuditStep.PLAN, AuditStep.ANSWERED, AuditStep.FINDING, AuditStep.DECIDED, AuditStep.REMINDED}
)


async def life(wiring: Wiring, request: Request) -> Response:
    person, now = await signed_in(wiring, request, "vendor"), wiring.clock()
    async with wiring.pool.connection() as connection:
        app = await _app(connection, id_in_path(request, "app_id"))
        role = await require(connection, app.vendor_id, person)
        steps = await watch.steps_of_app(connection, app.id)
        context = {
            "app": app,
            "steps": [
                {"step": step, "open": role in WRITERS and step.complaint is None and is_open_to_complaint(step, now)}
                for step in steps
                if step.step in TOLD
            ],
            "agreement": await agreement_of(connection, app.id),
            "given_end": await given_end_of(connection, app.id),
            "renewals": await watch.renewals_of_app(connection, app.id),
            "may_renew": role is Role.OWNER and await may_ask(connection, app, now),
            "audits": await _audits(connection, app.id),
            "outcomes": {outcome.value: outcome.label for outcome in Outcome},
            "statuses": {status.value: status.label for status in Status},
            "has_circle": app.status is Status.PRE_SERIES,
            "invitations": await invitations_of(connection, app.id),
            "places": PLACES,
            "now": now,
            "writes": role in WRITERS,
            "csrf_token": person.csrf_token,
        }
    return wiring.render(request, "app_catalog/app_life.html", context)


async def new_complaint(wiring: Wiring, request: Request) -> Response:
    """``step``: the number of the decision; ``text``: why it is wrong."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    app_id, step = id_in_path(request, "app_id"), fields.text("step")
    if not (step.isascii() and step.isdecimal() and len(step) < 19):
        raise Unknown
    async with wiring.pool.connection() as connection:
        await complain(
            connection, app_id, int(step), text=fields.text("text"), person=person, journal=wiring.journal,
            now=wiring.clock(),
        )  # fmt: skip
    return see_other(f"/catalogue/vendor/apps/{app_id}/life")


async def new_renewal(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    app_id = id_in_path(request, "app_id")
    async with wiring.pool.connection() as connection:
        await ask_for_renewal(
            connection, app_id, text=fields.text("text"), person=person, journal=wiring.journal, now=wiring.clock()
        )
    return see_other(f"/catalogue/vendor/apps/{app_id}/life")


async def answer(wiring: Wiring, request: Request) -> Response:
    """The answer to an audit."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    async with wiring.pool.connection() as connection:
        app_id = await answer_audit(
            connection, id_in_path(request, "audit_id"), text=fields.text("text"), person=person,
            journal=wiring.journal, now=wiring.clock(),
        )  # fmt: skip
    return see_other(f"/catalogue/vendor/apps/{app_id}/life")


async def _audits(connection: Connection, app_id: UUID) -> list[dict[str, object]]:
    """Without what patients wrote: who they are could be read from it."""
    return [
        {
            "audit": row,
            "steps": [step for step in await watch.steps(connection, row.id) if step.step in FOR_THE_VENDOR],
        }
        for row in await watch.audits_of_app(connection, app_id)
    ]


async def _app(connection: Connection, app_id: UUID) -> App:
    app = await app_by_id(connection, app_id)
    if app is None:
        raise Unknown
    return app
