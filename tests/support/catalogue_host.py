"""A small product around the catalogue: pages without a style, a journal in a list, whoever a header says signed in."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import jinja2
from attested_review import approve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app_catalog import (
    TEMPLATES,
    App,
    AppGrant,
    Application,
    Call,
    CatalogueEvent,
    ConsentedPurpose,
    EndedGrant,
    PatientLetter,
    PurposeDraft,
    Scope,
    SimulatedPatient,
    Wiring,
    covers,
    register_vendor,
    rotate_secret,
    routes,
)
from app_catalog.clients.credentials import credentials_from
from app_catalog.clients.registration import set_credentials
from app_catalog.oauth.profiles import PROFILES
from app_catalog.scopes.grammar import Letter
from device_simulators.demo.submission import complete, submit

ISSUER = "http://127.0.0.1:8000"
FHIR = f"{ISSUER}/fhir"
REDIRECT = "https://app.example/callback"
GLUCOSE, WEIGHT = "http://loinc.org|2345-7", "http://loinc.org|29463-7"
GLUCOSE_SCOPE = f"patient/Observation.rs?code={GLUCOSE}"
WEIGHT_SCOPE = f"patient/Observation.rs?code={WEIGHT}"
ALL_SCOPES = f"launch/patient offline_access {GLUCOSE_SCOPE} {WEIGHT_SCOPE}"
LAYOUT = "<!doctype html><html lang=en><title>{% block title %}{% endblock %}</title>{% block content %}{% endblock %}"


@dataclass(frozen=True)
class Somebody:
    kind: str
    subject: UUID | None = None
    display_name: str = "Somebody"
    language: str = "en"
    zone: str = "Europe/Paris"
    id: UUID = field(default_factory=uuid4)
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(16))


def patient(**fields: Any) -> Somebody:
    return Somebody("patient", subject=uuid4(), display_name="Ana Dupont", **fields)


@dataclass
class ListedJournal:
    """Events, and with each the space that the transaction was in."""

    events: list[CatalogueEvent] = field(default_factory=list)

    async def write(self, connection: Any, event: CatalogueEvent) -> None:
        row = await (await connection.execute("SELECT current_setting('app.space', true) AS space")).fetchone()
        assert event.subject is None or row.space == str(event.subject)
        assert re.fullmatch("[a-z_]+:[a-z_]+:[a-z_]+", event.name)
        self.events.append(event)

    async def write_each_with(self, connection: Any, call: Call, done: Any) -> list[bool]:
        return [await self._write_with(connection, call, event, parameters) for event, parameters in done]

    async def _write_with(self, connection: Any, call: Call, event: CatalogueEvent, parameters: Any) -> bool:
        statement = f"SELECT current_setting('app.space', true) AS space FROM {call.sql}"
        row = await (await connection.execute(statement, parameters)).fetchone()
        assert row is None or row.space == str(event.subject)
        self.events += [event] if row else []
        return row is not None

    def names(self) -> list[str]:
        return [str(event.name) for event in self.events]


@dataclass
class PlainDataPlane:
    ended: list[EndedGrant] = field(default_factory=list)

    async def on_revoked(self, connection: Any, grant: EndedGrant) -> None:  # noqa: ARG002
        self.ended.append(grant)

    def describe(self, scope: Scope) -> Mapping[str, str]:
        return {"fr": f"vos données : {scope}", "en": f"your data: {scope}"}


@dataclass
class ListedMail:
    """Addresses, subjects and texts, as they would be sent."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)

    async def send(self, connection: Any, to: str, subject: str, text: str) -> None:  # noqa: ARG002
        self.sent.append((to, subject, text))


@dataclass
class NamedSandbox:
    """Spaces of nobody: only what was done with them is kept."""

    done: list[tuple[str, UUID]] = field(default_factory=list)
    used: dict[UUID, datetime] = field(default_factory=dict)

    async def open(self, connection: Any, name: str, language: str) -> SimulatedPatient:  # noqa: ARG002
        made = SimulatedPatient(uuid4(), f"sandbox-{name}", "a password of twelve")
        self.done.append(("open", made.subject))
        return made

    async def reset(self, connection: Any, subject: UUID) -> None:  # noqa: ARG002
        self.done.append(("reset", subject))

    async def end(self, connection: Any, subject: UUID) -> None:  # noqa: ARG002
        self.done.append(("end", subject))

    async def last_used(self, connection: Any, subject: UUID) -> datetime | None:  # noqa: ARG002
        return self.used.get(subject)


