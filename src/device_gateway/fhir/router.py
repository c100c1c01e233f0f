"""Everything under /fhir: one endpoint that routes by the table of served types, so that errors are FHIR's too."""

import json
import traceback
from collections.abc import Mapping
from typing import Final

import psycopg
import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app_catalog import smart_configuration
from device_gateway.database.scoping import space_scope
from device_gateway.errors import GatewayError
from device_gateway.fhir.caller import bearer_token, calling_app, tell_tests
from device_gateway.fhir.capability import capability_statement
from device_gateway.fhir.devices import DEVICE
from device_gateway.fhir.errors import MethodNotAllowed, NoSuchResource, NoSuchType, Unavailable
from device_gateway.fhir.negotiation import form_pairs, knows_version, query_pairs, require_json, wants_strict
from device_gateway.fhir.observations import OBSERVATION
from device_gateway.fhir.outcome import outcome
from device_gateway.fhir.patients import PATIENT
from device_gateway.fhir.served import Answer, Asking, SearchInput, ServedType, answer_of
from device_gateway.state import pool_of, wiring_of

SERVED: Final[Mapping[str, ServedType]] = {served.name: served for served in (OBSERVATION, DEVICE, PATIENT)}

FHIR_JSON: Final = "application/fhir+json; charset=utf-8"
PREFLIGHT_SECONDS: Final = 3600  # how long a browser may remember that it may ask
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization, Prefer",
    "X-Content-Type-Options": "nosniff",
    # Browser apps of any origin: a token is needed for everything, and no cookie is ever looked at.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, WWW-Authenticate, Retry-After, Allow",
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, If-None-Match, Prefer",
    "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
}

logger = structlog.get_logger()


async def respond(request: Request) -> Response:
    """The answer to any request under /fhir. Never raises: what went wrong is an OperationOutcome."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=HEADERS | PREFLIGHT)
    try:
        answer = await _route(request)
    except GatewayError as error:
        answer = answer_of(error)
    except psycopg.OperationalError as error:  # no connection free, a lock not given, a server going away
        logger.warning("fhir request could not be served", error=type(error).__name__)
        answer = answer_of(Unavailable())
    except Exception as error:
        # The frames only: the message of an exception may hold a measured value.
        frames = traceback.format_tb(error.__traceback__)
        logger.error("fhir request failed", error=type(error).__name__, frames=frames)
        answer = Answer(outcome("error", "exception", "Something went wrong on our side.").encode(), 500)
    return _response(answer, head=request.method == "HEAD")


def error_response(error: GatewayError) -> Response:
    """The same answer, for errors that were raised before a request reached this module."""
    return _response(answer_of(error), head=False)


def _response(answer: Answer, *, head: bool) -> Response:
    headers = {**HEADERS, "Content-Type": FHIR_JSON, **answer.headers}
    if answer.status == 304:
        return Response(
            status_code=304, headers={name: text for name, text in headers.items() if name != "Content-Type"}
        )
    if head:
        return Response(status_code=answer.status, headers=headers | {"Content-Length": str(len(answer.body))})
    return Response(answer.body, answer.status, headers)


async def _route(request: Request) -> Answer:
    path = request.path_params.get("path", "").removesuffix("/")
    match path.split("/"):
        case ["metadata"]:
            _only(request, "GET, HEAD")
            require_json(request, query_pairs(request))
            wiring = wiring_of(request)
            statement = capability_statement(SERVED.values(), wiring.fhir_url, smart_configuration(wiring))
            return Answer(json.dumps(statement, ensure_ascii=False).encode())
        case [".well-known", "smart-configuration"]:  # JSON whatever is accepted: SMART 2.2 @374
            _only(request, "GET, HEAD")
            document = json.dumps(smart_configuration(wiring_of(request)))
            return Answer(document.encode(), headers={"Content-Type": "application/json"})
        case [""]:
            raise NoSuchType(f"this is the base of the FHIR API; look at {wiring_of(request).fhir_url}/metadata")
        case [name]:
            served = _served(name)
            _only(request, "GET, HEAD")
            return await _search(request, served, ())
        case [name, "_search"]:
            served = _served(name)
            _only(request, "POST")
            return await _search(request, served, await form_pairs(request))
        case [name, identifier]:
            served = _served(name)
            _only(request, "GET, HEAD")
            return await _read(request, served, identifier)
        case [name, *_]:
            _served(name)
            raise NoSuchResource("only read and search are served")
        case _:
            raise NoSuchResource


def _served(name: str) -> ServedType:
    if name not in SERVED:
        raise NoSuchType(f"this type of resource is not served; these are: {', '.join(sorted(SERVED))}")
    return SERVED[name]


def _only(request: Request, allowed: str) -> None:
    if request.method not in allowed.split(", "):
        raise MethodNotAllowed(f"use {allowed.replace(', ', ' or ')}", allowed)


async def _search(request: Request, served: ServedType, form: tuple[tuple[str, str], ...]) -> Answer:
    bearer_token(request)  # who has none is told so before anything else
    pairs = (*query_pairs(request), *form)
    require_json(request, pairs)
    given = SearchInput(pairs, wants_strict(request))
    async with pool_of(request).connection() as connection:
        app = await calling_app(request, connection)
        wiring = wiring_of(request)
        asking = Asking(connection, app, wiring.fhir_url, wiring.clock())
        async with space_scope(connection, app.grant.subject):
            answer = await served.search(asking, given)
        await tell_tests(request, asking, answer)
    return answer


async def _read(request: Request, served: ServedType, identifier: str) -> Answer:
    bearer_token(request)
    require_json(request, query_pairs(request))
    async with pool_of(request).connection() as connection:
        app = await calling_app(request, connection)
        wiring = wiring_of(request)
        asking = Asking(connection, app, wiring.fhir_url, wiring.clock())
        async with space_scope(connection, app.grant.subject):
            answer = await served.read(asking, identifier)
        await tell_tests(request, asking, answer)
    etag = answer.headers.get("ETag")
    if etag and knows_version(request, etag):
        return Answer(b"", 304, answer.headers)
    return answer


class FhirEndpoint:
    """All methods and paths of the API. A class, for a function would be given GET only."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await respond(Request(scope, receive))
        await response(scope, receive, send)


router = APIRouter()
router.add_route("/fhir", FhirEndpoint(), name="fhir_base", include_in_schema=False)  # type: ignore[arg-type]
router.add_route("/fhir/{path:path}", FhirEndpoint(), name="fhir", include_in_schema=False)  # type: ignore[arg-type]
