"""From the parameters of a request to what is searched for. Every error names its parameter and says what to change.

A parameter that is given several times has to match every time, its comma-separated values are alternatives. What is
not supported is left out and told, or with ``Prefer: handling=strict`` an error (FHIR R4, 3.1.1.1); a modifier that is
not supported always is one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlencode

from device_gateway.fhir.dates import DateValue, parse_date
from device_gateway.fhir.errors import BadParameter, BadQuery, UnknownParameter
from device_gateway.fhir.search_values import Reference, Token, alternatives, parse_reference, parse_token
from device_gateway.fhir.served import Parameter, SearchInput, ServedType

DEFAULT_COUNT: Final = 50
MOST_COUNT: Final = 1000  # entries on a page, about 0.8 MB: a larger wish is served as this
MOST_PARAMETERS: Final = 64
MOST_ALTERNATIVES: Final = 50  # values of one parameter, each a stretch of time or a set of series to look at
PAGE: Final = "_page"

RESULT_PARAMETERS: Final = (
    Parameter("_count", "number", f"Entries on a page, at most {MOST_COUNT}; 0 answers with the total only."),
    Parameter("_sort", "string", "Order of the entries; a minus before the name turns it round."),
    Parameter("_total", "token", "accurate: Bundle.total is counted. none, the default: it is left out."),
    Parameter("_summary", "token", "count: the total only."),
    Parameter("_include", "string", "Also return what the matches refer to."),
    Parameter("_format", "token", "json."),
)

T = TypeVar("T")


@dataclass
class SearchRequest:
    """What is searched for: for each parameter a list (and) of alternatives (or).

    count       entries on a page; 0 with `count_only`
    descending  newest first
    page        where the last page ended, as the server wrote it into the link
    applied     parameters as they were understood, for the links; without the page
    ignored     names of parameters that were left out
    """

    tokens: dict[str, list[list[Token]]] = field(default_factory=dict)
    references: dict[str, list[list[Reference | None]]] = field(default_factory=dict)
    dates: dict[str, list[list[DateValue]]] = field(default_factory=dict)
    count: int = DEFAULT_COUNT
    count_only: bool = False
    total: bool = False
    descending: bool = True
    includes: set[str] = field(default_factory=set)
    page: str | None = None
    applied: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def link(self, url: str, page: str | None = None) -> str:
        """`url` with what was applied, and the page."""
        pairs = [*self.applied, *([(PAGE, page)] if page else [])]
        return f"{url}?{urlencode(pairs)}" if pairs else url


def decode_pairs(query: bytes) -> tuple[tuple[str, str], ...]:
    """Names and values of a query string or form. Raises BadQuery."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise BadQuery(
            f"parameters are percent-encoded UTF-8, at most {MOST_PARAMETERS} of them", expression="http"
        ) from None
    if any("\0" in text for pair in pairs for text in pair):
        raise BadQuery("a NUL character is in no value", expression="http")
    return tuple(pairs)


def parse_search(served: ServedType, given: SearchInput, base_url: str) -> SearchRequest:
    """Raises BadParameter or UnknownParameter."""
    request = SearchRequest()
    parameters = {parameter.name: parameter for parameter in served.parameters}
    once: set[str] = set()
    for full_name, value in given.pairs:
        name, _, modifier = full_name.partition(":")
        if name == "_include" or name in SINGLE:
            known = _result_parameter(served, request, name, value)
            if known and name in SINGLE and name in once:
                raise BadParameter(name, "give it once")
            once.add(name)
        elif name in parameters:
            known = _criterion(parameters[name], modifier, value, request, base_url)
        else:
            known = False
        if known:
            if name != PAGE:
                request.applied.append((full_name, str(request.count) if name == "_count" else value))
        elif given.strict and value:
            raise UnknownParameter(_printable(full_name), _supported(served))
        else:
            request.ignored.append(_printable(full_name))
    return request


