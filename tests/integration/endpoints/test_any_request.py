"""Requests that nobody would send, to every endpoint there is, from everybody who may be signed in: never a failure.

schemathesis makes them from a description of all routes; an exception inside the application comes out of the client.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
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
    key: str = ""

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

    async def program(self) -> None:
        """A key of the vendor whose app is online; `known` names what there is of it."""
        (row,) = self.product.owner("SELECT vendor_id, person FROM catalogue.vendor_member ORDER BY added_at LIMIT 1")
        self.product.owner("UPDATE catalogue.vendor_member SET person = a.id FROM gateway.account a"
                           " WHERE a.username = 'vendor' AND person = %s", row.person)  # fmt: skip
        form = {
            "name": "ci",
            "may": "write",
            "ends_on": str(datetime.now(UTC).date()),
            "csrf_token": self.csrf["vendor"],
        }
        made = await self.browsers["vendor"].post(f"/catalogue/vendor/organisations/{row.vendor_id}/keys", data=form)
        self.key = re.findall("appcat_[0-9a-f]{64}", made.text)[0]
        draft = await self.ask_as_program(
            "POST", f"/api/catalogue/vendor/apps/{self.known['app_id'][0]}/versions", json={}
        )
        self.known["application_id"].append(draft.json()["id"])
        self.known["document_id"] = [draft.json()["documents"][0]["id"]]

    async def ask_as_program(self, method: str, path: str, **sent: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.key}", **sent.pop("headers", {})}
        return await self.browsers["nobody"].request(method, path, headers=headers, **sent)


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


def ask_as_program(world: World, examples: int, *, derandomize: bool) -> None:
    """Requests as the published description has them, and answers held against it."""
    world.loop.run(world.program())
    published = world.loop.run(world.browsers["nobody"].get("/api/catalogue/openapi.json")).json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(published).get_all_operations()]
    assert len(operations) > 40
    known = st.sampled_from(sorted({value for values in world.known.values() for value in values}))

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=derandomize,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
    )  # fmt: skip
    @given(case=st.sampled_from(operations).flatmap(lambda operation: operation.as_strategy()), data=st.data())
    def any_request(case: Any, data: Any) -> None:
        inside = {name: quote(data.draw(st.sampled_from(world.known[name]) if name in world.known else known), safe="")
                  for name in case.path_parameters or {}}  # fmt: skip
        path = case.operation.path.format(**inside)
        headers = {"Content-Type": case.media_type} if case.media_type else {}
        body = {"json": case.body} if case.media_type == "application/json" else {}
        if isinstance(case.body, bytes):
            body = {"content": case.body}
        sent = {"params": case.query, "headers": headers, **body}
        answer = world.loop.run(world.ask_as_program(case.method.upper(), path, **sent))
        is_as_described(published, case, answer)

    any_request()


def is_as_described(published: dict[str, Any], case: Any, answer: httpx2.Response) -> None:
    assert answer.status_code < 500, (case.method, case.operation.path, case.body)
    described = published["paths"][case.operation.path][case.method.lower()]["responses"]
    expected = described.get(str(answer.status_code), published["components"]["responses"]["Problem"])
    kind = answer.headers.get("content-type", "")
    assert (answer.status_code < 400) == (str(answer.status_code) in described)
    if kind in expected.get("content", {}):
        schema = {**expected["content"][kind]["schema"], "components": published["components"]}
        jsonschema_rs.validate(schema, answer.json())
    else:
        assert not answer.content or "*/*" in expected["content"], (case.operation.path, kind)


def test_every_endpoint_has_an_answer_to_any_request(world):
    ask(world, 50, derandomize=True)
    ask_as_program(world, 20, derandomize=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_endpoint_has_an_answer_to_many_requests(world):
    ask(world, 10_000, derandomize=False)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_answer_to_a_program_is_as_it_is_described(world):
    ask_as_program(world, 5_000, derandomize=False)
