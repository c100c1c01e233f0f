"""The demo's apps go the way of every app: a vendor applies, two reviewers review, their clients are tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row

import app_catalog
from app_catalog import Application, PurposeDraft
from app_catalog.review.evaluation import Recommendation
from device_gateway.catalogue_wiring import MeasurementPlane, SpaceJournal
from device_gateway.errors import GatewayError
from device_simulators.apps.app_descriptions import DESCRIPTIONS, AppDescription
from device_simulators.candidacy.browser import Unexpected
from device_simulators.candidacy.desk import Result
from device_simulators.candidacy.walk import Candidate, walk
from device_simulators.demo.approval import conclude, evaluate
from device_simulators.demo.people import DemoPerson, as_account
from device_simulators.demo.submission import submit


class NotInteroperable(GatewayError):
    """A sample app does not pass the scenarios of the catalogue."""

    exit_code = 70


@dataclass(frozen=True)
class Applied:
    """A sample app that was evaluated, and waits for its tests. `entry` is what demo.json will say of it."""

    app_id: UUID
    application_id: UUID
    entry: dict[str, Any]


async def apply_with_apps(
    database_url: str, vendor: DemoPerson, reviewers: Sequence[DemoPerson], ports: dict[str, int]
) -> list[Applied]:
    """Submit the sample apps, give them secrets, evaluate them."""
    journal, applicant = SpaceJournal(), as_account(vendor)
    judges = [as_account(reviewer) for reviewer in reviewers]
    applied = []
    async with await _connection(database_url) as connection:
        await connection.execute("SET ROLE gateway_app")
        vendor_id = await app_catalog.register_vendor(
            connection, name="Santé Démo", contact="demo@example.org", person=applicant, journal=journal, now=_now()
        )
        for description in DESCRIPTIONS:
            application = _application(description, ports[description.command])
            submitted = await submit(
                connection, application, vendor_id=vendor_id, person=applicant, journal=journal, now=_now()
            )
            secret = None
            if description.profile == "smart-secret":
                secret = await app_catalog.rotate_secret(
                    connection, submitted.app_id, person=applicant, journal=journal, now=_now()
                )
            await evaluate(
                connection, submitted.application_id, Recommendation.FAVOURABLE, reviewers=judges, journal=journal,
                now=_now(),
            )  # fmt: skip
            entry = {
                "name": description.name,
                "command": description.command,
                "client_id": submitted.client_id,
                "client_secret": secret,
                "redirect_uri": application.redirect_uris[0],
                "scope": description.scope,
                "profile": description.profile,
                "url": f"http://127.0.0.1:{ports[description.command]}/",
            }
            applied.append(Applied(submitted.app_id, submitted.application_id, entry))
    return applied


def pass_tests(base_url: str, vendor: DemoPerson, applied: Sequence[Applied]) -> None:
    """Take the apps, which run at their addresses, through the scenarios of the catalogue. Raises NotInteroperable."""
    try:
        _walk_once(base_url, vendor, applied)
    except NotInteroperable:
        _walk_once(base_url, vendor, applied)  # a machine that does much else may have been too slow for a page


def _walk_once(base_url: str, vendor: DemoPerson, applied: Sequence[Applied]) -> None:
    page = f"{base_url}/catalogue/vendor/apps/{{}}/interoperability"
    candidates = [Candidate(page.format(app.app_id), app.entry["url"]) for app in applied]
    try:
        results = walk(base_url, (vendor.username, vendor.password), candidates)
    except (Unexpected, httpx2.HTTPError) as error:
        raise NotInteroperable(f"The sample apps could not be tested: {error or type(error).__name__}") from error
    lacking = {app.entry["name"]: _lacking(found) for app, found in zip(applied, results, strict=True)}
    if any(lacking.values()):
        raise NotInteroperable(f"Scenarios that the sample apps do not pass: {lacking}")


def _lacking(results: Sequence[Result]) -> list[str]:
    return [result.scenario for result in results if not result.passed]


async def approve_apps(
    database_url: str, vendor: DemoPerson, reviewers: Sequence[DemoPerson], applied: Sequence[Applied]
) -> None:
    """The agreements and the decisions."""
    async with await _connection(database_url) as connection:
        await connection.execute("SET ROLE gateway_app")
        for app in applied:
            await conclude(
                connection,
                app.application_id,
                owner=as_account(vendor),
                reviewers=[as_account(reviewer) for reviewer in reviewers],
                journal=SpaceJournal(),
                data_plane=MeasurementPlane(),
                now=_now(),
                reason="Répond aux critères.",
            )


async def _connection(database_url: str) -> AsyncConnection[Any]:
    return await AsyncConnection.connect(database_url, autocommit=True, row_factory=namedtuple_row)


def _application(description: AppDescription, port: int) -> Application:
    return Application(
        name=description.name,
        description=description.description,
        profile=description.profile,
        redirect_uris=description.redirect_uris(port),
        launch_uri=description.launch_uri(port),
        purposes=tuple(
            PurposeDraft(p.key, p.name, p.wording, p.required, p.retention_days, p.read_scope, p.write_scope)
            for p in description.purposes
        ),
    )


def _now() -> datetime:
    return datetime.now(UTC)
