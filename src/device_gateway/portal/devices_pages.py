"""``/devices``: what the patient holds, a new name, letting go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.devices.claim_codes import NAME_LENGTH, BadDeviceName
from device_gateway.devices.heard import heard_devices
from device_gateway.devices.holdings import HeldDevice, held_devices, release, rename
from device_gateway.devices.sensors import ask_for_session, sensor_states
from device_gateway.devices.users import shared_devices, used_devices
from device_gateway.errors import NotFound
from device_gateway.portal.heard_list import base_topics, offers
from device_gateway.portal.patient import Patient, space_of
from device_gateway.readings.inbox import questions
from device_gateway.state import pages_of, pool_of

SKEW_WORTH_TELLING_S = 120  # seconds: meters show minutes
WEAK_SIGNAL_DBM = -90  # below, transfers break off

router = APIRouter(prefix="/devices", include_in_schema=False)


@dataclass(frozen=True)
class Shown:
    """A device, what it is connected through, and what is connected through it."""

    device: HeldDevice
    parent: HeldDevice | None
    children: Sequence[HeldDevice]


@router.get("")
async def devices(request: Request, account: Patient) -> Response:
    async with pool_of(request).connection() as connection:
        held = await held_devices(connection, space_of(account))
        heard = await heard_devices(connection, space_of(account))
        shared = await shared_devices(connection, space_of(account))
        used = await used_devices(connection, space_of(account))
        sensors = await sensor_states(connection, space_of(account))
        waiting = sum(one.readings for one in await questions(connection, space_of(account)))
    by_id = {device.id: device for device in held}
    shown = [
        Shown(device, by_id.get(device.parent) if device.parent else None, [c for c in held if c.parent == device.id])
        for device in held
    ]
    context = {
        "shown": shown,
        "shared": shared,
        "used": used,
        "sensors": sensors,
        "waiting": waiting,
        "done": request.query_params.get("done"),
        "skew_told_s": SKEW_WORTH_TELLING_S,
        "weak_dbm": WEAK_SIGNAL_DBM,
    }
    context |= {"heard": offers(heard, pages_of(request).words(request)), "base_topics": base_topics(held)}
    return pages_of(request).render(request, "devices.html", context)


@router.get("/{device}/rename")
async def rename_page(request: Request, account: Patient, device: UUID) -> Response:
    held = await _held(request, account, device)
    context = {"device": held, "name": held.name, "wrong": False, "longest": NAME_LENGTH}
    return pages_of(request).render(request, "device_rename.html", context)


@router.post("/{device}/rename")
async def rename_form(request: Request, account: Patient, device: UUID) -> Response:
    form = await read_form(request)
    check_token(form, account)
    held, name = await _held(request, account, device), form.get("name", "")
    try:
        async with pool_of(request).connection() as connection:
            await rename(connection, space_of(account), device, name)
    except BadDeviceName:
        context = {"device": held, "name": name, "wrong": True, "longest": NAME_LENGTH}
        return pages_of(request).render(request, "device_rename.html", context, 422)
    return RedirectResponse("/devices?done=renamed", 303)


@router.post("/{device}/session")
async def session_form(request: Request, account: Patient, device: UUID) -> Response:
    """A new session of a glucose sensor. Sent twice, it is asked for twice: the edge starts none while one runs."""
    check_token(await read_form(request), account)
    async with pool_of(request).connection() as connection:
        await ask_for_session(connection, space_of(account), device, account.actor)
    return RedirectResponse("/devices?done=session", 303)


@router.get("/{device}/remove")
async def remove_page(request: Request, account: Patient, device: UUID) -> Response:
    async with pool_of(request).connection() as connection:
        held = await held_devices(connection, space_of(account))
    found = next((one for one in held if one.id == device), None)
    if found is None:
        raise NotFound
    context = {"device": found, "children": [one for one in held if one.parent == device], "now": datetime.now(UTC)}
    return pages_of(request).render(request, "device_remove.html", context)


@router.post("/{device}/remove")
async def remove_form(request: Request, account: Patient, device: UUID) -> Response:
    """Sent twice, the second time finds nothing more to do: the list says what is."""
    check_token(await read_form(request), account)
    async with pool_of(request).connection() as connection:
        await release(connection, space_of(account), device, account.actor)
    return RedirectResponse("/devices?done=removed", 303)


async def _held(request: Request, account: Patient, device: UUID) -> HeldDevice:
    async with pool_of(request).connection() as connection:
        held = await held_devices(connection, space_of(account), device)
    if not held:
        raise NotFound
    return held[0]
