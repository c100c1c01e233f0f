"""The HTTP application: portal, FHIR, catalogue with OAuth, pairing. Stateless: any number of processes serve it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

import app_catalog
from device_gateway import __version__, fhir, portal
from device_gateway.accounts.routes import router as accounts_router
from device_gateway.catalogue_wiring import wiring_of
from device_gateway.database.pool import open_pool
from device_gateway.devices.routes import router as devices_router
from device_gateway.errors import GatewayError
from device_gateway.portal.pages import Pages
from device_gateway.settings import Settings

MACHINE_PATHS = (
    "/api/",
    "/oauth/",
    "/.well-known/",
    "/healthz",
    "/readyz",
    "/metrics",
)  # answered in JSON, not in HTML

log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The application for `settings`. Its pool opens when the server starts and closes when it stops."""

    pool = open_pool(settings.required("database_url"), "gateway_app")
    pages = Pages(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(
        title="Device Gateway", version=__version__, lifespan=lifespan, redoc_url=None,
        description="Connected health devices, a patient's health space, and approved apps.",
        telemetry={"tracing": False, "metrics": False, "logs": False},  # our own are at /metrics, and tell of nobody
    )  # fmt: skip
    app.state.settings = settings
    app.state.pool = pool
    app.state.pages = pages
    app.state.wiring = wiring_of(settings, pool, pages)
    asked_most, others = app_catalog.routes(app.state.wiring)
    app.router.routes.insert(0, asked_most)
    for router in (accounts_router, portal.router, devices_router, fhir.router):
        app.include_router(router)
    app.router.routes.extend(others)
    app.mount("/static", portal.static_files)
    app.add_api_route("/healthz", _alive, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(app_catalog.CatalogueError, _on_catalogue_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(psycopg.OperationalError, _on_database_away)
    app.add_exception_handler(PoolTimeout, _on_database_away)
    app.add_exception_handler(Exception, _on_failure)
    return app


async def _alive() -> Response:
    """The process answers."""
    return JSONResponse({"status": "alive"})


async def _ready(request: Request) -> Response:
    """It can do its work: the database answers."""
    try:
        async with request.app.state.pool.connection(timeout=2) as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, PoolTimeout):
        return JSONResponse({"status": "the database does not answer"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ready"})


async def _metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _on_gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)  # noqa: S101  # registered for this class
    return await _answer(request, error)


async def _on_catalogue_error(request: Request, error: Exception) -> Response:
    """On pages of ours that act through the catalogue, for instance a form that was sent twice."""
    assert isinstance(error, app_catalog.CatalogueError)  # noqa: S101  # registered for this class
    known = GatewayError(error.message)
    known.http_status = error.http_status
    return await _answer(request, known)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class
    known = GatewayError(str(error.detail))
    known.http_status = error.status_code
    response = await _answer(request, known)
    response.headers.update(error.headers or {})
    return response


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this class
    first = error.errors()[0]
    where = "/".join(str(part) for part in first["loc"])
    known = GatewayError(f"{where}: {first['msg']}")
    known.http_status = HTTPStatus.UNPROCESSABLE_ENTITY
    return await _answer(request, known)


async def _on_database_away(request: Request, error: Exception) -> Response:
    log.warning("database away", error=type(error).__name__, path=request.url.path)
    known = GatewayError("The service cannot answer at this moment: try again in a few seconds.")
    known.http_status = HTTPStatus.SERVICE_UNAVAILABLE
    known.fhir_code = "transient"
    response = await _answer(request, known)
    response.headers["Retry-After"] = "5"
    return response


async def _on_failure(request: Request, error: Exception) -> Response:
    """A defect of ours: the log has where, the caller learns nothing of the inside."""
    log.error("request failed", error=type(error).__name__, path=request.url.path, where=_where(error))
    known = GatewayError("Something went wrong here. It was noted; please try again.")
    known.http_status = HTTPStatus.INTERNAL_SERVER_ERROR
    known.fhir_code = "exception"
    return await _answer(request, known)


async def _answer(request: Request, error: GatewayError) -> Response:
    path = request.url.path
    if path == "/fhir" or path.startswith("/fhir/"):
        return fhir.error_response(error)
    if path.startswith(MACHINE_PATHS):
        problem = {"title": HTTPStatus(error.http_status).phrase, "status": error.http_status, "detail": error.message}
        return JSONResponse(problem, error.http_status, media_type="application/problem+json")
    try:
        return await portal.error_page(request, error)
    except psycopg.Error:  # the page itself needs the database
        return PlainTextResponse(error.message, error.http_status)


def _where(error: BaseException) -> str:
    """File and line of the defect; never the message, which may quote a value."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
