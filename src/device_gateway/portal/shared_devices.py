"""``/devices/…/people``, ``/devices/join``: who uses a device that tells its users apart, and codes for others."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts import Account
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.devices import guesses
from device_gateway.devices.claim_codes import NAME_LENGTH, BadDeviceName
from device_gateway.devices.holdings import held_devices
from device_gateway.devices.users import (
    BadUser,
    UserIsSomebody,
    end_user,
    invite_user,
    join,
    map_user,
    people_of,
    used_devices,
)
from device_gateway.errors import ClaimRefused, NotFound
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.translations import marked as _
from device_gateway.readings.user_index import LAST_USER
from device_gateway.state import pages_of, pool_of, settings_of

PROBLEMS = {
    BadUser: ("user", _("Enter the number that the device gives to this person, from 0 to 254.")),
    UserIsSomebody: ("user", _("This user is somebody already: end that first.")),
    BadDeviceName: ("called", _("Enter a name of 1 to 60 characters.")),
}
WRONG_CODE = _("This code is unknown, used or expired: ask for a new one.")
WRONG_NAME = _("Give it a name of 1 to 60 characters.")

router = APIRouter(prefix="/devices", include_in_schema=False)


@router.get("/join")
async def join_page(request: Request, account: Patient) -> Response:  # noqa: ARG001  # who may see it
    return _join_page(request, {}, "", "")


@router.post("/join")
async def join_form(request: Request, account: Patient) -> Response:
    """Fields `code` and `name`. Guesses are counted as those at the claim codes of devices."""
    form = await read_form(request)
    check_token(form, account)
    code, name = form.get("code", "").strip(), form.get("name", "")
    words = pages_of(request).words(request)
    address = guesses.network_of(request.client.host if request.client else None)
    async with pool_of(request).connection() as connection:
        await guesses.take(connection, address)
        try:
            joined = await join(connection, space_of(account), code, name, account.actor)
        except ClaimRefused:
            return _join_page(request, {"code": words.gettext(WRONG_CODE)}, code, name, 422)
        except BadDeviceName:
            await guesses.give_back(connection, address)
            return _join_page(request, {"name": words.gettext(WRONG_NAME)}, code, name, 422)
        await guesses.give_back(connection, address)
    return RedirectResponse(f"/devices?done=joined&number={joined.readings}", 303)


@router.get("/{device}/people")
async def people_page(request: Request, account: Patient, device: UUID) -> Response:
    return await _people_page(request, account, device, {}, {})


@router.post("/{device}/people")
async def people_form(request: Request, account: Patient, device: UUID) -> Response:
    """Fields `decision` (me, invite, end), `user`, and `called` for an invitation."""
    form = await read_form(request)
    check_token(form, account)
    space, decision = space_of(account), form.get("decision")
    if decision not in ("me", "invite", "end"):
        raise NotFound
    try:
        user = _user(form.get("user", ""))
        async with pool_of(request).connection() as connection:
            if decision == "me":
                await map_user(connection, space, device, user, account.actor)
            elif decision == "end":
                if not await held_devices(connection, space, device):
                    raise NotFound
                await end_user(connection, space, device, user, account.actor)
            else:
                minutes, called = settings_of(request).claim_code_minutes, form.get("called", "")
                code = await invite_user(connection, space, device, user, account.actor, called=called, minutes=minutes)
                context = {"here": f"/devices/{device}/people", "code": code, "minutes": minutes, "called": called}
                return pages_of(request).render(request, "device_user_code.html", context | {"device": device}, 201)
    except tuple(PROBLEMS) as error:
        field, text = PROBLEMS[type(error)]
        problems = {f"{decision}-{field}": pages_of(request).words(request).gettext(text)}
        return await _people_page(request, account, device, problems, form)
    return RedirectResponse(f"/devices/{device}/people?done={decision}", 303)


@router.post("/{device}/leave")
async def leave_form(request: Request, account: Patient, device: UUID) -> Response:
    """Field `user`. Sent twice, the second time finds nothing more to do."""
    form = await read_form(request)
    check_token(form, account)
    async with pool_of(request).connection() as connection:
        used = await used_devices(connection, space_of(account))
        user = _user(form.get("user", ""))
        if any(one.id == device and one.user == user for one in used):
            await end_user(connection, space_of(account), device, user, account.actor)
    return RedirectResponse("/devices?done=left", 303)


async def _people_page(
    request: Request,
    account: Account,
    device: UUID,
    problems: Mapping[str, str],
    entered: Mapping[str, str],
) -> Response:
    async with pool_of(request).connection() as connection:
        held = await held_devices(connection, space_of(account), device)
        people = await people_of(connection, space_of(account), device)
    if not held:
        raise NotFound
    context = {
        "here": f"/devices/{device}/people",
        "device": held[0],
        "people": people,
        "problems": problems,
        "entered": entered,
        "longest": NAME_LENGTH,
        "last_user": LAST_USER,
        "done": request.query_params.get("done"),
    }
    return pages_of(request).render(request, "device_people.html", context, 422 if problems else 200)


def _join_page(request: Request, problems: dict[str, str], code: str, name: str, status: int = 200) -> Response:
    context = {"problems": problems, "code": code, "name": name, "longest": NAME_LENGTH}
    return pages_of(request).render(request, "device_join.html", context, status)


def _user(text: str) -> int:
    """Raises BadUser."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise BadUser
    return int(text)
