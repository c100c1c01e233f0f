"""One thing that a program can ask for, as data: what answers it, and what its description is made from."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.access_keys.bearer import program_of
from app_catalog.api.model import Entry, Model, Page, Paging
from app_catalog.api.problem import ChangedMeanwhile, TooOften, problem
from app_catalog.api.sent import JSON, read_bytes, read_json, read_parameters
from app_catalog.errors import CatalogueError, NotAllowed
from app_catalog.page import id_in_path
from app_catalog.program import Program, ReadOnly
from app_catalog.wiring import Connection, Wiring

RATED = "/api/catalogue"  # all of it together, per key
SEALED = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
SECRET = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class File:
    """A body that is no JSON: of one of `media_types`, of at most `limit` bytes."""

    media_types: frozenset[str]
    limit: int


@dataclass(frozen=True)
class Call:
    """A request whose key works. `body` is of the operation's model, or the bytes of a file."""

    wiring: Wiring
    request: Request
    connection: Connection
    program: Program
    query: Any  # of the operation's model
    body: Any

    @property
    def vendor_id(self) -> UUID:
        """The organisation of the key."""
        if self.program.vendor_id is None:
            raise NotAllowed
        return self.program.vendor_id

    def id(self, name: str) -> UUID:
        return id_in_path(self.request, name)

    @property
    def doing(self) -> dict[str, Any]:
        """For whom something is done, where it is journalled, and when: as the functions of the pages call it."""
        return {"person": self.program, "journal": self.wiring.journal, "now": self.wiring.clock()}

    def page(self, items: tuple[Entry, ...], total: int) -> Page[Entry]:
        """`items` as the page that was asked for, of `total`."""
        paging: Paging = self.query
        more = paging.offset + len(items) < total
        here = f"{self.wiring.issuer}{self.request.url.path}"
        asked = self.query.model_dump(mode="json", exclude_none=True, exclude_defaults=True) | {"page": paging.page + 1}
        following = "&".join(f"{name}={value}" for name, value in asked.items())
        return Page[Entry](total=total, next=f"{here}?{following}" if more else None, items=items)

    def unchanged(self, present: Model) -> None:
        """Raises ChangedMeanwhile where `If-Match` names something else than `present` (RFC 9110 §13.1.1)."""
        wanted = self.request.headers.get("if-match")
        if wanted is not None and wanted.strip() != "*" and tag_of(written(present)) not in _tags(wanted):
            raise ChangedMeanwhile


@dataclass(frozen=True)
class Created:
    """201: `path` is where the new thing is."""

    shown: Model
    path: str


Answer = Model | Created | Response | None
Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Operation:
    """`answer` is what comes back: a model; the media type of a file; None for nothing (204).

    writes   needs a key that may write
    secret   what comes back is kept by no cache, and shown once
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    summary: str
    answer: type[Model] | str | None = None
    body: type[Model] | File | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    kind: Literal["vendor", "reviewer"] = "vendor"
    secret: bool = False
    conditional: bool = False  # takes If-Match

    @property
    def writes(self) -> bool:
        return self.method != "GET"


def endpoint(wiring: Wiring, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    """`operation` as an endpoint: key, rate, parameters, body, and only then the work."""

    async def answer(request: Request) -> Response:
        try:
            program = await _program(wiring, request, operation)
            query = read_parameters(request, operation.query) if operation.query else None
            body = await _body(request, operation.body)
            async with wiring.pool.connection() as connection:
                result = await operation.handler(Call(wiring, request, connection, program, query, body))
        except CatalogueError as error:
            return problem(wiring.issuer, error)
        return _response(wiring, request, operation, result)

    return answer


async def _program(wiring: Wiring, request: Request, operation: Operation) -> Program:
    now = wiring.clock()
    async with wiring.pool.connection() as connection:
        program = await program_of(connection, request, now)
    if wait_s := wiring.rates.wait_s(RATED, str(program.key_id), now):
        raise TooOften(wait_s)
    wiring.rates.count(RATED, str(program.key_id), now)
    if program.kind != operation.kind:
        raise NotAllowed(f"This is for access keys of a {operation.kind}.")
    if operation.writes and not program.writes:
        raise ReadOnly
    return program


async def _body(request: Request, expected: type[Model] | File | None) -> Any:
    if expected is None:
        return None
    if isinstance(expected, File):
        return await read_bytes(request, expected.limit, expected.media_types)
    return await read_json(request, expected)


def _response(wiring: Wiring, request: Request, operation: Operation, result: Answer) -> Response:
    if result is None:
        return Response(status_code=204, headers=SECRET)
    if isinstance(result, Response):
        return result
    headers = dict(SECRET if operation.secret else SEALED)
    if isinstance(result, Created):
        headers["Location"] = wiring.issuer + result.path
        result = result.shown
    body = written(result)
    if not operation.secret:
        headers["ETag"] = tag = tag_of(body)
        if request.method in {"GET", "HEAD"} and tag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
    return Response(body, operation.status, headers, JSON)


def written(shown: Model) -> bytes:
    return shown.model_dump_json(by_alias=True).encode()


def tag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _tags(header: str) -> frozenset[str]:
    return frozenset(one.strip().removeprefix("W/") for one in header.split(","))