def _criterion(parameter: Parameter, modifier: str, value: str, request: SearchRequest, base_url: str) -> bool:
    """Add one criterion; False when it is empty, and so none."""
    if modifier and modifier not in parameter.modifiers:
        accepted = " or ".join(f":{each}" for each in sorted(parameter.modifiers)) or "no modifier"
        raise BadParameter(parameter.name, f"use {parameter.name} with {accepted}")
    match parameter.type:
        case "token":
            return _add(request.tokens, parameter, value, parse_token)
        case "date":
            return _add(request.dates, parameter, value, parse_date)
        case "reference":
            return _add(request.references, parameter, value, lambda text: parse_reference(text, base_url))
        case _:
            raise AssertionError(f"no parser for {parameter.type}")


def _add(into: dict[str, list[list[T]]], parameter: Parameter, value: str, parse: Callable[[str], T]) -> bool:
    texts = alternatives(value)
    if len(texts) > MOST_ALTERNATIVES:
        raise BadParameter(parameter.name, f"at most {MOST_ALTERNATIVES} values: ask several times")
    try:
        parsed = [parse(text) for text in texts]
    except ValueError as error:
        raise BadParameter(parameter.name, str(error)) from None
    if parsed:
        into.setdefault(parameter.name, []).append(parsed)
    return bool(parsed)


def _result_parameter(served: ServedType, request: SearchRequest, name: str, value: str) -> bool:
    """Apply a parameter that shapes the answer; False when it is empty or not supported for this type."""
    if not value:
        return False
    if name == "_include":
        if value.removesuffix(":Device") not in served.includes:
            raise BadParameter("_include", _one_of(served.includes))
        request.includes.add(value.removesuffix(":Device"))
        return True
    return SINGLE[name](served, request, value)


def _count(_served: ServedType, request: SearchRequest, value: str) -> bool:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise BadParameter("_count", f"a whole number from 0 to {MOST_COUNT} is needed")
    request.count = min(int(value), MOST_COUNT)
    request.count_only = request.count_only or not request.count
    return True


def _sort(served: ServedType, request: SearchRequest, value: str) -> bool:
    if not served.sorts:
        return False
    if value.removeprefix("-") not in served.sorts:
        raise BadParameter("_sort", _one_of([sign + name for name in served.sorts for sign in ("", "-")]))
    request.descending = value.startswith("-")
    return True


def _total(_served: ServedType, request: SearchRequest, value: str) -> bool:
    if value not in {"none", "estimate", "accurate"}:
        raise BadParameter("_total", "none, estimate or accurate is needed")
    request.total = value != "none"
    return True


def _summary(_served: ServedType, request: SearchRequest, value: str) -> bool:
    if value not in {"true", "text", "data", "count", "false"}:
        raise BadParameter("_summary", "count or false is needed")
    request.count_only = request.count_only or value == "count"
    return value in {"count", "false"}


def _page(_served: ServedType, request: SearchRequest, value: str) -> bool:
    request.page = value
    return True


def _format(_served: ServedType, _request: SearchRequest, _value: str) -> bool:
    return True  # negotiated before anything else was looked at


SINGLE: Final[dict[str, Callable[[ServedType, SearchRequest, str], bool]]] = {
    "_count": _count,
    "_sort": _sort,
    "_total": _total,
    "_summary": _summary,
    PAGE: _page,
    "_format": _format,
}


def _one_of(names: list[str] | tuple[str, ...]) -> str:
    return f"one of these is needed: {', '.join(names)}" if names else "nothing can be named here"


def _supported(served: ServedType) -> str:
    names = [parameter.name for parameter in (*served.parameters, *RESULT_PARAMETERS)]
    return f"not supported for {served.name}; these are: {', '.join(names)}"


def _printable(name: str) -> str:
    """A name from outside, fit to be shown in an answer."""
    return "".join(character for character in name[:64] if character.isprintable())
