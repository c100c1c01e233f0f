"""Reading what a program sent: bounded while it arrives, of the type that it says, and of nothing but known fields."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app_catalog.api.problem import TooLarge, Unreadable, WrongType
from app_catalog.errors import Fault, Unacceptable
from app_catalog.form import Malformed, read_query

MAX_JSON: Final = 512 * 1024  # bytes: all criteria, each explained at length
JSON: Final = "application/json"
Body = TypeVar("Body", bound=BaseModel)
# What PostgreSQL cannot hold, and what no text of ours has: control characters but tabs and line ends.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]")


async def read_bytes(request: Request, limit: int, media_types: frozenset[str]) -> bytes:
    """The body. Raises WrongType or TooLarge."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in media_types:
        raise WrongType(f"The Content-Type is one of: {', '.join(sorted(media_types))}.")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length[:20]) > limit:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


async def read_json(request: Request, model: type[Body]) -> Body:
    """The body as `model`. Raises WrongType, TooLarge, Unreadable, or Unacceptable with all that is wrong."""
    body = await read_bytes(request, MAX_JSON, frozenset({JSON}))
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if faults := list(_unprintable(document)):
        raise Unacceptable(*faults)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Unacceptable(*_faults(error)) from None


def read_parameters(request: Request, model: type[Body]) -> Body:
    """The query of the address. Raises Unacceptable: its pointers name the parameters."""
    try:
        fields = read_query(request)
    except Malformed as error:
        raise Unacceptable(Fault("", str(error))) from None
    if fields.repeated:
        raise Unacceptable(*(Fault(f"/{_escaped(name)}", "Give this once.") for name in fields.repeated))
    try:
        return model.model_validate(dict(fields.first))
    except ValidationError as error:
        raise Unacceptable(*_faults(error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values counts is a matter of opinion, so there is one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _unprintable(document: Any, pointer: str = "") -> Iterator[Fault]:
    if isinstance(document, str):
        if _CONTROL.search(document):
            yield Fault(pointer, "This holds control characters.")
    elif isinstance(document, list):
        for place, entry in enumerate(document):
            yield from _unprintable(entry, f"{pointer}/{place}")
    elif isinstance(document, dict):
        for name, entry in document.items():
            if _CONTROL.search(name):
                yield Fault(pointer, "A name holds control characters.")
            else:
                yield from _unprintable(entry, f"{pointer}/{_escaped(name)}")


def _faults(error: ValidationError) -> Iterator[Fault]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        yield Fault("".join(f"/{_escaped(str(part))}" for part in one["loc"]), f"{one['msg']}.")


def _escaped(name: str) -> str:
    """RFC 6901 §3."""
    return name.replace("~", "~0").replace("/", "~1")
