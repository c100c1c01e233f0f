"""The URLs of this interface, its description, and what its problems mean."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app_catalog.api import openapi, problem
from app_catalog.api.operation import endpoint
from app_catalog.api.operations import OPERATIONS
from app_catalog.catalogue.cached import cached
from app_catalog.wiring import Wiring


def api_routes(wiring: Wiring) -> list[Route]:
    return [
        Route(openapi.PATH, partial(_description, wiring), methods=["GET", "OPTIONS"]),
        Route(problem.PATH, _problems, methods=["GET"]),
        *(Route(one.path, endpoint(wiring, one), methods=[one.method]) for one in OPERATIONS),
    ]


async def _description(wiring: Wiring, request: Request) -> Response:
    return cached(request, openapi.description(wiring.issuer))


async def _problems(_request: Request) -> Response:
    return JSONResponse(problem.explained())
