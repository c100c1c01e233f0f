"""Pages on which access keys are made, listed and ended, and the one on which a key is ever seen."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.access_keys.access_key import OF_VENDOR, USUAL, YEAR, end_key, keys_shown_to, make_key
from app_catalog.errors import Fault, Unacceptable
from app_catalog.form import Fields
from app_catalog.oauth.browser import guarded
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.review.dossier import checked_day
from app_catalog.vendors.role import WRITERS, require
from app_catalog.vendors.vendor import vendor_by_id
from app_catalog.wiring import Person, Wiring

OF_REVIEWER = "/catalogue/review/keys"
API = "/api/catalogue/openapi.json"


async def keys(wiring: Wiring, request: Request) -> Response:
    """The list; a POST makes a key, and answers with the one page that shows it."""
    person, vendor_id = await _for_whom(wiring, request)
    if request.method == "GET":
        return await _page(wiring, request, person, vendor_id, Fields(()))
    fields = await posted(request, person)
    try:
        expires_at = _end_of(fields.text("ends_on"), person)
        async with wiring.pool.connection() as connection:
            key = await make_key(
                connection, vendor_id, name=fields.text("name"), writes=fields.get("may") == "write",
                expires_at=expires_at, person=person, mail=wiring.mail, issuer=wiring.issuer, journal=wiring.journal,
                now=wiring.clock(),
            )  # fmt: skip
    except Unacceptable as unacceptable:
        return await _page(wiring, request, person, vendor_id, fields, faults=unacceptable.faults)
    context = {"key": key, "back": request.url.path, "issuer": wiring.issuer, "api": API, "of_vendor": vendor_id}
    return guarded(wiring.render(request, "app_catalog/access_key_made.html", context))


async def end(wiring: Wiring, request: Request) -> Response:
    person, vendor_id = await _for_whom(wiring, request)
    await posted(request, person)
    async with wiring.pool.connection() as connection:
        await end_key(
            connection, vendor_id, id_in_path(request, "key_id"), person=person, journal=wiring.journal,
            now=wiring.clock(),
        )  # fmt: skip
    return see_other(_here(vendor_id))


async def _for_whom(wiring: Wiring, request: Request) -> tuple[Person, UUID | None]:
    if "vendor_id" in request.path_params:
        return await signed_in(wiring, request, "vendor"), id_in_path(request, "vendor_id")
    return await signed_in(wiring, request, "reviewer"), None


def _here(vendor_id: UUID | None) -> str:
    return OF_VENDOR.format(vendor_id=vendor_id) if vendor_id is not None else OF_REVIEWER


def _end_of(text: str, person: Person) -> datetime:
    """The end of the day that `person` chose, where they are. Raises Unacceptable."""
    day = checked_day("/ends_on", text)
    try:
        return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(person.zone))
    except OverflowError:
        raise Unacceptable(Fault("/ends_on", "Give a day within a year.")) from None


async def _page(
    wiring: Wiring,
    request: Request,
    person: Person,
    vendor_id: UUID | None,
    fields: Fields,
    *,
    faults: Sequence[Fault] = (),
) -> Response:
    now = wiring.clock()
    async with wiring.pool.connection() as connection:
        vendor = await vendor_by_id(connection, vendor_id) if vendor_id is not None else None
        writer = vendor_id is not None and await require(connection, vendor_id, person) in WRITERS
        listed = await keys_shown_to(connection, vendor_id, person)
    today = now.astimezone(ZoneInfo(person.zone)).date()
    context = {
        "vendor": vendor,
        "is_writer": writer,
        "keys": [{"key": one, "works": one.works(now)} for one in listed],
        "usual": (today + USUAL).isoformat(),
        "first": today.isoformat(),
        "last": (today + YEAR).isoformat(),
        "fields": fields.first,
        "faults": faults,
        "here": _here(vendor_id),
        "api": API,
        "csrf_token": person.csrf_token,
    }
    response = guarded(wiring.render(request, "app_catalog/access_keys.html", context))
    if faults:
        response.status_code = Unacceptable.http_status
    return response
