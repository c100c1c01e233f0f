"""``/settings``: language, time zone, password; the forms about mail and birth date are in `contact_settings`."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts import Account
from device_gateway.accounts.account import BadAccount, is_zone, zones
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.notice_address import contact_of
from device_gateway.accounts.origin import check_token
from device_gateway.accounts.password_change import WrongPassword, change_password
from device_gateway.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from device_gateway.database.scoping import space_scope
from device_gateway.portal.patient import Patient, Person, space_of
from device_gateway.portal.translations import marked as _
from device_gateway.state import pages_of, pool_of, wiring_of

SET_ZONE = "UPDATE gateway.space SET zone = %s"  # the one space that the transaction is in
WRONG_ZONE = _("Choose a time zone from the list, for instance Europe/Paris.")
WRONG_PASSWORD = _("This is not your current password, or there were too many wrong ones. Wait a while and try again.")
WRONG_LENGTH = _("A password has %(least)s to %(most)s characters.")
NOT_THE_SAME = _("The two new passwords are not the same.")

router = APIRouter(prefix="/settings", include_in_schema=False)


@router.get("")
async def settings(request: Request, account: Person) -> Response:
    return await settings_page(request, account, {})


@router.post("/zone")
async def set_zone(request: Request, account: Patient) -> Response:
    form = await read_form(request)
    check_token(form, account)
    zone = form.get("zone", "").strip()
    if not is_zone(zone):
        problem = pages_of(request).words(request).gettext(WRONG_ZONE)
        return await settings_page(request, account, {"zone": problem}, 422, zone)
    async with pool_of(request).connection() as connection, space_scope(connection, space_of(account)):
        await connection.execute(SET_ZONE, (zone,))
    return RedirectResponse("/settings?done=zone", 303)


@router.post("/password")
async def set_password(request: Request, account: Person) -> Response:
    """Fields `current`, `new`, `again`."""
    form = await read_form(request)
    check_token(form, account)
    words, new = pages_of(request).words(request), form.get("new", "")
    if new != form.get("again", ""):
        return await settings_page(request, account, {"again": words.gettext(NOT_THE_SAME)}, 422)
    try:
        await change_password(request, account, form.get("current", ""), new)
    except WrongPassword:
        return await settings_page(request, account, {"current": words.gettext(WRONG_PASSWORD)}, 422)
    except BadAccount:
        text = words.gettext(WRONG_LENGTH, least=MIN_LENGTH, most=MAX_LENGTH)
        return await settings_page(request, account, {"new": text}, 422)
    return RedirectResponse("/settings?done=password", 303)


async def settings_page(
    request: Request, account: Account, problems: dict[str, str], status: int = 200, zone: str | None = None
) -> Response:
    """The page, with what is wrong by the names of its fields; `zone` as it was typed."""
    contact = None
    if account.subject is not None:
        async with pool_of(request).connection() as connection, space_scope(connection, account.subject):
            contact = await contact_of(connection, account.subject, wiring_of(request).clock())
    context = {
        "here": "/settings",  # its forms are posted to paths that show nothing by themselves
        "problems": problems,
        "zone": zone or account.zone,
        "zones": sorted(zones()),
        "least": MIN_LENGTH,
        "done": request.query_params.get("done"),
        "contact": contact,
    }
    return pages_of(request).render(request, "settings.html", context, status)
