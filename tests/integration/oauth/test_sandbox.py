"""A candidate works for the simulated patients of its vendor, with everything that OAuth asks, and for nobody else."""

import json
from datetime import timedelta
from typing import Any

import pytest
from catalogue_host import (
    REDIRECT,
    WEIGHT_SCOPE,
    Host,
    Registered,
    Somebody,
    application,
    hidden,
    patient,
    purpose,
    query_of,
)
from client_keys import Signer

from app_catalog import end_unused, register_vendor, rotate_secret
from app_catalog.applications.submission import withdraw
from app_catalog.oauth.grant import grant_of_token
from device_simulators.demo.approval import refuse
from device_simulators.demo.submission import submit


async def candidate(host: Host, profile: str = "smart-public", **changes: Any) -> tuple[Registered, Any, Any]:
    """A candidate's client, its application, and its vendor's organisation."""
    vendor = Somebody("vendor")
    options: dict[str, Any] = {"person": vendor, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="x", **options)
        found = await submit(connection, application(profile=profile, **changes), vendor_id=vendor_id, **options)
        secret = await rotate_secret(connection, found.app_id, **options) if profile == "smart-secret" else None
    return Registered(host, found.app_id, found.client_id, secret, vendor, vendor), found.application_id, vendor_id


async def simulated(host: Host, vendor: Somebody, vendor_id: Any, name: str = "Zoé") -> Somebody:
    """A simulated patient, made by the page of its vendor, and signed in."""
    async with host.browser(vendor) as browser:
        page = await browser.post(
            f"/catalogue/vendor/organisations/{vendor_id}/sandbox", data={"csrf_token": vendor.csrf_token, "name": name}
        )
    assert page.status_code == 200, page.text
    assert "a password of twelve" in page.text
    _, subject = host.sandbox.done[-1]
    return Somebody("patient", subject=subject, display_name=name)


async def works(host: Host, access_token: str) -> bool:
    async with host.pool.connection() as connection:
        grant = await grant_of_token(connection, access_token, host.now())
    return grant is not None and grant.refusal is None and bool(grant.scopes)


async def test_a_candidate_runs_in_its_vendors_sandbox_before_anybody_reviewed_it(host):
    app, _, vendor_id = await candidate(host, "smart-secret")
    browser_app, _, browser_vendor = await candidate(host)
    for permitted in (None, "https://app.example"):  # without a simulated patient there is nobody to try it with
        async with host.browser() as script:
            answer = await script.options("/oauth/token", headers={"origin": "https://app.example"})
        assert answer.headers.get("access-control-allow-origin") == permitted
        await simulated(host, browser_app.vendor, browser_vendor)
    zoe = await simulated(host, app.vendor, vendor_id)
    tokens = await app.tokens(zoe, ["weight"])
    assert await works(host, tokens["access_token"])
    renewed = await app.refresh(tokens["refresh_token"])
    assert renewed.status_code == 200, renewed.text
    told = (await app.post("/oauth/introspect", {"token": renewed.json()["access_token"]})).json()
    assert (told["active"], told["patient"]) == (True, tokens["patient"])
    assert (await app.post("/oauth/revoke", {"token": tokens["refresh_token"]})).status_code == 200
    assert not await works(host, renewed.json()["access_token"])


async def test_everywhere_else_a_candidate_is_refused_on_a_page_that_says_why(host):
    app, _, vendor_id = await candidate(host, launch_uri="https://app.example/launch")
    other, _, other_vendor = await candidate(host)
    theirs = await simulated(host, other.vendor, other_vendor)
    zoe = await simulated(host, app.vendor, vendor_id)
    real = await host.approved()
    for person, client, words in (
        (patient(), app, "not approved yet"),
        (app.vendor, app, "not approved yet"),
        (theirs, app, "its own vendor"),
        (zoe, real, "its own vendor"),
    ):
        parameters, _ = client.authorization()
        async with host.browser(person) as browser:
            page = await browser.get("/oauth/authorize", params=parameters)
        assert (page.status_code, words in page.text) == (400, True), page.text
        assert REDIRECT not in page.headers.get("location", "")
    parameters, _ = app.authorization()
    async with host.browser() as nobody:
        for query in (parameters, {**parameters, "prompt": "none"}, {**parameters, "response_type": "token"}):
            answer = await nobody.get("/oauth/authorize", params=query)
            assert answer.headers["location"].startswith("/login"), "no way to an address that nobody has reviewed"
    for person, status in ((zoe, 303), (theirs, 403), (patient(), 403)):
        async with host.browser(person) as browser:
            assert (await browser.get(f"/catalogue/apps/{app.app_id}/launch")).status_code == status


