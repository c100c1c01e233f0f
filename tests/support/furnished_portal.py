"""What the portal's pages show in the tests of the browser: people who have lived with it for weeks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
from portal_world import Product, field, lived_in
from reading_world import Space

# Whoever connected the app is asked about it again, as on coming of age.
ASKED_ANEW = """INSERT INTO catalogue.reapproval
  (pairing_id, subject, app_id, application_id, former_application_id, reason, asked_at, limit_at)
  SELECT p.id, p.subject, p.app_id, v.id, v.id, 'majority', now(), now() + interval '30 days'
  FROM catalogue.pairing p JOIN catalogue.application v USING (app_id)"""
QUESTION = """INSERT INTO catalogue.question (id, application_id, text, asked_by, asked_by_name, asked_at)
  SELECT gen_random_uuid(), id, 'Where are the servers?', gen_random_uuid(), 'René', now() FROM catalogue.application
  RETURNING application_id AS id"""


@dataclass
class Portal:
    base: str
    hub: UUID
    scale: UUID  # of the same patient; it tells its users apart
    app: UUID
    waiting: Space  # of noor, who has a scale and no reading yet
    audit: UUID  # of the app, which noor reported
    application: UUID  # by which the app was approved; a reviewer asked something about it


async def furnish(product: Product, owner_url: str, base: str) -> Portal:
    """Weeks of measurements, a connected app with a question open about it, a report, a quarantine."""
    async with product:
        app = await product.online_app()
        product.account("reviewer", "rene", display_name="René", language="fr")
        product.account("vendor", "vera", display_name="Véra", language="fr")
        product.patient(username="nina", display_name="Nina", language="fr")
        product.patient(username="ines", display_name="Inès", language="fr")
        product.account("operator", "olga", display_name="Olga", language="fr")
        noor = product.patient(username="noor", display_name="Noor", language="fr")
        noor.space.device("dg-scale")
        hubs = []
        for language in ("fr", "en"):
            patient = product.patient(username=f"camille.{language}", language=language)
            hubs.append(lived_in(patient.space, owner_url, address=f"C0:FF:EE:12:34:5{len(hubs)}"))
            sensor, since = patient.space.device("dg-cgm"), datetime.now(UTC) - timedelta(days=12)
            patient.space.fill("interstitial-glucose", sensor, since.isoformat(), "15 minutes", 1_100)
            await product.connect_app(await product.signed_in(patient.username), app, "weight")
        scales = "SELECT device_id FROM gateway.device_holding WHERE name LIKE 'Balance%%' AND space_id IN"
        hub = "(SELECT space_id FROM gateway.device_holding WHERE device_id = %s)"
        product.owner(
            "INSERT INTO gateway.heard_device (hub_id, name, dialect, metrics)"
            " VALUES (%s, 'AA:BB:CC:DD:EE:01', 'theengs', '{body-weight}')",
            hubs[0],
        )
        product.owner(
            "WITH kind AS (INSERT INTO gateway.quarantine_group (sender, dialect, reason, seen, expires_at)"
            " VALUES (%s, 'own', 'the payload is not JSON in UTF-8', 70, now() + interval '1 day') RETURNING id)"
            " INSERT INTO gateway.quarantine"
            " (topic, sender, dialect, payload, digest, pointer, reason, expires_at, group_id)"
            " SELECT 'dg/v1/x', %s, 'own', convert_to(repeat('{é', 3000), 'UTF8'), 'x', '', 'the payload is not JSON',"
            " now() + interval '1 day', id FROM kind",
            str(hubs[0]), str(hubs[0]),
        )  # fmt: skip
        [scale] = product.owner(f"{scales} {hub}", hubs[0])
        await _report(await product.signed_in("noor"), app)
        product.owner(ASKED_ANEW)
        [application] = product.owner(QUESTION)
        [audit] = product.owner("SELECT id FROM catalogue.audit")
        return Portal(base, hubs[0], scale.device_id, app, noor.space, audit.id, application.id)


async def _report(browser: httpx2.AsyncClient, app: UUID) -> None:
    page = await browser.get(f"/catalogue/apps/{app}/report")
    form = {"category": "fault", "text": "Rien ne s’affiche.", "csrf_token": field(page.text, "csrf_token")}
    assert (await browser.post(f"/catalogue/apps/{app}/report", data=form)).status_code == 303
