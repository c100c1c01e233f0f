"""What the headers of a request ask for: format, handling, version known already."""

from collections.abc import Iterator
from typing import Final

from starlette.requests import Request

from device_gateway.fhir.errors import NotAcceptable, TooLarge, UnsupportedMediaType
from device_gateway.fhir.search_request import decode_pairs

JSON_TYPES: Final = frozenset({"application/fhir+json", "application/json", "application/*", "*/*"})
FORMAT_VALUES: Final = frozenset({"json", "application/json", "application/fhir+json", "application/fhir json"})
FORM: Final = "application/x-www-form-urlencoded"
MOST_BODY_BYTES: Final = 65_536  # as long as the query of a GET may be


def require_json(request: Request, pairs: tuple[tuple[str, str], ...]) -> None:
    """``_format`` decides, else Accept. Raises NotAcceptable."""
    formats = [value for name, value in pairs if name == "_format" and value]
    if formats:
        if not set(formats) <= FORMAT_VALUES:
            raise NotAcceptable("only json is served: leave _format out, or ask for json", expression="http._format")
        return
    accepted = request.headers.getlist("accept")
    if accepted and not any(kind in JSON_TYPES for kind in _wanted_kinds(",".join(accepted))):
        raise NotAcceptable("accept application/fhir+json", expression="http.accept")


def wants_strict(request: Request) -> bool:
    """``Prefer: handling=strict``."""
    preferences = ",".join(request.headers.getlist("prefer")).replace(";", ",")
    return any(part.replace(" ", "").replace('"', "").lower() == "handling=strict" for part in preferences.split(","))


def knows_version(request: Request, etag: str) -> bool:
    """Whether If-None-Match names `etag`; weakly compared (RFC 9110 §8.8.3.2)."""
    known = ",".join(request.headers.getlist("if-none-match"))
    tags = {part.strip().removeprefix("W/") for part in known.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags


def query_pairs(request: Request) -> tuple[tuple[str, str], ...]:
    return decode_pairs(request.scope["query_string"])


async def form_pairs(request: Request) -> tuple[tuple[str, str], ...]:
    """Parameters in the body of a POST to _search. Raises UnsupportedMediaType, TooLarge or BadQuery."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise TooLarge(f"at most {MOST_BODY_BYTES} bytes of parameters", expression="http")
    if kind != FORM and (body or kind):
        raise UnsupportedMediaType
    return decode_pairs(bytes(body))


def _wanted_kinds(accept: str) -> Iterator[str]:
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if not any(parameter.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for parameter in parameters):
            yield kind
