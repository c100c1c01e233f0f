"""A vendor's pages: apply, see what became of it, get a secret."""

from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.form import PURPOSES_ON_FORM, application_from
from app_catalog.applications.submission import submit_application
from app_catalog.catalogue.apps import apps_of_vendors
from app_catalog.catalogue.secret import OVERLAP, rotate_secret
from app_catalog.catalogue.status import Status
from app_catalog.errors import Fault, Unacceptable
from app_catalog.form import Fields
from app_catalog.oauth.browser import guarded
from app_catalog.oauth.profiles import PROFILES
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.vendors.vendor import register_vendor, vendors_of
from app_catalog.wiring import Connection, Person, Row, Wiring

APPLICATIONS_OF_VENDORS = """SELECT v.id, v.app_id, v.name, v.state, v.reason,
    v.submitted_at AT TIME ZONE 'UTC' AS submitted_at, v.decided_at AT TIME ZONE 'UTC' AS decided_at
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id
  WHERE a.vendor_id = ANY(%s) ORDER BY v.submitted_at DESC, v.id"""


async def overview(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    async with wiring.pool.connection() as connection:
        vendors = await vendors_of(connection, person.id)
        apps = [app for app in await apps_of_vendors(connection, vendors) if app.status is not Status.CANDIDATE]
        applications = await _applications(connection, list(vendors))
    context = {
        "apps": [
            {"app": app, "has_secret": PROFILES[app.profile].has_secret, "has_keys": PROFILES[app.profile].has_keys}
            for app in apps
        ],
        "applications": applications,
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/vendor.html", context)


async def new_secret(wiring: Wiring, request: Request) -> Response:
    """The one page on which a secret is ever seen."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    app_id = id_in_path(request, "app_id")
    keep = timedelta() if fields.get("end_former") else OVERLAP
    async with wiring.pool.connection() as connection:
        secret = await rotate_secret(
            connection, app_id, person=person, journal=wiring.journal, now=wiring.clock(), keep_former=keep
        )
    return guarded(wiring.render(request, "app_catalog/secret.html", {"secret": secret}))


async def apply(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    if request.method == "GET":
        async with wiring.pool.connection() as connection:
            registered = bool(await vendors_of(connection, person.id))
        return _form(wiring, request, person, Fields(()), registered=registered)
    fields = await posted(request, person)
    async with wiring.pool.connection() as connection:
        registered = bool(await vendors_of(connection, person.id))
        try:
            await _submit(wiring, connection, person, fields)
        except Unacceptable as unacceptable:
            return _form(wiring, request, person, fields, registered=registered, faults=unacceptable.faults)
    return see_other("/catalogue/vendor")


async def _submit(wiring: Wiring, connection: Connection, person: Person, fields: Fields) -> None:
    """Register the organisation if the form does, and submit; both or neither."""
    now = wiring.clock()
    async with connection.transaction():
        vendors = sorted(await vendors_of(connection, person.id))
        vendor = vendors[0] if vendors else await register_vendor(
            connection,
            name=fields.text("vendor_name"),
            contact=fields.text("vendor_contact"),
            person=person,
            journal=wiring.journal,
            now=now,
        )  # fmt: skip
        await submit_application(
            connection, application_from(fields), vendor_id=vendor, person=person, journal=wiring.journal, now=now
        )


def _form(
    wiring: Wiring, request: Request, person: Person, fields: Fields, *, registered: bool, faults: Sequence[Fault] = ()
) -> Response:
    context = {
        "fields": fields.first,
        "faults": faults,
        "registered": registered,
        "profiles": sorted(PROFILES),
        "purposes": range(PURPOSES_ON_FORM),
        "csrf_token": person.csrf_token,
    }
    response = wiring.render(request, "app_catalog/apply.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response


async def _applications(connection: Connection, vendors: list[object]) -> list[Row]:
    return await (await connection.execute(APPLICATIONS_OF_VENDORS, (vendors,))).fetchall()
