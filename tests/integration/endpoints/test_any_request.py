"""Requests that nobody would send, to every endpoint there is, from everybody who may be signed in: never a failure.

schemathesis makes them from a description of all routes; an exception inside the application comes out of the client.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portal_world import BASE, CALLBACK, Product
from starlette.routing import Route

from app_catalog import TEMPLATES
from app_catalog.fixed_paths import FixedPaths

KINDS = ("patient", "vendor", "reviewer", "operator")
NASTY = [
    "", " ", "\"", "'", "\\", "é", "日本", "\u202e", "%00", "a" * 3000, "null", "[]", "{}", "-1", "9" * 30, "1e999",
    "2026-02-30", "../..", "<script>", "\x00", "urn:uuid:x", "00000000-0000-0000-0000-000000000000", "\r\nX: y",
]  # fmt: skip
LEFT_OUT = {"/logout"}  # signed in, it would leave nobody to go on with; `test_any_input` of sign-in has it
MACHINES = ("/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/introspect", "/oauth/register")
# What pages outside of the catalogue call their fields, as far as they lead past the first check.
FIELDS = {
    "username", "password", "name", "zone", "language", "code", "model", "hours", "user", "answer", "purpose", "ends",
    "ends_on", "email", "birth_date", "secret", "_count", "_sort", "date", "_id", "subject", "page", "before", "kind",
}  # fmt: skip


@dataclass
class World:
    product: Product
    loop: asyncio.Runner
    known: dict[str, list[str]] = field(default_factory=dict)
    browsers: dict[str, httpx2.AsyncClient] = field(default_factory=dict)
    csrf: dict[str, str] = field(default_factory=dict)

    async def prepare(self) -> None:
        app_id = await self.product.online_app()
        for kind in KINDS:
            account = self.product.account(kind, kind)
            self.browsers[kind] = await self.product.signed_in(kind)
            self.known.setdefault("person", []).append(str(account.id))
        self.browsers["nobody"] = await self.product.browser()
        (row,) = self.product.owner(
            "SELECT client_id, vendor_id, application_id FROM catalogue.app WHERE id = %s", app_id
        )
        self.known |= {
            "app_id": [str(app_id)], "app": [str(app_id)], "application_id": [str(row.application_id)],
            "vendor_id": [str(row.vendor_id)], "client_id": [row.client_id], "redirect_uri": [CALLBACK],
            "response_type": ["code"], "code_challenge_method": ["S256"], "code_challenge": ["a" * 43],
            "grant_type": ["authorization_code", "refresh_token"], "aud": [f"{BASE}/fhir"],
            "resource_type": ["Observation", "Device", "Patient"], "area": ["security"],
        }  # fmt: skip
        for kind, row in ((r.kind, r) for r in self.product.owner(
            "SELECT a.kind, s.csrf_token FROM gateway.session s JOIN gateway.account a ON a.id = s.account_id"
        )):  # fmt: skip
            self.csrf[kind] = row.csrf_token

    @property
    def text(self) -> dict[str, Any]:
        """Half of the time something that there is."""
        known = sorted({value for values in self.known.values() for value in values})
        return {"anyOf": [{"enum": known}, {"enum": known}, {"enum": NASTY}, {"type": "string", "maxLength": 20}]}

    async def send(self, kind: str, case: Any, query: dict[str, str]) -> httpx2.Response:
        body = {**case.body, "csrf_token": self.csrf.get(kind, "x")} if isinstance(case.body, dict) else None
        return await self.browsers[kind].request(case.method.upper(), case.formatted_path, params=query, data=body)


def paths(routes: Any) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, FixedPaths):
            yield from route.routes.values()
        elif hasattr(route, "original_router"):
            yield from paths(route.original_router.routes)
        elif getattr(route, "methods", None):
            yield route


def description(world: World) -> dict[str, Any]:
    """OpenAPI for all routes, the portal's and OAuth's as well: what the application publishes is for machines only."""

    templates = "".join(
        file.read_text() for file in (TEMPLATES / "app_catalog").iterdir() if file.name.endswith("html")
    )
    names = FIELDS | set(re.findall(r'name="([a-z_]+)"', templates)) | set(world.known)
    form = {
        "type": "object", "required": ["csrf_token"], "maxProperties": 8, "propertyNames": {"enum": sorted(names)},
        "properties": {"csrf_token": {"const": "one that works"}}, "additionalProperties": world.text,
    }  # fmt: skip
    body = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}}
    found: dict[str, Any] = {}
    for route in paths(world.product.app.router.routes):
        if route.path in LEFT_OUT:
            continue
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        inside = [
            {"in": "path", "name": name, "required": True, "schema": world.text}
            for name in re.findall(r"\{(\w+)\}", path)
        ]
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
            operation: dict[str, Any] = {"responses": {"default": {"description": "any"}}, "parameters": [*inside]}
            operation |= {"requestBody": body} if method != "GET" else {}
            found.setdefault(path, {})[method.lower()] = operation
    return {"openapi": "3.1.0", "info": {"title": "all", "version": "1"}, "paths": found}


@pytest.fixture
def world(owner_url: str, app_url: str) -> Iterator[World]:
    with asyncio.Runner() as loop:
        product = Product(owner_url, app_url)
        loop.run(product.__aenter__())
        world = World(product, loop)
        loop.run(world.prepare())
        yield world
        loop.run(product.__aexit__())


def ask(world: World, examples: int, *, derandomize: bool) -> None:
    """`examples` requests to endpoints in turn."""
    schema = schemathesis.openapi.from_dict(description(world))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 150
    known = sorted({value for values in world.known.values() for value in values})
    names = st.sampled_from(sorted(FIELDS | set(world.known)))
    texts = st.one_of(st.sampled_from(known), st.sampled_from(NASTY), st.text(max_size=20))

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=derandomize,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=st.sampled_from(operations).flatmap(lambda operation: operation.as_strategy()),
        kind=st.sampled_from([*KINDS, "nobody"]),
        query=st.dictionaries(names, texts, max_size=4),
    )
    def any_request(case: Any, kind: str, query: dict[str, str]) -> None:
        response = world.loop.run(world.send(kind, case, query))
        assert response.status_code < 500, (case.method, case.formatted_path, query, case.body)
        if case.path in MACHINES and response.status_code >= 400:
            assert response.json()["error"]

    any_request()


def test_every_endpoint_has_an_answer_to_any_request(world):
    ask(world, 50, derandomize=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_endpoint_has_an_answer_to_many_requests(world):
    ask(world, 10_000, derandomize=False)
