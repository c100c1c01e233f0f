"""The FHIR API with real tokens: apps approved and consented to through the catalogue, readings in the store."""

from dataclasses import dataclass
from typing import Any

import httpx2
from catalogue_host import FHIR, ISSUER, Host, Registered, Somebody, patient, purpose
from fastapi import FastAPI
from reading_world import Space

from device_gateway.fhir import router
from device_gateway.metrics import METRICS

DEVICE_SCOPE = "patient/Device.rs"


def scope_of(metric: str) -> str:
    return f"patient/Observation.rs?code=http://loinc.org|{METRICS[metric].code}"


SCOPES = {
    "weight": f"{scope_of('body-weight')} {DEVICE_SCOPE}",
    "glucose": scope_of("blood-glucose"),
    "everything": "patient/*.rs",
}


@dataclass
class Session:
    """An app with a token of one patient."""

    client: httpx2.AsyncClient
    space: Space
    app: Registered
    person: Somebody
    token: dict[str, Any]

    @property
    def patient_id(self) -> str:
        return str(self.token["patient"])

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        options["headers"] = {"Authorization": f"Bearer {self.token['access_token']}", **options.get("headers", {})}
        method = options.pop("method", "GET")
        url = path if path.startswith("http") else f"{FHIR}/{path}"
        return await self.client.request(method, url, **options)

    async def search(self, path: str, **options: Any) -> dict[str, Any]:
        response = await self.get(path, **options)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def ids(self, path: str) -> list[str]:
        return [each["id"] for each in matches(await self.search(path))]


class World:
    def __init__(self, pool: Any, owner_url: str, **wiring: Any) -> None:
        self.host = Host(pool, **wiring)
        self.owner_url = owner_url
        self.app = FastAPI()
        self.app.state.pool = pool
        self.app.state.wiring = self.host.wiring
        self.app.include_router(router)
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app, raise_app_exceptions=True), base_url=ISSUER
        )

    async def session(
        self, *purposes: str, scope: str | None = None, space: Space | None = None, app: Registered | None = None
    ) -> Session:
        """A patient with a space, and an app to which the patient agreed for `purposes` (keys of SCOPES)."""
        person = patient() if space is None else Somebody("patient", subject=space.id)
        space = space or Space(self.owner_url, person.subject)
        app = app or await self.host.approved(
            purposes=tuple(purpose(key, read_scope=text) for key, text in SCOPES.items())
        )
        wanted = scope or " ".join(["launch/patient", *SCOPES.values()])
        token = await app.tokens(person, list(purposes or ["everything"]), scope=wanted)
        return Session(self.client, space, app, person, token)


def matches(bundle: dict[str, Any], mode: str = "match") -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle.get("entry", ()) if entry["search"]["mode"] == mode]


def link(bundle: dict[str, Any], relation: str) -> str | None:
    return next((each["url"] for each in bundle["link"] if each["relation"] == relation), None)
