"""The portal: pages for people, rendered on the server, complete without JavaScript, in French and English."""

from fastapi import APIRouter

from device_gateway.portal import (
    apps,
    consents,
    contact_settings,
    device_access,
    devices_pages,
    glucose_profile,
    home,
    import_page,
    inbox_pages,
    journal_page,
    language,
    new_device,
    pair_at_edge,
    quarantine_pages,
    settings_page,
    shared_devices,
)
from device_gateway.portal.error_pages import error_page
from device_gateway.portal.static_files import static_files

router = APIRouter()
for part in (
    home, new_device, pair_at_edge, import_page, inbox_pages, shared_devices, device_access, devices_pages,
    glucose_profile, consents, apps, journal_page, quarantine_pages, settings_page, contact_settings, language,
):  # fmt: skip
    router.include_router(part.router)

__all__ = ["error_page", "router", "static_files"]