@dataclass
class ListedPatients:
    """Letters to patients, in a list."""

    sent: list[tuple[UUID, PatientLetter]] = field(default_factory=list)

    async def zone(self, connection: Any, subject: UUID) -> str:  # noqa: ARG002
        return "Europe/Paris"

    async def write(self, connection: Any, subject: UUID, letter: PatientLetter) -> None:
        row = await (await connection.execute("SELECT current_setting('app.space', true) AS space")).fetchone()
        assert row.space == str(subject)
        self.sent.append((subject, letter))


class Host:
    """The catalogue in an application of its own, reached without a socket."""

    def __init__(self, pool: Any, **wiring: Any) -> None:
        self.pool = pool
        self.journal = ListedJournal()
        self.data_plane = PlainDataPlane()
        self.mail = ListedMail()
        self.sandbox = NamedSandbox()
        self.patients = ListedPatients()
        self.offset = timedelta()
        self.people: dict[str, Somebody] = {}
        self.pages = jinja2.Environment(
            loader=jinja2.ChoiceLoader(
                [jinja2.FileSystemLoader(str(TEMPLATES)), jinja2.DictLoader({"layout.html": LAYOUT})]
            ),
            autoescape=True,
            extensions=["jinja2.ext.i18n"],
            undefined=jinja2.StrictUndefined,
        )
        self.pages.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
        self.pages.globals["colon"] = ": "
        self.pages.filters |= {"day": lambda at: f"{at:%Y-%m-%d}", "moment": str}
        self.wiring = Wiring(
            pool=pool,
            issuer=ISSUER,
            fhir_url=FHIR,
            signed_in=self.signed_in,
            login_url=lambda here: f"/login?next={here}",
            render=self.render,
            language=lambda request: request.headers.get("accept-language", "fr"),
            journal=self.journal,
            data_plane=self.data_plane,
            mail=self.mail,
            sandbox=self.sandbox,
            clock=self.now,
            **wiring,
        )
        asked_most, others = routes(self.wiring)
        self.app = Starlette(routes=[asked_most, *others])

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    async def signed_in(self, request: Request) -> Somebody | None:
        return self.people.get(request.headers.get("x-person", ""))

    def render(self, request: Request, template: str, context: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return HTMLResponse(self.pages.get_template(template).render(**context))

    def browser(self, person: Somebody | None = None) -> httpx2.AsyncClient:
        """A client that does not follow redirects, signed in as `person`."""
        headers = {}
        if person is not None:
            self.people[str(person.id)] = person
            headers["x-person"] = str(person.id)
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url=ISSUER, headers=headers)

    async def approved(self, profile: str = "smart-public", **changes: Any) -> "Registered":
        """An app that a vendor submitted and two reviewers approved, online; `reviewer` is the one who decided."""
        vendor, reviewer = Somebody("vendor"), Somebody("reviewer")
        options: dict[str, Any] = {"person": vendor, "journal": self.journal, "now": self.now()}
        async with self.pool.connection() as connection:
            vendor_id = await register_vendor(connection, name="Acme", contact="help@acme.example", **options)
            submitted = await submit(
                connection, application(profile=profile, **changes), vendor_id=vendor_id, **options
            )
            app = await self.approve(connection, submitted.application_id, vendor, reviewer)
            secret = await rotate_secret(connection, app.id, **options) if profile == "smart-secret" else None
        return Registered(self, app.id, app.client_id, secret, vendor, reviewer)

    async def approve(
        self, connection: Any, application_id: UUID, owner: Somebody, reviewer: Somebody | None = None
    ) -> App:
        """The whole review, with a decision of `reviewer`."""
        return await approve(
            connection, application_id, owner=owner, reviewers=(Somebody("reviewer"), reviewer or Somebody("reviewer")),
            journal=self.journal, data_plane=self.data_plane, now=self.now(),
        )  # fmt: skip

    async def known_by(self, profile: str, metadata: Mapping[str, Any], **changes: Any) -> "Registered":
        """An approved app whose vendor said by which keys or certificate its client is known."""
        app = await self.approved(profile, **changes)
        async with self.pool.connection() as connection:
            await set_credentials(
                connection, app.app_id, credentials_from(metadata, PROFILES[profile]), person=app.vendor,
                journal=self.journal, now=self.now(),
            )  # fmt: skip
        return app


