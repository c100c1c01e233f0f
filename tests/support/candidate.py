"""A vendor's app that waits for a decision, with a simulated patient to try it with, in a host of a few lines."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from catalogue_host import ALL_SCOPES, Host, Registered, Somebody, application, hidden, query_of

from app_catalog import call_answered, call_refused, grant_of_token, register_vendor, rotate_secret
from app_catalog.clients.credentials import credentials_from
from app_catalog.clients.registration import set_credentials
from app_catalog.interoperability.report import Report, report_of
from app_catalog.interoperability.settling import settle_runs
from app_catalog.oauth.profiles import PROFILES
from app_catalog.sandbox.simulated import open_patient
from device_simulators.demo.submission import submit


@dataclass
class Candidate:
    """`client` does what its maker programs, `patient` signs in as the simulated patient.

    pushes  whether it hands its authorization requests over itself (RFC 9126)
    """

    host: Host
    client: Registered
    patient: Somebody
    vendor: Somebody
    vendor_id: UUID
    application_id: UUID
    pushes: bool = False

    async def known_by(self, profile: str, metadata: dict[str, Any]) -> None:
        """Its vendor says by which keys or certificate it is known."""
        async with self.host.pool.connection() as connection:
            await set_credentials(
                connection, self.client.app_id, credentials_from(metadata, PROFILES[profile]), person=self.vendor,
                journal=self.host.journal, now=self.host.now(),
            )  # fmt: skip

    async def arm(self, scenario: str) -> httpx2.Response:
        form = {"scenario": scenario, "patient": str(self.patient.subject), "csrf_token": self.vendor.csrf_token}
        async with self.host.browser(self.vendor) as browser:
            return await browser.post(self.tests_path, data=form)

    @property
    def tests_path(self) -> str:
        return f"/catalogue/vendor/apps/{self.client.app_id}/interoperability"

    async def ask(self, **changes: str | None) -> tuple[dict[str, str], str]:
        """The answer that comes back to the redirect URI, and the verifier; with a state of its own."""
        parameters, verifier = self.client.authorization(**{"state": secrets.token_urlsafe(16), **changes})
        return await self.answer(await self.asked(parameters)), verifier

    async def asked(self, parameters: dict[str, str]) -> str:
        """The consent page."""
        if self.pushes:
            pushed = await self.client.post("/oauth/par", parameters)
            assert pushed.status_code == 201, pushed.text
            parameters = {"client_id": self.client.client_id, "request_uri": pushed.json()["request_uri"]}
        async with self.host.browser(self.patient) as browser:
            page = await browser.get("/oauth/authorize", params=parameters)
        assert page.status_code == 200, page.headers.get("location") or page.text
        return page.text

    async def answer(self, page: str, decision: str = "approve") -> dict[str, str]:
        form = {name: hidden(page, name) for name in ("request", "csrf_token")}
        async with self.host.browser(self.patient) as browser:
            sent = form | {"purpose": ["weight", "glucose"], "decision": decision}
            response = await browser.post("/oauth/consent", data=sent)
        assert response.status_code == 303, response.text
        return query_of(response)

    async def connect(self) -> dict[str, Any]:
        answer, verifier = await self.ask()
        response = await self.client.redeem(answer["code"], verifier)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def connect_without_refresh(self) -> dict[str, Any]:
        answer, verifier = await self.ask(scope=ALL_SCOPES.replace("offline_access ", ""))
        return dict((await self.client.redeem(answer["code"], verifier)).json())

    async def read(self, access_token: str, outside: str | None = None) -> str | None:
        """What the data plane does with each request: why it is refused, None where it is answered."""
        async with self.host.pool.connection() as connection:
            grant = await grant_of_token(connection, access_token, self.host.now())
            assert grant is not None
            if grant.refusal is not None:
                await call_refused(connection, grant, grant.refusal, self.host.now())
            else:
                await call_answered(connection, grant, outside, self.host.data_plane, self.host.now())
        return grant.refusal

    async def later(self, **passed: float) -> int:
        """Time passes, and the job looks; returns how many runs it ended."""
        self.host.offset += timedelta(**passed)
        async with self.host.pool.connection() as connection:
            return await settle_runs(connection, self.host.mail, self.host.now())

    async def report(self) -> Report:
        async with self.host.pool.connection() as connection:
            return await report_of(connection, self.application_id, self.host.now())

    async def result(self, scenario: str) -> str:
        """The outcome of the latest run, or what it waits for."""
        line = next(line for line in (await self.report()).scenarios if line.scenario == scenario)
        return str(line.outcome or line.stage)


async def candidate(host: Host, profile: str = "smart-public", **changes: Any) -> Candidate:
    vendor = Somebody("vendor")
    options: dict[str, Any] = {"person": vendor, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="help@acme.example", **options)
        submitted = await submit(connection, application(profile=profile, **changes), vendor_id=vendor_id, **options)
        with_secret = PROFILES[profile].has_secret
        secret = await rotate_secret(connection, submitted.app_id, **options) if with_secret else None
        made = await open_patient(connection, vendor_id, "Ana", "en", sandbox=host.sandbox, **options)
    client = Registered(host, submitted.app_id, submitted.client_id, secret, vendor, Somebody("reviewer"))
    patient = Somebody("patient", subject=made.subject, display_name="Ana")
    return Candidate(host, client, patient, vendor, vendor_id, submitted.application_id)
