"""Errors as problem details (RFC 9457), and those of bearer tokens in their header as well (RFC 6750 §3)."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from app_catalog.access_keys.bearer import REALM, BadKey, NoKey
from app_catalog.errors import BadForm, CatalogueError, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.program import NotByProgram, ReadOnly

MEDIA_TYPE: Final = "application/problem+json"
PATH: Final = "/api/catalogue/problems"


class Unreadable(BadForm):
    """The body is no JSON in UTF-8."""


class TooLarge(BadForm):
    """The body is too large."""

    http_status = 413


class WrongType(BadForm):
    """The Content-Type is not one that is read here."""

    http_status = 415


class ChangedMeanwhile(WrongState):
    """This was changed since you read it: read it again, and send its new ETag."""

    http_status = 412


class TooOften(NotAllowed):
    """This key asks too often: wait as Retry-After says."""

    http_status = 429

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s


# By class, the most special first: the name in `type`, the title, and what to do.
KINDS: Final[tuple[tuple[type[CatalogueError], str, str, str], ...]] = (
    (NoKey, "no-key", "Access key needed", "Make one on the page Access keys, and send it as a bearer token."),
    (BadKey, "bad-key", "Access key does not work", "Make another one: it ended, is over its date, or never was."),
    (TooOften, "too-often", "Too many requests", "Wait for the seconds of Retry-After; poll with If-None-Match."),
    (ReadOnly, "read-only", "Key for reading", "Make a key that may write."),
    (NotByProgram, "by-a-person", "A person's act", "An owner of the organisation does it on the page."),
    (NotAllowed, "not-allowed", "Not allowed", "The role of the key's maker does not reach this, see `detail`."),
    (Unknown, "unknown", "Not found", "There is no such thing in the organisation of the key."),
    (ChangedMeanwhile, "changed", "Changed meanwhile", "Read it again and send the new ETag in If-Match."),
    (WrongState, "state", "Not in this state", "Read what it has become, see `detail`."),
    (Unacceptable, "invalid", "Invalid entries", "Change what `errors` lists."),
    (TooLarge, "too-large", "Too large", "Send less: 512 kB of JSON, 10 MB of a document, 1 MB of a logo."),
    (WrongType, "media-type", "Unsupported media type", "Send JSON as application/json, files as what they are."),
    (Unreadable, "unreadable", "Unreadable", "Send JSON in UTF-8, each name once in an object."),
    (CatalogueError, "refused", "Refused", "See `detail`."),
)


def problem(issuer: str, error: CatalogueError) -> Response:
    """`error` for a program."""
    name, title = next((name, title) for kind, name, title, _ in KINDS if isinstance(error, kind))
    body: dict[str, Any] = {
        "type": f"{issuer}{PATH}#{name}", "title": title, "status": error.http_status, "detail": error.message,
    }  # fmt: skip
    if isinstance(error, Unacceptable):
        body["errors"] = [{"pointer": fault.pointer, "detail": fault.message} for fault in error.faults]
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **_challenge(error)}
    return JSONResponse(body, error.http_status, headers, MEDIA_TYPE)


def explained() -> dict[str, Any]:
    """What `type` leads to: every kind of problem, and what to do about it."""
    return {name: {"status": kind.http_status, "title": title, "advice": advice} for kind, name, title, advice in KINDS}


def _challenge(error: CatalogueError) -> Mapping[str, str]:
    realm = f'Bearer realm="{REALM}"'
    if isinstance(error, BadKey):
        return {"WWW-Authenticate": f'{realm}, error="invalid_token", error_description="{error.message}"'}
    if isinstance(error, NoKey):
        return {"WWW-Authenticate": realm}
    if isinstance(error, ReadOnly):
        return {"WWW-Authenticate": f'{realm}, error="insufficient_scope", scope="write"'}
    if isinstance(error, TooOften):
        return {"Retry-After": str(error.wait_s)}
    return {}
