"""Reading ``application/x-www-form-urlencoded`` bodies and query strings: strictly, bounded, and once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from starlette.requests import Request

MAX_BYTES = 64 * 1024  # a body; the largest honest one is an application with twenty purposes
MAX_FIELDS = 300
FORM = "application/x-www-form-urlencoded"
# PostgreSQL cannot hold NUL, and no parameter of ours has another control character but line breaks of a text area.
_CONTROL = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F]")


class Malformed(ValueError):
    """These parameters are not what they say they are. The message is ASCII without quotes (RFC 6749 §5.2)."""


@dataclass(frozen=True)
class Fields:
    """Names and values in their order. An empty value counts as absent (OAuth 2.1 §3.1)."""

    pairs: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The first value of `name` that is not empty."""
        return self.first.get(name)

    def text(self, name: str) -> str:
        return self.get(name) or ""

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.pairs if key == name and value)

    @cached_property
    def first(self) -> Mapping[str, str]:
        """The first value of every name that has one."""
        values: dict[str, str] = {}
        for key, value in self.pairs:
            if value:
                values.setdefault(key, value)
        return values

    @property
    def repeated(self) -> tuple[str, ...]:
        """Names that have more than one value."""
        present = [key for key, value in self.pairs if value]
        return () if len(present) == len(self.first) else tuple(key for key in self.first if present.count(key) > 1)


async def read_body(request: Request, limit: int = MAX_BYTES) -> Fields:
    """The fields of a posted form of at most `limit` bytes. Raises Malformed."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != FORM:
        raise Malformed("The body has to be application/x-www-form-urlencoded.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Malformed("The body is too long.")
    return parse(bytes(body), limit)


def read_query(request: Request) -> Fields:
    """The fields of the query string. Raises Malformed."""
    return parse(request.scope["query_string"])


def parse(raw: bytes, limit: int = MAX_BYTES) -> Fields:
    """Raises Malformed for what is not UTF-8, holds control characters, or has too many fields."""
    if len(raw) > limit:
        raise Malformed("The parameters are too long.")
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise Malformed("The parameters are not UTF-8.") from None
    except ValueError:
        raise Malformed("There are too many parameters.") from None
    if any(_CONTROL.search(text) for pair in pairs for text in pair):
        raise Malformed("The parameters hold control characters.")
    return Fields(tuple(pairs))