@pytest.mark.parametrize("end", ["refuse", "withdraw", "end", "reset"])
async def test_a_candidates_tokens_die_with_its_application_and_with_the_patient(host, end):
    app, application_id, vendor_id = await candidate(host)
    zoe = await simulated(host, app.vendor, vendor_id)
    tokens, unused = await app.tokens(zoe), await app.code(zoe)
    options: dict[str, Any] = {"journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        if end == "refuse":
            judges = (Somebody("reviewer"), Somebody("reviewer"))
            await refuse(connection, application_id, reviewers=judges, reason="No.", **options)
        elif end == "withdraw":
            await withdraw(connection, application_id, person=app.vendor, **options)
    if end in {"end", "reset"}:
        path = f"/catalogue/vendor/organisations/{vendor_id}/sandbox/{zoe.subject}"
        async with host.browser(app.vendor) as browser:
            done = await browser.post(path, data={"csrf_token": app.vendor.csrf_token, "action": end})
        assert done.status_code == 303, done.text
        assert host.sandbox.done[-1] == (end, zoe.subject)
        assert host.data_plane.ended
    assert not await works(host, tokens["access_token"])
    assert (await app.refresh(tokens["refresh_token"])).status_code in {400, 401}
    assert (await app.redeem(*unused)).status_code in {400, 401}
    parameters, _ = app.authorization()
    async with host.browser(zoe) as browser:
        status = (await browser.get("/oauth/authorize", params=parameters)).status_code
    assert status == (200 if end == "reset" else 400)
    if end in {"refuse", "withdraw"}:
        async with host.pool.connection() as connection:
            again = application(changes={"fr": "Corrigé.", "en": "Put right."})
            await submit(connection, again, vendor_id=vendor_id, app_id=app.app_id, person=app.vendor, **options)
        assert not await works(host, tokens["access_token"]), "nor does another application bring them back"
        assert await works(host, (await app.tokens(zoe))["access_token"])


async def test_a_new_version_is_tried_in_the_sandbox_while_the_approved_one_serves_everybody_else(host):
    app = await host.approved()
    elsewhere = "https://app.example/version-two"
    options: dict[str, Any] = {"person": app.vendor, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        row = await (await connection.execute("SELECT vendor_id FROM catalogue.app")).fetchone()
        version = application(
            redirect_uris=(elsewhere,), purposes=(purpose("weight", read_scope=WEIGHT_SCOPE),),
            changes={"fr": "Moins de données.", "en": "Less data."},
        )  # fmt: skip
        await submit(connection, version, vendor_id=row.vendor_id, app_id=app.app_id, **options)
    zoe = await simulated(host, app.vendor, row.vendor_id)
    code, verifier = await app.code(zoe, ["weight"], redirect_uri=elsewhere)
    tokens = (await app.redeem(code, verifier, redirect_uri=elsewhere)).json()
    assert await works(host, tokens["access_token"])
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200
    assert await works(host, (await app.tokens(patient()))["access_token"])
    parameters, _ = app.authorization(redirect_uri=elsewhere)
    pushed = (await app.post("/oauth/par", parameters)).json()["request_uri"]
    for person, status in ((patient(), 400), (zoe, 200)):
        async with host.browser(person) as browser:
            for query in (parameters, {"client_id": app.client_id, "request_uri": pushed}):
                assert (await browser.get("/oauth/authorize", params=query)).status_code == status, "unreviewed address"


async def test_a_candidate_pushes_and_proves_itself_with_its_old_key_and_with_its_new_one(host):
    app, _, vendor_id = await candidate(host, "hddt")
    old, new = Signer("ES256"), Signer("ES256")
    both = {"keys": [*old.metadata["jwks"]["keys"], *new.metadata["jwks"]["keys"]]}
    form = {"token_endpoint_auth_method": "private_key_jwt", "jwks": json.dumps(both)}
    async with host.browser(app.vendor) as browser:
        path = f"/catalogue/vendor/apps/{app.app_id}/client"
        kept = await browser.post(path, data={"csrf_token": app.vendor.csrf_token, **form})
    assert kept.status_code == 303, kept.text
    zoe = await simulated(host, app.vendor, vendor_id)
    for signer in (old, new):
        app.proof = lambda signer=signer: signer.form(app.client_id)
        parameters, verifier = app.authorization()
        pushed = await app.post("/oauth/par", parameters)
        assert pushed.status_code == 201, pushed.text
        query = {"client_id": app.client_id, "request_uri": pushed.json()["request_uri"]}
        async with host.browser(zoe) as browser:
            page = (await browser.get("/oauth/authorize", params=query)).text
            fields = {name: hidden(page, name) for name in ("request", "csrf_token")}
            answer = await browser.post("/oauth/consent", data={**fields, "purpose": "weight", "decision": "approve"})
        tokens = await app.redeem(query_of(answer)["code"], verifier)
        assert await works(host, tokens.json()["access_token"])


async def test_simulated_patients_are_few(host):
    app, _, vendor_id = await candidate(host)
    for number in range(5):
        await simulated(host, app.vendor, vendor_id, f"Patient {number}")
    path = f"/catalogue/vendor/organisations/{vendor_id}/sandbox"
    async with host.browser(app.vendor) as browser:
        page = (await browser.get(path)).text
        assert 'name="name"' not in page
        form = {"csrf_token": hidden(page, "csrf_token"), "name": "One more"}
        assert (await browser.post(path, data=form)).status_code == 409


async def test_a_simulated_patient_that_nobody_uses_ends_after_its_vendor_was_told(host):
    app, _, vendor_id = await candidate(host)
    zoe, max_ = await simulated(host, app.vendor, vendor_id), await simulated(host, app.vendor, vendor_id, "Max")
    await app.code(zoe)
    told = []
    async with host.pool.connection() as connection:
        await connection.execute(
            "UPDATE catalogue.vendor SET contact_email = 'a@acme.example', contact_verified_at = now()"
        )
        for days in (75, 77, 77, 89, 91, 92):
            host.offset = timedelta(days=days)
            if days == 89:
                host.sandbox.used[max_.subject] = host.now()
            before = len(host.mail.sent)
            ended = await end_unused(connection, host.sandbox, host.data_plane, host.mail, host.journal, 90, host.now())
            told.append((days, len(host.mail.sent) - before, ended))
    assert told == [(75, 0, 0), (77, 2, 0), (77, 0, 0), (89, 0, 0), (91, 0, 1), (92, 0, 0)]
    assert host.sandbox.done[-1] == ("end", zoe.subject)
    assert [event.reason for event in host.journal.events if event.subject == zoe.subject][-1] == (
        "Nobody used the simulated patient."
    )
    assert "Unless it is used again, it ends on" in await sandbox_page(host, app.vendor, vendor_id)
    assert "told that a simulated patient ends" in await sandbox_page(host, app.vendor, vendor_id, "")


async def test_a_simulated_patient_sees_its_vendors_apps_only(host):
    app, _, vendor_id = await candidate(host)
    other = await host.approved()
    zoe = await simulated(host, app.vendor, vendor_id)
    async with host.browser(zoe) as browser:
        listed = (await browser.get("/catalogue")).text
        assert "and no other" in listed
        assert str(other.app_id) not in listed
        assert (await browser.get(f"/catalogue/apps/{other.app_id}")).status_code == 404
    async with host.browser(patient()) as browser:
        assert str(other.app_id) in (await browser.get("/catalogue")).text


async def sandbox_page(host, vendor, vendor_id, part="/sandbox"):
    async with host.browser(vendor) as browser:
        return (await browser.get(f"/catalogue/vendor/organisations/{vendor_id}{part}")).text
