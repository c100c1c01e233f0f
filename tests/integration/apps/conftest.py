"""A sample app in this process, a browser without a face, and a gateway whose answers a test decides."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from device_simulators.apps.app_descriptions import AGENDA, own_url
from device_simulators.apps.client import Registration
from device_simulators.apps.web import Setup, build_app

Json = dict[str, Any]


@dataclass
class ScriptedGateway:
    """What it publishes and answers; a test changes it to play a gateway that is broken, hostile, or far away."""

    url: str = ""
    smart: Json = field(default_factory=dict)
    server: Json = field(default_factory=dict)
    token: Json = field(default_factory=dict)
    token_status: int = 200
    pages: dict[str, tuple[int, Json]] = field(default_factory=dict)  # by the query's `_page`, "" for the first
    good_tokens: set[str] = field(default_factory=set)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    bearers: list[str] = field(default_factory=list)

    def at(self, url: str) -> None:
        """As a good gateway at `url` would be."""
        self.url = url
        self.smart = {
            "authorization_endpoint": f"{url}/oauth/authorize",
            "token_endpoint": f"{url}/oauth/token",
            "revocation_endpoint": f"{url}/oauth/revoke",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": [
                "launch-standalone",
                "client-public",
                "context-standalone-patient",
                "permission-patient",
                "permission-v2",
            ],
        }
        self.server = self.smart | {"issuer": url, "authorization_response_iss_parameter_supported": True}
        self.token = {
            "access_token": "first", "token_type": "Bearer", "expires_in": 600, "scope": AGENDA.scope,
            "patient": "pseudonym", "refresh_token": "again",
        }  # fmt: skip
        self.good_tokens = {"first"}
        self.pages = {"": (200, {"resourceType": "Bundle", "type": "searchset"})}

    async def discovery(self, request: Request) -> Response:
        return JSONResponse(self.smart if "smart" in request.url.path else self.server)

    async def tokens(self, request: Request) -> Response:
        async with request.form() as form:
            self.token_requests.append({name: str(value) for name, value in form.items()})
        return JSONResponse(self.token, self.token_status)

    async def revoke(self, request: Request) -> Response:
        async with request.form() as form:
            self.revoked.append(str(form["token"]))
        return Response()

    async def search(self, request: Request) -> Response:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.bearers.append(bearer)
        if bearer not in self.good_tokens:
            return JSONResponse({"resourceType": "OperationOutcome", "issue": []}, 401)
        status, bundle = self.pages[request.query_params.get("_page", "")]
        return JSONResponse(bundle, status)

    @property
    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/fhir/.well-known/smart-configuration", self.discovery),
                Route("/.well-known/oauth-authorization-server", self.discovery),
                Route("/oauth/token", self.tokens, methods=["POST"]),
                Route("/oauth/revoke", self.revoke, methods=["POST"]),
                Route("/fhir/Observation", self.search),
            ]
        )


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """Served over HTTP by a thread."""
    scripted = ScriptedGateway()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        scripted.at(f"http://127.0.0.1:{listening.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(scripted.application, log_config=None, lifespan="off"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        yield scripted
        server.should_exit = True
        thread.join(10)


@pytest.fixture
async def browser(gateway: ScriptedGateway) -> AsyncIterator[httpx2.AsyncClient]:
    """At the agenda app, whose gateway is `gateway`. Redirects are not followed."""
    registration = Registration("client", AGENDA.redirect_uris(9)[0])
    app = build_app(Setup(AGENDA, gateway.url, own_url(9), registration))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=own_url(9), headers={"Accept-Language": "en"}
    ) as client:
        yield client
