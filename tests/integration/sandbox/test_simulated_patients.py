"""Simulated patients in the whole product: an account, made-up days, pages that say so, a candidate that reads them."""

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from catalogue_host import purpose
from fhir_world import SCOPES
from portal_world import BASE, CALLBACK, PASSWORD, Product, field, text_of

from app_catalog import Application, register_vendor
from device_gateway.catalogue_upkeep import keep_catalogue
from device_gateway.metrics import METRICS
from device_gateway.readings.model import Reading
from device_gateway.sandbox.days import DAYS, days_of
from device_gateway.sandbox.filling import fill
from device_simulators.demo.submission import submit

PARIS = ZoneInfo("Europe/Paris")
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
async def product(owner_url: str, app_url: str, ingest_url: str) -> AsyncIterator[Product]:
    async with Product(owner_url, app_url, database_ingest_url=ingest_url) as running:
        yield running


async def vendor_with_a_candidate(product: Product) -> tuple[Any, UUID, str]:
    """The signed-in browser of a vendor, its organisation, and the client id of what it submitted."""
    vendor = product.account("vendor", "acme")
    options: dict[str, Any] = {"person": vendor, "journal": product.app.state.wiring.journal, "now": datetime.now(UTC)}
    version = Application(
        name="Try+", description={"fr": "Essai.", "en": "A trial."}, profile="smart-public", redirect_uris=(CALLBACK,),
        purposes=(purpose("weight", read_scope=SCOPES["weight"]),),
    )  # fmt: skip
    async with product.app.state.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="x", **options)
        submitted = await submit(connection, version, vendor_id=vendor_id, **options)
    return await product.signed_in("acme"), vendor_id, submitted.client_id


async def filled(product: Product) -> int:
    """Does the work of `jobs` that waits; how many readings that gave."""
    due = product.owner("DELETE FROM gateway.job WHERE kind = 'sandbox:fill' RETURNING payload")
    return sum([await fill(product.settings, row.payload) for row in due])


def readings(product: Product, space: UUID) -> int:
    (row,) = product.owner(
        "SELECT count(*) AS n FROM gateway.reading r JOIN gateway.series s ON s.id = r.series WHERE s.space_id = %s",
        space,
    )
    return int(row.n)


async def test_a_candidate_reads_a_simulated_patient_until_the_vendor_ends_it(product: Product) -> None:
    vendor, vendor_id, client_id = await vendor_with_a_candidate(product)
    here = f"/catalogue/vendor/organisations/{vendor_id}/sandbox"
    token = field((await vendor.get(here)).text, "csrf_token")
    made = (await vendor.post(here, data={"csrf_token": token, "name": "Zoé"})).text
    name, password = (made.split(f'id="{one}">')[1].split("<")[0] for one in ("username", "password"))
    (row,) = product.owner("SELECT subject FROM catalogue.sandbox_space")
    put = await filled(product)
    assert put == readings(product, row.subject) > DAYS * 288

    zoe = await product.browser()
    signed_in = await zoe.post("/login", data={"username": name, "password": password})
    assert signed_in.status_code == 303
    for path in ("/", "/devices", "/apps", "/journal", "/settings", "/catalogue"):
        assert "This patient is simulated" in text_of((await zoe.get(path, headers={"accept-language": "en"})).text), (
            path
        )
    assert "Try+" in (await zoe.get("/apps")).text

    asked = {
        "response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "state": "x", "aud": f"{BASE}/fhir",
        "scope": f"launch/patient offline_access {SCOPES['weight']}", "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }  # fmt: skip
    page = (await zoe.get("/oauth/authorize", params=asked)).text
    assert "This patient is simulated" in text_of(page)
    form = {one: field(page, one) for one in ("request", "csrf_token")}
    answer = await zoe.post("/oauth/consent", data={**form, "purpose": "weight", "decision": "approve"})
    code = answer.headers["location"].split("code=")[1].split("&")[0]
    app = await product.browser()
    redeem = {
        "grant_type": "authorization_code", "code": code, "client_id": client_id, "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }  # fmt: skip
    tokens = (await app.post("/oauth/token", data=redeem)).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    search = "/fhir/Observation?code=http://loinc.org|29463-7&_count=100"
    found = (await app.get(search, headers=bearer)).json()
    assert len(found["entry"]) == pytest.approx(DAYS, abs=2), found
    other = await app.get(search.replace("29463-7", "2345-7"), headers=bearer)
    assert (other.status_code, "entry" in other.json()) == (200, False), "what was not agreed to looks absent"
    assert (await app.get(f"{search}&date=x", headers=bearer)).status_code == 400
    seen = product.owner("SELECT observation, good, times, detail FROM catalogue.client_observation ORDER BY 1, 2")
    assert [tuple(row) for row in seen if row.observation in {"read", "within"}] == [
        ("read", True, 1, ""), ("within", False, 1, "no consent"), ("within", True, 1, ""),
    ], "its tests can tell that from reading"  # fmt: skip
    (candidate,) = product.owner("SELECT id FROM catalogue.app")
    scenario = {"csrf_token": token, "scenario": "denied", "patient": str(row.subject)}
    await vendor.post(f"/catalogue/vendor/apps/{candidate.id}/interoperability", data=scenario)
    await keep_catalogue(product.settings, product.app.state.pool, datetime.now(UTC) + timedelta(minutes=16))
    assert [run.outcome for run in product.owner("SELECT outcome FROM catalogue.scenario_run")] == ["timed_out"]

    await vendor.post(f"{here}/{row.subject}", data={"csrf_token": token, "action": "reset"})
    assert (readings(product, row.subject), (await app.get(search, headers=bearer)).status_code) == (0, 401)
    assert await filled(product) == readings(product, row.subject) > 0

    await vendor.post(f"{here}/{row.subject}", data={"csrf_token": token, "action": "end"})
    assert readings(product, row.subject) == 0
    assert (await zoe.get("/")).status_code == 303, "signed out"
    again = await zoe.post("/login", data={"username": name, "password": password})
    assert again.status_code == 401
    assert await fill(product.settings, {"space": str(row.subject)}) == 0


async def test_nobody_but_a_simulated_patient_can_be_emptied_or_ended(product: Product) -> None:
    real = product.patient()
    for name in ("sandbox_clear", "sandbox_end"):
        with psycopg.connect(product.settings.database_url) as connection:
            connection.execute("SELECT set_config('app.space', %s, true)", (str(real.space.id),))
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="simulated"):
                connection.execute(f"SELECT gateway.{name}()")
    assert await product.signed_in(real.username)
    assert PASSWORD


def test_simulated_days_are_the_same_for_a_seed_and_plausible() -> None:
    until = datetime(2026, 10, 26, 12, tzinfo=UTC)  # the days before hold the end of summer time
    days = list(days_of(7, PARIS, until))
    assert days == list(days_of(7, PARIS, until)) != list(days_of(8, PARIS, until))
    assert {one.metric for one in days} == {
        "interstitial-glucose", "blood-glucose", "body-weight", "blood-pressure", "heart-rate",
    }  # fmt: skip
    for one in days:
        assert until - timedelta(days=DAYS + 1) < one.at <= until
        metric = METRICS[one.metric]
        assert isinstance(one, Reading)
        values = one.components.values() if one.components else [one.value]
        assert all(metric.components or metric.low <= float(value or 0) <= metric.high for value in values)
    assert len({(one.metric, one.device, one.at, one.seq) for one in days}) == len(days)
