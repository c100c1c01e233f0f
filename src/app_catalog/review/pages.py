"""A reviewer's pages: what waits for a decision, and what to do about apps in service."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import app_by_id, apps_by_status
from app_catalog.catalogue.change import WATCHERS
from app_catalog.catalogue.status import FOLLOWS, Status
from app_catalog.consents.wording import wording
from app_catalog.errors import BadForm, Unknown
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.review.decision import approve_application, refuse_application
from app_catalog.review.dossier import REVIEWERS
from app_catalog.wiring import Wiring

HOME = "/catalogue/review"
WAITING = """SELECT v.id, v.name, n.name AS vendor_name, v.submitted_at AT TIME ZONE 'UTC' AS submitted_at
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id JOIN catalogue.vendor n ON n.id = a.vendor_id
  WHERE v.state IN ('submitted', 'admissible') ORDER BY v.submitted_at, v.id"""
STEPS = """SELECT step, from_status, to_status, actor_name, reason, at AT TIME ZONE 'UTC' AS at FROM catalogue.app_step
  WHERE app_id = %s ORDER BY id"""
APPLICATION = "SELECT app_id, state FROM catalogue.application WHERE id = %s"
IN_SERVICE = tuple(status for status in Status if status is not Status.CANDIDATE)


async def overview(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, *WATCHERS)
    async with wiring.pool.connection() as connection:
        waiting = await (await connection.execute(WAITING)).fetchall()
        apps = await apps_by_status(connection, IN_SERVICE)
    context = {
        "waiting": waiting,
        "apps": [{"app": app, "next": sorted(FOLLOWS[app.status])} for app in apps],
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/review.html", context)


async def application(wiring: Wiring, request: Request) -> Response:
    """Everything that the vendor wrote, in both languages, and what was done about it so far."""
    person = await signed_in(wiring, request, *REVIEWERS)
    application_id = id_in_path(request, "application_id")
    async with wiring.pool.connection() as connection:
        row = await (await connection.execute(APPLICATION, (application_id,))).fetchone()
        app = await app_by_id(connection, row.app_id) if row else None
        if row is None or app is None:
            raise Unknown
        steps = await (await connection.execute(STEPS, (app.id,))).fetchall()
    context = {
        "app": app,
        "application_id": application_id,
        "open": row.state == "submitted",
        "purposes": [
            {
                "purpose": purpose,
                "fr": wording(app, purpose, "fr", wiring.data_plane),
                "en": wording(app, purpose, "en", wiring.data_plane),
            }
            for purpose in app.purposes
        ],
        "steps": steps,
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/application.html", context)


async def decide(wiring: Wiring, request: Request) -> Response:
    """``decision``: ``approve`` (online), ``approve-pre-series`` or ``refuse``, the last with a ``reason``."""
    person = await signed_in(wiring, request, *REVIEWERS)
    fields = await posted(request, person)
    application_id = id_in_path(request, "application_id")
    now, reason = wiring.clock(), fields.text("reason")
    async with wiring.pool.connection() as connection:
        match fields.get("decision"):
            case "approve" | "approve-pre-series" as decision:
                await approve_application(
                    connection,
                    application_id,
                    person=person,
                    journal=wiring.journal,
                    now=now,
                    status=Status.ONLINE if decision == "approve" else Status.PRE_SERIES,
                    reason=reason or None,
                )
            case "refuse":
                await refuse_application(
                    connection, application_id, person=person, journal=wiring.journal, now=now, reason=reason
                )
            case _:
                raise BadForm
    return see_other(HOME)
