"""What the application holds for its routes, typed: `app.py` puts it there."""

from typing import TYPE_CHECKING, cast

from starlette.requests import HTTPConnection

from device_gateway.database.pool import AsyncPool
from device_gateway.settings import Settings

if TYPE_CHECKING:  # the portal imports this module
    from app_catalog import Wiring
    from device_gateway.portal.pages import Pages


def pool_of(request: HTTPConnection) -> AsyncPool:
    return cast(AsyncPool, request.app.state.pool)


def settings_of(request: HTTPConnection) -> Settings:
    return cast(Settings, request.app.state.settings)


def pages_of(request: HTTPConnection) -> "Pages":
    return cast("Pages", request.app.state.pages)


def wiring_of(request: HTTPConnection) -> "Wiring":
    return cast("Wiring", request.app.state.wiring)
