"""``/api/catalogue/apps``: the public catalogue as JSON."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app_catalog.catalogue.apps import App, Purpose, apps_by_status
from app_catalog.catalogue.pages import LISTED, shown_app
from app_catalog.errors import Unknown
from app_catalog.scopes.grammar import Scopes
from app_catalog.wiring import DataPlane, Wiring


async def apps(wiring: Wiring, request: Request) -> Response:  # noqa: ARG001  the signature of an endpoint
    async with wiring.pool.connection() as connection:
        listed = await apps_by_status(connection, LISTED)
    return JSONResponse({"apps": [as_json(app, wiring.data_plane) for app in listed]})


async def app(wiring: Wiring, request: Request) -> Response:
    try:
        found = await shown_app(wiring, request)
    except Unknown as error:
        return JSONResponse({"error": "not_found", "message": error.message}, error.http_status)
    return JSONResponse(as_json(found, wiring.data_plane))


def as_json(app: App, data_plane: DataPlane) -> dict[str, Any]:
    """An app as the public may know it."""
    return {
        "id": str(app.id),
        "name": app.name,
        "vendor": app.vendor_name,
        "description": dict(app.description),
        "status": app.status.value,
        "purposes": [_purpose(purpose, data_plane) for purpose in app.purposes],
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
