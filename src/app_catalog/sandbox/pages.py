"""A vendor's page about its simulated patients, and the one on which a password is seen."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.consents.wording import language_of
from app_catalog.errors import BadForm, Fault, Unacceptable
from app_catalog.form import Fields
from app_catalog.oauth.browser import guarded
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.sandbox.expiry import lifetime
from app_catalog.sandbox.simulated import (
    MAX_PATIENTS,
    apps_to_try,
    end_patient,
    open_patient,
    reset_patient,
    simulated_patients,
)
from app_catalog.vendors.role import WRITERS, require
from app_catalog.vendors.vendor import vendor_by_id
from app_catalog.wiring import Person, Wiring


async def overview(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    return await _page(wiring, request, person, Fields(()))


async def make(wiring: Wiring, request: Request) -> Response:
    """A new simulated patient: the answer is the one page that ever shows its password."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    vendor_id = id_in_path(request, "vendor_id")
    try:
        async with wiring.pool.connection() as connection:
            made = await open_patient(
                connection, vendor_id, fields.text("name"), language_of(person.language), person=person,
                sandbox=wiring.sandbox, journal=wiring.journal, now=wiring.clock(),
            )  # fmt: skip
    except Unacceptable as unacceptable:
        return await _page(wiring, request, person, fields, unacceptable.faults)
    context = {"made": made, "name": fields.text("name").strip(), "back": request.url.path}
    return guarded(wiring.render(request, "app_catalog/simulated_patient.html", context))


async def change(wiring: Wiring, request: Request) -> Response:
    """``action``: ``reset`` or ``end``."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    vendor_id, subject = id_in_path(request, "vendor_id"), id_in_path(request, "subject")
    action = {"reset": reset_patient, "end": end_patient}.get(fields.text("action"))
    if action is None:
        raise BadForm
    async with wiring.pool.connection() as connection:
        await action(
            connection, vendor_id, subject, person=person, sandbox=wiring.sandbox, data_plane=wiring.data_plane,
            journal=wiring.journal, now=wiring.clock(),
        )  # fmt: skip
    return see_other(request.url.path.rpartition("/")[0])


async def _page(
    wiring: Wiring, request: Request, person: Person, fields: Fields, faults: Sequence[Fault] = ()
) -> Response:
    vendor_id = id_in_path(request, "vendor_id")
    async with wiring.pool.connection() as connection:
        vendor = await vendor_by_id(connection, vendor_id)
        role = await require(connection, vendor_id, person)
        now, patients = wiring.clock(), await simulated_patients(connection, vendor_id)
        lives = [await lifetime(connection, wiring.sandbox, one, wiring.sandbox_days, now) for one in patients]
        apps = await apps_to_try(connection, vendor_id)
    context = {
        "vendor": vendor,
        "is_writer": role in WRITERS,
        "patients": list(zip(patients, lives, strict=True)),
        "is_full": len(patients) >= MAX_PATIENTS,
        "apps": apps,
        "fhir_url": wiring.fhir_url,
        "fields": fields.first,
        "faults": faults,
        "here": f"/catalogue/vendor/organisations/{vendor_id}/sandbox",
        "csrf_token": person.csrf_token,
    }
    response = wiring.render(request, "app_catalog/sandbox.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response
