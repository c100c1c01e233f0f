"""``/static``: our style sheet and icon, and htmx from its own package, under URLs that change with their content."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

YEAR_S = 31_536_000  # seconds a browser keeps a file whose URL names its content


class Asset(NamedTuple):
    content: bytes
    media_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """By name. Raises FileNotFoundError when the package with htmx is not installed."""
    own = files("device_gateway.portal").joinpath("static")
    htmx = files("js_lib_htmx").joinpath("static", "htmx", "htmx.min.js")
    sources = {
        "portal.css": (own.joinpath("portal.css"), "text/css; charset=utf-8"),
        "icon.svg": (own.joinpath("icon.svg"), "image/svg+xml"),
        "htmx.min.js": (htmx, "text/javascript; charset=utf-8"),
    }
    found = {}
    for name, (file, media_type) in sources.items():
        content = file.read_bytes()
        found[name] = Asset(content, media_type, hashlib.sha256(content).hexdigest()[:12])
    return found


def asset_url(name: str) -> str:
    return f"/static/{name}?v={assets()[name].version}"


async def static_file(request: Request) -> Response:
    asset = assets().get(request.path_params["name"])
    if asset is None:
        return Response(status_code=404)
    tag = f'"{asset.version}"'
    fresh = request.query_params.get("v") == asset.version
    headers = {
        "ETag": tag,
        "Cache-Control": f"public, max-age={YEAR_S}, immutable" if fresh else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


static_files = Router([Route("/{name}", static_file)])  # to be mounted at /static
