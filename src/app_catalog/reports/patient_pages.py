"""A patient's pages: report an app, and see what became of one's reports."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.pages import shown_app
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.written_day import written_day
from app_catalog.consents.wording import language_of
from app_catalog.errors import NotAllowed, Unacceptable, WrongState
from app_catalog.page import posted, see_other, signed_in
from app_catalog.reports.report import Category, make_report, reports_of
from app_catalog.wiring import Wiring

HOME = "/catalogue/reports"


async def report(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "patient")
    app = await shown_app(wiring, request)
    if app.status is Status.DEREFERENCED:
        raise WrongState("This app has left the catalogue.")
    context = {"app": app, "categories": list(Category), "fields": {}, "faults": (), "csrf_token": person.csrf_token}
    if request.method == "GET":
        return wiring.render(request, "app_catalog/report.html", context)
    fields = await posted(request, person)
    async with wiring.pool.connection() as connection:
        try:
            await make_report(
                connection,
                app.id,
                category=fields.text("category"),
                text=fields.text("text"),
                contact=fields.text("contact") if fields.get("may_contact") else None,
                person=person,
                journal=wiring.journal,
                now=wiring.clock(),
            )
        except Unacceptable as unacceptable:
            again = context | {"fields": fields.first, "faults": unacceptable.faults}
            response = wiring.render(request, "app_catalog/report.html", again)
            response.status_code = unacceptable.http_status
            return response
    return see_other(HOME)


async def reports(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "patient")
    if person.subject is None:
        raise NotAllowed
    language = language_of(wiring.language(request))
    async with wiring.pool.connection() as connection:
        mine = await reports_of(connection, person.subject)
    context = {
        "reports": [
            {
                "report": one,
                "day": written_day(one.at.date(), language),
                "due": written_day(one.due_on, language) if one.due_on and one.ended_at is None else None,
                "ended": written_day(one.ended_at.date(), language) if one.ended_at else None,
            }
            for one in mine
        ]
    }
    return wiring.render(request, "app_catalog/reports.html", context)
