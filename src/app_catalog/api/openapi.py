"""The description of the interface, OpenAPI 3.1, made from the operations that serve it."""

import json
import re
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app_catalog.access_keys.access_key import PREFIX
from app_catalog.api import problem
from app_catalog.api.model import Model, Problem
from app_catalog.api.operation import File, Operation
from app_catalog.api.operations import OPERATIONS
from app_catalog.api.sent import JSON

PATH: Final = "/api/catalogue/openapi.json"
REF: Final = "#/components/schemas/{model}"
ABOUT: Final = f"""The life of your apps, for your programs: what vendors and reviewers do on pages, by the same rules.

Make an access key on the page *Access keys* of your organisation and send it as `Authorization: Bearer {PREFIX}…`.
It acts as you in that one organisation, with the role that you have at that moment; it opens no patient's data. What
only owners do (members, contact, accepting agreements, asking for renewals) is done by a person on the pages.
Errors are problem details (RFC 9457); `errors` names entries by JSON pointer. Answers have an ETag: poll with
If-None-Match, and send If-Match to change only what you have read."""
Uses = list[tuple[type[BaseModel], JsonSchemaMode]]


class ProblemDetails(Model):
    """RFC 9457. Of a path that there is not, the server around this interface says so, with `about:blank`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[Problem, ...] = ()


@cache
def description(issuer: str) -> bytes:
    """The document, for a server at `issuer`."""
    uses = _uses()
    names, defined = models_json_schema(uses, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, names)
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "App catalogue", "version": "1", "description": ABOUT},
            "servers": [{"url": issuer}],
            "security": [{"access_key": []}],
            "paths": paths,
            "components": {
                "schemas": defined["$defs"],
                "securitySchemes": {
                    "access_key": {"type": "http", "scheme": "bearer", "bearerFormat": f"{PREFIX}<64 hex digits>"}
                },
                "responses": {
                    "Problem": _content(
                        "Something is wrong, see `detail`.", names[(ProblemDetails, "validation")], problem.MEDIA_TYPE
                    )
                },
            },
        }
    ).encode()


def _uses() -> Uses:
    found: Uses = [(ProblemDetails, "validation")]
    for one in OPERATIONS:
        if isinstance(one.answer, type):
            found.append((one.answer, "serialization"))
        if isinstance(one.body, type):
            found.append((one.body, "validation"))
        if one.query is not None:
            found.append((one.query, "validation"))
    return list(dict.fromkeys(found))


def _operation(one: Operation, names: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _id(one),
        "summary": one.summary,
        "tags": ["reviewers" if one.kind == "reviewer" else "vendors"],
        "parameters": [*_in_path(one), *_in_query(one), *_in_headers(one)],
        "responses": {str(one.status): _answer(one, names), "default": {"$ref": "#/components/responses/Problem"}},
    }
    if isinstance(one.answer, type) and one.method == "GET":
        described["responses"]["304"] = {"description": "It is what If-None-Match names."}
    if isinstance(one.body, File):
        octets = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(one.body.media_types)}
        described["requestBody"] = {"required": True, "content": octets}
    elif one.body is not None:
        described["requestBody"] = {
            "required": True, "content": {JSON: {"schema": names[(one.body, "validation")]}},
        }  # fmt: skip
    return described


def _id(one: Operation) -> str:
    """Of module and function, which nothing else is called."""
    return f"{one.handler.__module__.rsplit('.', 1)[-1]}_{one.handler.__name__}"


def _answer(one: Operation, names: Any) -> dict[str, Any]:
    if one.answer is None:
        return {"description": "Done."}
    if isinstance(one.answer, str):
        return {
            "description": "The file.",
            "content": {one.answer: {"schema": {"type": "string", "format": "binary"}}},
        }
    return _content("Done." if one.writes else "As it is.", names[(one.answer, "serialization")], JSON)


def _content(words: str, schema: dict[str, Any], media_type: str) -> dict[str, Any]:
    return {"description": words, "content": {media_type: {"schema": schema}}}


def _in_path(one: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "in": "path", "required": True,
            "schema": {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"},
        }
        for name in re.findall(r"\{(\w+)\}", one.path)
    ]  # fmt: skip


def _in_query(one: Operation) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    schema = one.query.model_json_schema()
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _present(field)}
        for name, field in schema["properties"].items()
    ]


def _present(field: dict[str, Any]) -> dict[str, Any]:
    """Without null, which a query has no word for."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    return kinds[0] if kinds else field


def _in_headers(one: Operation) -> list[dict[str, Any]]:
    name: Literal["If-Match", "If-None-Match"] | None = None
    if one.conditional:
        name = "If-Match"
    elif isinstance(one.answer, type) and one.method == "GET":
        name = "If-None-Match"
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}}] if name else []
