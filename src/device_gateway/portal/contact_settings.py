"""``/settings/mail`` and ``/settings/birth-date``: where a patient is written to, and when they come of age."""

from datetime import date
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts.account import BadAccount
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.majority import MAJORITY, birthday, can_be, is_of_age
from device_gateway.accounts.notice_address import ask_address, confirm_address, forget_address
from device_gateway.accounts.origin import check_token
from device_gateway.database.scoping import space_scope
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.settings_page import settings_page
from device_gateway.portal.translations import marked as _
from device_gateway.state import pages_of, pool_of, wiring_of

WRONG_ADDRESS: Final = _("This is no mail address.")
TOO_SOON: Final = _("A code was sent a moment ago: wait a minute before you ask for another.")
WRONG_CODE: Final = _("This is not the code, or it is too old. Ask for another one.")
WRONG_DATE: Final = _("This is not a date on which you can have been born.")
MAIL_SUBJECT: Final = _("Your code: is this your address?")
MAIL_TEXT: Final = _(
    "Type this code on the settings page of your health space, within half an hour:\n\n    {code}\n\n"
    "If you did not ask for it, you need not do anything."
)
# Who is of age already when the date is given is asked nothing because of it.
SET_BIRTH_DATE: Final = "UPDATE gateway.space SET birth_date = %s, of_age_since = %s WHERE id = %s"

router = APIRouter(prefix="/settings", include_in_schema=False)


@router.post("/mail")
async def set_mail(request: Request, account: Patient) -> Response:
    """Field `email`; empty for no mail any more."""
    form = await read_form(request)
    check_token(form, account)
    words, space, address = pages_of(request).words(request), space_of(account), form.get("email", "").strip()
    wiring = wiring_of(request)
    async with pool_of(request).connection() as connection, space_scope(connection, space):
        if not address:
            await forget_address(connection, space)
            return RedirectResponse("/settings?done=no_mail", 303)
        try:
            sent = await ask_address(
                connection, space, address, mail=wiring.mail, subject=words.gettext(MAIL_SUBJECT),
                text=words.gettext(MAIL_TEXT), now=wiring.clock(),
            )  # fmt: skip
        except BadAccount:
            return await settings_page(request, account, {"email": words.gettext(WRONG_ADDRESS)}, 422)
    if not sent:
        return await settings_page(request, account, {"email": words.gettext(TOO_SOON)}, 429)
    return RedirectResponse("/settings?done=code", 303)


@router.post("/mail/code")
async def confirm_mail(request: Request, account: Patient) -> Response:
    """Field `code`."""
    form = await read_form(request)
    check_token(form, account)
    space = space_of(account)
    async with pool_of(request).connection() as connection, space_scope(connection, space):
        right = await confirm_address(connection, space, form.get("code", ""), wiring_of(request).clock())
    if not right:
        problem = pages_of(request).words(request).gettext(WRONG_CODE)
        return await settings_page(request, account, {"code": problem}, 422)
    return RedirectResponse("/settings?done=mail", 303)


@router.post("/birth-date")
async def set_birth_date(request: Request, account: Patient) -> Response:
    """Field `birth_date`, YYYY-MM-DD; empty to take it away."""
    form = await read_form(request)
    check_token(form, account)
    space, text, now = space_of(account), form.get("birth_date", "").strip(), wiring_of(request).clock()
    born: date | None = None
    if text:
        try:
            born = date.fromisoformat(text)
        except ValueError:
            born = None
        if born is None or not can_be(born, account.zone, now):
            problem = pages_of(request).words(request).gettext(WRONG_DATE)
            return await settings_page(request, account, {"birth_date": problem}, 422)
    of_age = birthday(born, MAJORITY) if born and is_of_age(born, account.zone, now) else None
    async with pool_of(request).connection() as connection, space_scope(connection, space):
        await connection.execute(SET_BIRTH_DATE, (born, of_age, space))
    return RedirectResponse("/settings?done=birth_date", 303)
