"""``/apps``: what each connected app may do, taking back one purpose, disconnecting."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app_catalog import ConnectedApp, connected_apps, revoke_pairing, withdraw_purpose
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.errors import NotFound
from device_gateway.portal.patient import Patient, space_of
from device_gateway.state import pages_of, pool_of, wiring_of

router = APIRouter(prefix="/apps", include_in_schema=False)


@router.get("")
async def apps(request: Request, account: Patient) -> Response:
    context = {
        "apps": await _connected(request, account),
        "describe": wiring_of(request).data_plane.describe,
        "done": request.query_params.get("done"),
    }
    return pages_of(request).render(request, "apps.html", context)


@router.get("/{app}/disconnect")
async def disconnect_page(request: Request, account: Patient, app: UUID) -> Response:
    context = {"connected": await _one(request, account, app)}
    return pages_of(request).render(request, "app_disconnect.html", context)


@router.post("/{app}/disconnect")
async def disconnect(request: Request, account: Patient, app: UUID) -> Response:
    check_token(await read_form(request), account)
    await _one(request, account, app)
    wiring = wiring_of(request)
    async with pool_of(request).connection() as connection:
        await revoke_pairing(connection, space_of(account), app, account, wiring.journal, wiring.data_plane)
    return RedirectResponse("/apps?done=disconnected", 303)


@router.post("/{app}/withdraw")
async def withdraw(request: Request, account: Patient, app: UUID) -> Response:
    """Field `purpose`: its key."""
    form = await read_form(request)
    check_token(form, account)
    connected, key = await _one(request, account, app), form.get("purpose", "")
    if key not in {given.purpose.key for given in connected.purposes}:
        raise NotFound
    wiring = wiring_of(request)
    async with pool_of(request).connection() as connection:
        last = await withdraw_purpose(
            connection, space_of(account), app, key, account, wiring.journal, wiring.data_plane
        )
    return RedirectResponse(f"/apps?done={'disconnected' if last else 'withdrawn'}", 303)


async def _connected(request: Request, account: Patient) -> list[ConnectedApp]:
    async with pool_of(request).connection() as connection:
        return await connected_apps(connection, space_of(account))


async def _one(request: Request, account: Patient, app: UUID) -> ConnectedApp:
    """Raises NotFound for an app that is not connected with this space."""
    found = next((one for one in await _connected(request, account) if one.app.id == app), None)
    if found is None:
        raise NotFound
    return found
