"""A vendor's page of interoperability tests: what is expected of a client, what was seen, buttons to try each."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App, app_by_id, tested_app
from app_catalog.errors import BadForm, Unknown
from app_catalog.interoperability.report import report_of
from app_catalog.interoperability.run import arm, cancel
from app_catalog.interoperability.scenario import Scenario
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.sandbox.simulated import simulated_patients
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import Connection, Person, Wiring
from app_catalog.words import marked

NONE_WAITS = marked("No version of this app waits for a decision.")


async def tests(wiring: Wiring, request: Request) -> Response:
    """The page; posting arms the ``scenario`` for a ``patient``, or cancels a ``run``."""
    person = await signed_in(wiring, request, "vendor")
    app_id = id_in_path(request, "app_id")
    fields = await posted(request, person) if request.method == "POST" else None
    async with wiring.pool.connection() as connection:
        app = await _tested(connection, app_id, person)
        if fields is None:
            return await _page(wiring, request, connection, app, person)
        now = wiring.clock()
        if (run := fields.get("run")) is not None:
            await cancel(connection, app_id, _id(run), vendor_id=app.vendor_id, person=person, now=now)
        elif fields.text("scenario") in set(Scenario):
            await arm(
                connection, app_id, Scenario(fields.text("scenario")), _id(fields.text("patient")), person=person,
                journal=wiring.journal, now=now,
            )  # fmt: skip
        else:
            raise BadForm
    return see_other(f"/catalogue/vendor/apps/{app_id}/interoperability")


async def _tested(connection: Connection, app_id: UUID, person: Person) -> App:
    """The app as it waits for a decision. Raises Unknown where it does not, NotAllowed for other vendors' people."""
    known = await app_by_id(connection, app_id)
    if known is None:
        raise Unknown
    await require(connection, known.vendor_id, person)
    app = await tested_app(connection, app_id)
    if app is None:
        raise Unknown(NONE_WAITS)
    return app


async def _page(wiring: Wiring, request: Request, connection: Connection, app: App, person: Person) -> Response:
    role = await require(connection, app.vendor_id, person)
    context = {
        "app": app,
        "report": await report_of(connection, app.application_id, wiring.clock()),
        "patients": await simulated_patients(connection, app.vendor_id),
        "writes": role in WRITERS,
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/interoperability.html", context)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadForm from None
