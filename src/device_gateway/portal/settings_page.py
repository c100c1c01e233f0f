"""``/settings``: language, time zone, password."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts import Account
from device_gateway.accounts.account import BadAccount, is_zone, zones
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.accounts.password_change import WrongPassword, change_password
from device_gateway.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from device_gateway.database.scoping import space_scope
from device_gateway.portal.patient import Patient, Person, space_of
from device_gateway.portal.translations import marked as _
from device_gateway.state import pages_of, pool_of

SET_ZONE = "UPDATE gateway.space SET zone = %s"  # the one space that the transaction is in
WRONG_ZONE = _("Choose a time zone from the list, for instance Europe/Paris.")
WRONG_PASSWORD = _("This is not your current password, or there were too many wrong ones. Wait a while and try again.")
WRONG_LENGTH = _("A password has %(least)s to %(most)s characters.")
NOT_THE_SAME = _("The two new passwords are not the same.")

router = APIRouter(prefix="/settings", include_in_schema=False)


@router.get("")
async def settings(request: Request, account: Person) -> Response:
    return _page(request, account, {}, account.zone)


@router.post("/zone")
async def set_zone(request: Request, account: Patient) -> Response:
    form = await read_form(request)
    check_token(form, account)
    zone = form.get("zone", "").strip()
    if not is_zone(zone):
        return _page(request, account, {"zone": pages_of(request).words(request).gettext(WRONG_ZONE)}, zone, 422)
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
        return _page(request, account, {"again": words.gettext(NOT_THE_SAME)}, account.zone, 422)
    try:
        await change_password(request, account, form.get("current", ""), new)
    except WrongPassword:
        return _page(request, account, {"current": words.gettext(WRONG_PASSWORD)}, account.zone, 422)
    except BadAccount:
        text = words.gettext(WRONG_LENGTH, least=MIN_LENGTH, most=MAX_LENGTH)
        return _page(request, account, {"new": text}, account.zone, 422)
    return RedirectResponse("/settings?done=password", 303)


def _page(request: Request, account: Account, problems: dict[str, str], zone: str, status: int = 200) -> Response:
    context = {
        "here": "/settings",  # its forms are posted to paths that show nothing by themselves
        "problems": problems,
        "zone": zone,
        "zones": sorted(zones()),
        "least": MIN_LENGTH,
        "done": request.query_params.get("done"),
        "has_space": account.subject is not None,
    }
    return pages_of(request).render(request, "settings.html", context, status)
