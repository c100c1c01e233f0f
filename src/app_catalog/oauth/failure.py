"""OAuth errors of our own checks, and the one form in which errors of the JSON endpoints leave (RFC 6749 §5.2)."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
REALM = 'Basic realm="oauth", charset="UTF-8"'


class Refused(Exception):
    """`error` is a code of RFC 6749, 6750, 7009 or 8707; `description` is ASCII without quotes and backslashes."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A JSON answer that nothing may store."""
    return JSONResponse(dict(body), status, {**NO_STORE, **(headers or {})})


def refusal(refused: Refused) -> JSONResponse:
    """`refused` as JSON. A client that could not be authenticated gets 401 and is told how to (RFC 6749 §5.2)."""
    if refused.error == "invalid_client":
        return invalid_client()
    return answer(refused.status, {"error": refused.error, "error_description": refused.description})


def invalid_client() -> JSONResponse:
    """One answer for an unknown client, a wrong secret and a wrong method: it tells nobody which clients exist."""
    body = {"error": "invalid_client", "error_description": "The client could not be authenticated."}
    return answer(401, body, {"WWW-Authenticate": REALM})
