"""The public catalogue as JSON, with the filters of the page."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app_catalog.catalogue.apps import Purpose
from app_catalog.catalogue.cached import cached
from app_catalog.catalogue.entry import Entry, entries
from app_catalog.catalogue.pages import LOGO_PATH, query_of, shown_entry
from app_catalog.catalogue.search import filter_from, find
from app_catalog.errors import CatalogueError, Unknown
from app_catalog.scopes.grammar import Scopes
from app_catalog.wiring import DataPlane, Wiring

PATH = "/api/catalogue/apps"


async def apps(wiring: Wiring, request: Request) -> Response:
    """``total`` over all pages, and ``next`` while there is another one."""
    try:
        wanted = filter_from(query_of(request), wiring.choices)
    except CatalogueError as error:
        return _refusal("invalid_request", error)
    async with wiring.pool.connection() as connection:
        found = await find(wiring, connection, wanted)
        listed = await entries(connection, found.ids)
    following = f"{wiring.issuer}{PATH}?{wanted.query(found.page + 1)}" if found.page < found.pages else None
    document = {"total": found.total, "next": following, "apps": [as_json(entry, wiring) for entry in listed]}
    return cached(request, _bytes(document))


async def app(wiring: Wiring, request: Request) -> Response:
    try:
        found = await shown_entry(wiring, request)
    except Unknown as error:
        return _refusal("not_found", error)
    return cached(request, _bytes(as_json(found, wiring)))


def as_json(entry: Entry, wiring: Wiring) -> dict[str, Any]:
    """An app as the public may know it."""
    app, published = entry.app, entry.published
    device = published.medical_device_class
    return {
        "id": str(app.id),
        "name": app.name,
        "vendor": app.vendor_name,
        "vendor_oid": entry.vendor_oid,
        "vendor_contact": entry.vendor_contact,
        "description": dict(app.description),
        "status": app.status.value,
        "page": f"{wiring.issuer}/catalogue/apps/{app.id}",
        "logo": wiring.issuer + LOGO_PATH.format(name=entry.logo) if entry.logo else None,
        "links": dict(published.links),
        "themes": list(published.themes),
        "regions": list(published.regions),
        "economic_model": published.economic_model,
        "medical_device": {"class": device, "certificate": published.medical_device_certificate} if device else None,
        "exchanges_data": entry.exchanges_data,
        "agreed_until": entry.agreed_until.isoformat() if entry.agreed_until else None,
        "purposes": [_purpose(purpose, wiring.data_plane) for purpose in app.purposes],
    }


def _purpose(purpose: Purpose, data_plane: DataPlane) -> dict[str, Any]:
    return {
        "key": purpose.key,
        "name": dict(purpose.name),
        "wording": dict(purpose.wording),
        "required": purpose.required,
        "retention_days": purpose.retention_days,
        "reads": _scopes(purpose.reads, data_plane),
        "writes": _scopes(purpose.writes, data_plane),
    }


def _scopes(scopes: Scopes, data_plane: DataPlane) -> list[dict[str, str]]:
    return [{"scope": str(scope), **data_plane.describe(scope)} for scope in scopes.resources]


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _refusal(code: str, error: CatalogueError) -> Response:
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
    return JSONResponse({"error": code, "message": error.message}, error.http_status, headers)
