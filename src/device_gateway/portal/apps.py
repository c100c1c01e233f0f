"""``/apps``: what each connected app may do, taking back one purpose, disconnecting. The rest is in `consents`."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app_catalog import (
    SOON,
    ConnectedApp,
    apps_of_simulated,
    connected_apps,
    consents_given,
    last_day,
    list_seen,
    revoke_pairing,
    unseen_list,
    withdraw_purpose,
)
from device_gateway.accounts import Account
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.errors import NotFound
from device_gateway.portal.patient import Patient, space_of
from device_gateway.state import pages_of, pool_of, wiring_of

router = APIRouter(prefix="/apps", include_in_schema=False)


@router.get("")
async def apps(request: Request, account: Patient) -> Response:
    space, now = space_of(account), wiring_of(request).clock()
    async with pool_of(request).connection() as connection:
        connected = await connected_apps(connection, space)
        tried = await apps_of_simulated(connection, space) if account.simulated else []
        given = await consents_given(connection, space)
        listed = await unseen_list(connection, space)
        if listed is not None:
            await list_seen(connection, space, now)
    here = {one.app.id for one in connected}
    context = {
        "apps": connected,
        "former": {one.app_id: one.shown["app"] for one in reversed(given) if one.app_id not in here},
        "listed": listed,
        "tried": tried,
        "describe": wiring_of(request).data_plane.describe,
        "last_day": lambda at: last_day(at, account.zone),
        "soon": now + SOON,
        "done": request.query_params.get("done"),
    }
    return pages_of(request).render(request, "apps.html", context)


@router.get("/{app}/disconnect")
async def disconnect_page(request: Request, account: Patient, app: UUID) -> Response:
    """With `last`, for who has just switched off the last purpose."""
    context = {"connected": await connected_app(request, account, app), "last": "last" in request.query_params}
    return pages_of(request).render(request, "app_disconnect.html", context)


@router.post("/{app}/disconnect")
async def disconnect(request: Request, account: Patient, app: UUID) -> Response:
    check_token(await read_form(request), account)
    await connected_app(request, account, app)
    wiring = wiring_of(request)
    async with pool_of(request).connection() as connection:
        await revoke_pairing(connection, space_of(account), app, account, wiring.journal, wiring.data_plane)
    return RedirectResponse("/apps?done=disconnected", 303)


@router.post("/{app}/withdraw")
async def withdraw(request: Request, account: Patient, app: UUID) -> Response:
    """Field `purpose`: its key. Without the last one there is nothing to be connected for: then it is asked first."""
    form = await read_form(request)
    check_token(form, account)
    connected, key = await connected_app(request, account, app), form.get("purpose", "")
    if key not in {given.purpose.key for given in connected.purposes}:
        raise NotFound
    if len(connected.purposes) == 1:
        return RedirectResponse(f"/apps/{app}/disconnect?last=yes", 303)
    wiring = wiring_of(request)
    async with pool_of(request).connection() as connection:
        last = await withdraw_purpose(
            connection, space_of(account), app, key, account, wiring.journal, wiring.data_plane
        )
    return RedirectResponse(f"/apps?done={'disconnected' if last else 'withdrawn'}", 303)


async def connected_app(request: Request, account: Account, app: UUID) -> ConnectedApp:
    """Raises NotFound for an app that is not connected with this space."""
    async with pool_of(request).connection() as connection:
        connected = await connected_apps(connection, space_of(account))
    found = next((one for one in connected if one.app.id == app), None)
    if found is None:
        raise NotFound
    return found