@dataclass
class Registered:
    """An approved app, able to do what its maker would program."""

    host: Host
    app_id: UUID
    client_id: str
    secret: str | None
    vendor: Somebody
    reviewer: Somebody
    proof: Callable[[], Mapping[str, str]] = dict  # what each request to a JSON endpoint proves its client with
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def auth(self) -> Any:
        return (self.client_id, self.secret) if self.secret else None

    def authorization(self, **changes: str | None) -> tuple[dict[str, str], str]:
        """Parameters of an authorization request, and its code verifier."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT,
            "scope": ALL_SCOPES,
            "state": "a state & more",
            "aud": FHIR,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in parameters.items() if value is not None}, verifier

    async def answer(
        self, person: Somebody, purposes: list[str], decision: str = "approve", **changes: str | None
    ) -> tuple[httpx2.Response, str]:
        """What the consent form answers, and the code verifier of the request."""
        parameters, verifier = self.authorization(**changes)
        async with self.host.browser(person) as browser:
            page = await browser.get("/oauth/authorize", params=parameters)
            assert page.status_code == 200, page.headers.get("location") or page.text
            form = {
                "request": hidden(page.text, "request"),
                "csrf_token": hidden(page.text, "csrf_token"),
                "purpose": purposes,
                "decision": decision,
            }
            return await browser.post("/oauth/consent", data=form), verifier

    async def code(self, person: Somebody, purposes: list[str] | None = None, **changes: str | None) -> tuple[str, str]:
        response, verifier = await self.answer(person, purposes or ["weight", "glucose"], **changes)
        assert response.status_code == 303, response.text
        return query_of(response)["code"], verifier

    async def redeem(self, code: str, verifier: str, /, **changes: str | None) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": verifier,
            "client_id": None if self.secret else self.client_id,
            **changes,
        }
        return await self.post("/oauth/token", form)

    async def refresh(self, refresh_token: str, /, **changes: str | None) -> httpx2.Response:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": None if self.secret else self.client_id,
            **changes,
        }
        return await self.post("/oauth/token", form)

    async def post(self, path: str, form: Mapping[str, str | None], **options: Any) -> httpx2.Response:
        async with self.host.browser() as client:
            data = {name: value for name, value in {**self.proof(), **form}.items() if value is not None}
            return await client.post(path, data=data, **{"auth": self.auth, "headers": self.headers, **options})

    async def tokens(
        self, person: Somebody, purposes: list[str] | None = None, **changes: str | None
    ) -> dict[str, Any]:
        """What a code is redeemed for."""
        response = await self.redeem(*await self.code(person, purposes, **changes))
        assert response.status_code == 200, response.text
        return dict(response.json())


def application(**changes: Any) -> Application:
    fields: dict[str, Any] = {
        "name": "Weight & Sugar",
        "description": {"fr": "Montre le poids.", "en": "Shows weight."},
        "profile": "smart-public",
        "redirect_uris": (REDIRECT, "http://127.0.0.1/cb"),
        "purposes": (
            purpose("weight", required=True, read_scope=WEIGHT_SCOPE),
            purpose("glucose", read_scope=GLUCOSE_SCOPE),
        ),
        **changes,
    }
    return complete(Application(**fields))


def purpose(key: str, **changes: Any) -> PurposeDraft:
    fields: dict[str, Any] = {
        "key": key,
        "name": {"fr": f"Finalité {key}", "en": f"Purpose {key}"},
        "wording": {"fr": f"Pour {key}.", "en": f"To show {key}."},
        "required": False,
        "retention_days": 90,
        **changes,
    }
    return PurposeDraft(**fields)


def purpose_for(grant: AppGrant | None, letter: Letter, code: str) -> ConsentedPurpose | None:
    """The purpose under which the token of `grant` opens observations of that code; None where it opens none."""
    assert grant is not None
    if grant.refusal is not None or not covers(grant.scopes, "Observation", letter, codes=[code]):
        return None
    return next((one for one in grant.consented if covers(one.scopes, "Observation", letter, codes=[code])), None)


def hidden(page: str, name: str) -> str:
    """Value of a hidden field."""
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


def query_of(response: httpx2.Response) -> dict[str, str]:
    """Parameters that a redirect takes along."""
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()}
