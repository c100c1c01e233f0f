"""Reviewers' pages: what waits for a decision, and one application with everything that was written about it."""

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.application_pages import dossier_context
from app_catalog.applications.dossier import dossier
from app_catalog.applications.labels import STATES
from app_catalog.catalogue.apps import apps_by_status
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.change import WATCHERS
from app_catalog.catalogue.status import FOLLOWS, Status
from app_catalog.errors import Unknown
from app_catalog.interoperability.report import report_of
from app_catalog.page import id_in_path, signed_in
from app_catalog.review.agreement import USUAL, newest_agreement
from app_catalog.review.dossier import DECLARE_FIRST, REVIEWERS, Dossier, bar_to, bar_to_reading, dossier_of
from app_catalog.review.evaluation import (
    Recommendation,
    Written,
    evaluations_of,
    handed_in,
    own,
    readable,
)
from app_catalog.review.interests import declarations_of
from app_catalog.review.opinion import opinion_of
from app_catalog.review.questions import questions_of
from app_catalog.review.requirements import TO_APPROVE, Case, missing
from app_catalog.wiring import Connection, Person, Wiring

WAITING = """SELECT v.id, v.name, v.version, v.state, n.name AS vendor_name,
    v.submitted_at AT TIME ZONE 'UTC' AS submitted_at,
    (SELECT count(*) FROM catalogue.evaluation e WHERE e.application_id = v.id AND e.handed_in_at IS NOT NULL)
      AS evaluations,
    EXISTS (SELECT FROM catalogue.interest i WHERE i.application_id = v.id AND i.reviewer = %(person)s) AS declared
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id JOIN catalogue.vendor n ON n.id = a.vendor_id
  WHERE v.state IN ('submitted', 'admissible') ORDER BY v.submitted_at, v.id"""
STEPS = """SELECT step, from_status, to_status, actor_name, reason, at AT TIME ZONE 'UTC' AS at FROM catalogue.app_step
  WHERE app_id = %s ORDER BY id"""
IN_SERVICE = tuple(status for status in Status if status is not Status.CANDIDATE)


async def overview(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, *WATCHERS)
    async with wiring.pool.connection() as connection:
        waiting = await (await connection.execute(WAITING, {"person": person.id})).fetchall()
        apps = await apps_by_status(connection, IN_SERVICE)
    context = {
        "waiting": waiting,
        "quorum": wiring.review_quorum,
        "states": STATES,
        "reviews": person.kind in REVIEWERS,
        "apps": [{"app": app, "next": sorted(FOLLOWS[app.status])} for app in apps],
        "causes": list(Cause),
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/review.html", context)


async def application(wiring: Wiring, request: Request) -> Response:
    """Before a reviewer has declared their interests, the declaration only; then everything, and what may be done."""
    person = await signed_in(wiring, request, *WATCHERS)
    application_id = id_in_path(request, "application_id")
    async with wiring.pool.connection() as connection:
        case = await dossier_of(connection, application_id)
        reviews = person.kind in REVIEWERS
        bar = await bar_to(connection, case, person) if reviews else None
        unread = await bar_to_reading(connection, case, person) if reviews else None
        context = {
            "case": case,
            "states": STATES,
            "declarations": await declarations_of(connection, application_id),
            "bar": unread or bar,
            "may_declare": unread == DECLARE_FIRST,
            "csrf_token": person.csrf_token,
        }
        if unread is not None:
            return wiring.render(request, "app_catalog/review_interest.html", context)
        context |= await _review(wiring, connection, case, person, bar)
        context |= await description(wiring, connection, application_id)
    return wiring.render(request, "app_catalog/application.html", context)


async def description(wiring: Wiring, connection: Connection, application_id: UUID) -> dict[str, Any]:
    """What the vendor wrote, for a page. Raises Unknown."""
    found = await dossier(connection, application_id)
    if found is None:
        raise Unknown
    return dossier_context(wiring, found)


async def _review(
    wiring: Wiring, connection: Connection, case: Dossier, person: Person, bar: str | None
) -> dict[str, Any]:
    written = await evaluations_of(connection, case.id)
    at_hand = Case(connection, case, person, wiring.clock(), wiring.review_quorum)
    today = wiring.clock().date()
    return {
        "works": person.kind in REVIEWERS and bar is None and case.is_undecided,
        "mine": own(written, person),
        "done": [each.reviewer_name for each in handed_in(written)],
        "evaluations": [_shown(each) for each in readable(written, person, case, bar=bar)],
        "questions": await questions_of(connection, case.id),
        "opinion": await opinion_of(connection, case.id),
        "agreement": await newest_agreement(connection, case.id),
        "report": await report_of(connection, case.id, wiring.clock()),
        "missing": await missing(at_hand, TO_APPROVE) if case.is_undecided else [],
        "recommendations": list(Recommendation),
        "starts_on": today.isoformat(),
        "ends_on": (today + USUAL).isoformat(),
        "steps": await (await connection.execute(STEPS, (case.app_id,))).fetchall(),
    }


def _shown(written: Written) -> dict[str, Any]:
    """An evaluation with its remarks worth reading: those that do not simply agree, or say something."""
    remarks = [*written.evaluation.criteria.items(), *written.evaluation.purposes.items()]
    return {
        "written": written,
        "remarks": [(key, remark) for key, remark in remarks if remark.comment or remark.verdict != "agree"],
    }
