"""``/devices/{id}/access``: new settings for a device that was reset. What it had before ends, its history goes on."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.devices.holdings import HeldDevice, held_devices
from device_gateway.devices.provisioning import Access, provision_again
from device_gateway.errors import NotFound
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.qr import qr_code
from device_gateway.state import pages_of, pool_of, settings_of

NOT_STORED = {"Cache-Control": "no-store"}

router = APIRouter(prefix="/devices", include_in_schema=False)


@router.get("/{device}/access")
async def ask(request: Request, account: Patient, device: UUID) -> Response:
    return pages_of(request).render(
        request, "device_access_again.html", {"device": await _held(request, account, device)}
    )


@router.post("/{device}/access")
async def again(request: Request, account: Patient, device: UUID) -> Response:
    """Sent twice, the second password is the one that counts, and the page shows that one."""
    check_token(await read_form(request), account)
    await _held(request, account, device)
    async with pool_of(request).connection() as connection:
        access, name = await provision_again(connection, account, space_of(account), settings_of(request), device)
    return shown_once(request, access, name)


def shown_once(request: Request, access: Access, name: str) -> Response:
    """The page with the password, which nobody's cache keeps."""
    context = {"access": access, "name": name, "qr": qr_code(access.scanned)}
    answer = pages_of(request).render(request, "device_access.html", context, 201)
    answer.headers.update(NOT_STORED)
    return answer


async def _held(request: Request, account: Patient, device: UUID) -> HeldDevice:
    async with pool_of(request).connection() as connection:
        held = await held_devices(connection, space_of(account), device)
    if not held or held[0].parent is not None or held[0].kind == "edge":
        raise NotFound  # what is carried has no settings; an edge is claimed
    return held[0]
