"""A vendor's app that waits for a decision, with a simulated patient to try it with, in a host of a few lines."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from catalogue_host import Host, Registered, Somebody, application, query_of

from app_catalog import grant_of_token, register_vendor, watch_call
from app_catalog.interoperability.report import Report, report_of
from app_catalog.sandbox.simulated import open_patient
from device_simulators.demo.submission import submit


@dataclass
class Candidate:
    """`client` does what its maker programs, `patient` signs in as the simulated patient."""

    host: Host
    client: Registered
    patient: Somebody
    vendor: Somebody
    vendor_id: UUID
    application_id: UUID

    async def arm(self, scenario: str) -> httpx2.Response:
        form = {"scenario": scenario, "patient": str(self.patient.subject), "csrf_token": self.vendor.csrf_token}
        async with self.host.browser(self.vendor) as browser:
            return await browser.post(self.tests_path, data=form)

    @property
    def tests_path(self) -> str:
        return f"/catalogue/vendor/apps/{self.client.app_id}/interoperability"

    async def ask(self, **changes: str | None) -> tuple[dict[str, str], str]:
        """The answer that comes back to the redirect URI, and the verifier; with a state of its own."""
        response, verifier = await self.client.answer(
            self.patient, ["weight", "glucose"], **{"state": secrets.token_urlsafe(16), **changes}
        )
        assert response.status_code == 303, response.text
        return query_of(response), verifier

    async def connect(self) -> dict[str, Any]:
        answer, verifier = await self.ask()
        response = await self.client.redeem(answer["code"], verifier)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def read(self, access_token: str) -> str | None:
        """What the data plane does with each request: why it is refused, None where it is answered."""
        async with self.host.pool.connection() as connection:
            grant = await grant_of_token(connection, access_token, self.host.now())
            assert grant is not None
            await watch_call(connection, grant, grant.refusal, self.host.data_plane, self.host.now())
        return grant.refusal

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
        made = await open_patient(connection, vendor_id, "Ana", "en", sandbox=host.sandbox, **options)
    client = Registered(host, submitted.app_id, submitted.client_id, None, vendor, Somebody("reviewer"))
    patient = Somebody("patient", subject=made.subject, display_name="Ana")
    return Candidate(host, client, patient, vendor, vendor_id, submitted.application_id)
