"""A reviewer's pages about apps in service: audits, complaints, requests for renewal."""

from datetime import date
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import app_by_id, apps_by_status
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.change import WATCHERS, check_cause
from app_catalog.catalogue.status import FOLLOWS, Status
from app_catalog.errors import BadForm, NotAllowed, Unknown
from app_catalog.form import Fields
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.reports import watch
from app_catalog.reports.audit import (
    MOVES,
    REVIEWERS,
    Outcome,
    add_finding,
    decide_audit,
    open_audit,
    send_plan,
    take_over,
)
from app_catalog.reports.complaint import answer_complaint
from app_catalog.reports.given_end import apps_without_agreement, give_end
from app_catalog.reports.renewal import decide_renewal
from app_catalog.reports.report import Category
from app_catalog.review.dossier import EXCLUDED, OF_THE_VENDOR, interested_in
from app_catalog.vendors.vendor import vendors_of
from app_catalog.wiring import Connection, Person, Wiring

HOME = "/catalogue/review/watch"
AUDITED = (Status.PRE_SERIES, Status.ONLINE, Status.OFFLINE, Status.SUSPENDED)


async def overview(wiring: Wiring, request: Request) -> Response:
    """What reviewers watch over; operators see, and settle, what has no end."""
    person = await signed_in(wiring, request, *WATCHERS)
    async with wiring.pool.connection() as connection:
        barred = await interested_in(connection, person)
        context = {
            "audits": await watch.audits(connection, closed=False),
            "ended": await watch.audits(connection, closed=True),
            "complaints": [row for row in await watch.complaints(connection) if row.app_id not in barred],
            "renewals": [row for row in await watch.renewals(connection) if row.app_id not in barred],
            "apps": await apps_by_status(connection, AUDITED),
            "endless": [row for row in await apps_without_agreement(connection) if row.id not in barred],
            "reviews": person.kind in REVIEWERS,
            "outcomes": {outcome.value: outcome.label for outcome in Outcome},
            "statuses": {status.value: status.label for status in Status},
            "today": wiring.clock().date(),
            "person": person,
            "csrf_token": person.csrf_token,
        }
    return wiring.render(request, "app_catalog/watch.html", context)


async def begin(wiring: Wiring, request: Request) -> Response:
    """``app``: which one to audit; ``text``: why."""
    person = await signed_in(wiring, request, *REVIEWERS)
    fields = await posted(request, person)
    try:
        app_id = UUID(fields.text("app"))
    except ValueError:
        raise BadForm from None
    async with wiring.pool.connection() as connection:
        audit_id = await open_audit(
            connection, app_id, text=fields.text("text"), person=person, journal=wiring.journal, now=wiring.clock()
        )
    return see_other(f"/catalogue/review/audits/{audit_id}")


async def audit(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, *REVIEWERS)
    audit_id = id_in_path(request, "audit_id")
    async with wiring.pool.connection() as connection:
        if request.method == "POST":
            await _work(wiring, connection, audit_id, person, await posted(request, person))
            return see_other(f"/catalogue/review/audits/{audit_id}")
        row = await watch.audit(connection, audit_id)
        app = await app_by_id(connection, row.app_id) if row else None
        if row is None or app is None:
            raise Unknown
        if app.vendor_id in await vendors_of(connection, person.id):
            raise NotAllowed(OF_THE_VENDOR)
        if app.id in await interested_in(connection, person):
            raise NotAllowed(EXCLUDED)
        context = {
            "app": app,
            "audit": row,
            "reports": await watch.reports(connection, audit_id),
            "steps": await watch.steps(connection, audit_id),
            "is_mine": row.assigned_to == person.id,
            "categories": {category.value: category.label for category in Category},
            "labels": {outcome.value: outcome.label for outcome in Outcome},
            "outcomes": [one for one in Outcome if one not in MOVES or MOVES[one] in FOLLOWS[app.status]],
            "causes": list(Cause),
            "csrf_token": person.csrf_token,
        }
    return wiring.render(request, "app_catalog/audit.html", context)


async def complaint(wiring: Wiring, request: Request) -> Response:
    """``upheld``: ``yes`` or ``no``, with a ``text``."""
    person = await signed_in(wiring, request, *REVIEWERS)
    fields = await posted(request, person)
    if fields.get("upheld") not in {"yes", "no"}:
        raise BadForm
    async with wiring.pool.connection() as connection:
        await answer_complaint(
            wiring, connection, id_in_path(request, "complaint_id"), upheld=fields.get("upheld") == "yes",
            text=fields.text("text"), person=person,
        )  # fmt: skip
    return see_other(HOME)


async def renewal(wiring: Wiring, request: Request) -> Response:
    """``decision``: ``grant`` with ``until``, or ``refuse``; with a ``text``."""
    person = await signed_in(wiring, request, *REVIEWERS)
    fields = await posted(request, person)
    match fields.get("decision"):
        case "grant":
            until = _day(fields.text("until"))
            if until is None:
                raise BadForm
        case "refuse":
            until = None
        case _:
            raise BadForm
    async with wiring.pool.connection() as connection:
        await decide_renewal(
            wiring, connection, id_in_path(request, "renewal_id"), until=until, text=fields.text("text"), person=person
        )
    return see_other(HOME)


async def end(wiring: Wiring, request: Request) -> Response:
    """``ends_on``: the last day of an app without an agreement, with a ``text`` for its vendor."""
    person = await signed_in(wiring, request, *WATCHERS)
    fields = await posted(request, person)
    last_day = _day(fields.text("ends_on"))
    if last_day is None:
        raise BadForm
    async with wiring.pool.connection() as connection:
        await give_end(
            connection, id_in_path(request, "app_id"), last_day, text=fields.text("text"), person=person,
            journal=wiring.journal, mail=wiring.mail, now=wiring.clock(),
        )  # fmt: skip
    return see_other(HOME)


async def _work(wiring: Wiring, connection: Connection, audit_id: UUID, person: Person, fields: Fields) -> None:
    """``action``: ``take``, ``plan``, ``finding``, or ``decide`` with ``outcome``, ``due_on`` and ``cause``."""
    text, now, journal = fields.text("text"), wiring.clock(), wiring.journal
    match fields.get("action"):
        case "take":
            await take_over(connection, audit_id, person=person, journal=journal, now=now)
        case "plan":
            await send_plan(connection, audit_id, text=text, person=person, journal=journal, mail=wiring.mail, now=now)
        case "finding":
            await add_finding(connection, audit_id, text=text, person=person, journal=journal, now=now)
        case "decide" if fields.get("outcome") in set(Outcome) and fields.text("cause") in {"", *Cause}:
            outcome, cause = Outcome(fields.text("outcome")), fields.get("cause")
            if outcome in MOVES:
                check_cause(MOVES[outcome], cause)
            await decide_audit(
                wiring, connection, audit_id, outcome, text=text, person=person,
                due_on=_day(fields.text("due_on")), cause=Cause(cause) if cause else None,
            )  # fmt: skip
        case _:
            raise BadForm


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
