"""The demo's apps go the way of every app: a vendor applies, two reviewers review."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row

import app_catalog
from app_catalog import Application, PurposeDraft
from device_gateway.catalogue_wiring import MeasurementPlane, SpaceJournal
from device_simulators.apps.app_descriptions import DESCRIPTIONS, AppDescription
from device_simulators.demo.approval import approve
from device_simulators.demo.people import DemoPerson, as_account
from device_simulators.demo.submission import submit


async def publish_apps(
    database_url: str, vendor: DemoPerson, reviewers: Sequence[DemoPerson], ports: dict[str, int]
) -> list[dict[str, Any]]:
    """Submit, approve and give secrets to the sample apps; returns what demo.json says of each."""
    journal, applicant = SpaceJournal(), as_account(vendor)
    judges = [as_account(reviewer) for reviewer in reviewers]
    published = []
    connection: AsyncConnection[Any] = await AsyncConnection.connect(
        database_url, autocommit=True, row_factory=namedtuple_row
    )
    async with connection:
        await connection.execute("SET ROLE gateway_app")
        vendor_id = await app_catalog.register_vendor(
            connection, name="Santé Démo", contact="demo@example.org", person=applicant, journal=journal, now=_now()
        )
        for description in DESCRIPTIONS:
            application = _application(description, ports[description.command])
            submitted = await submit(
                connection, application, vendor_id=vendor_id, person=applicant, journal=journal, now=_now()
            )
            app = await approve(
                connection,
                submitted.application_id,
                owner=applicant,
                reviewers=judges,
                journal=journal,
                data_plane=MeasurementPlane(),
                now=_now(),
                reason="Meets the criteria.",
            )
            secret = None
            if description.profile == "smart-secret":
                secret = await app_catalog.rotate_secret(
                    connection, app.id, person=applicant, journal=journal, now=_now()
                )
            published.append(
                {
                    "name": description.name,
                    "command": description.command,
                    "client_id": submitted.client_id,
                    "client_secret": secret,
                    "redirect_uri": application.redirect_uris[0],
                    "scope": description.scope,
                    "profile": description.profile,
                    "url": f"http://127.0.0.1:{ports[description.command]}/",
                }
            )
    return published


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
