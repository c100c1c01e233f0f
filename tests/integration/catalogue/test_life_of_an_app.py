"""From a vendor's form to a listed app, by the pages alone."""

import re
from datetime import timedelta

import pytest
from catalogue_host import GLUCOSE_SCOPE, REDIRECT, WEIGHT_SCOPE, Somebody, application, hidden, patient, purpose

from app_catalog import (
    NotAllowed,
    Status,
    Unacceptable,
    WrongState,
    app_by_id,
    approve_application,
    change_status,
    refuse_application,
    register_vendor,
    rotate_secret,
)
from device_simulators.demo.approval import refuse
from device_simulators.demo.submission import submit


async def steps_of(host, owner_url):
    import psycopg

    with psycopg.connect(owner_url) as connection:
        return connection.execute(
            "SELECT step, from_status, to_status, reason FROM catalogue.app_step ORDER BY id"
        ).fetchall()


async def test_a_vendor_applies_a_reviewer_approves_and_everybody_sees_it(host, owner_url):
    vendor, reviewer = Somebody("vendor"), Somebody("reviewer")
    options = {"person": vendor, "journal": host.journal, "now": host.now()}
    weight = purpose("weight", read_scope=WEIGHT_SCOPE, write_scope="patient/Observation.c")
    described = application(name="Poids & Co", profile="smart-secret", purposes=(weight,))
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme <Health>", contact="a@b", **options)
        submitted = await submit(connection, described, vendor_id=vendor_id, **options)
        async with host.browser() as browser:
            assert (await browser.get("/api/catalogue/apps")).json()["apps"] == []
        await host.approve(connection, submitted.application_id, vendor, reviewer)
    async with host.browser(vendor) as browser:
        assert "Poids &amp; Co" in (await browser.get("/catalogue/vendor")).text
    async with host.browser() as browser:
        (app,) = (await browser.get("/api/catalogue/apps")).json()["apps"]
        assert app["name"] == "Poids & Co"
        assert app["vendor"] == "Acme <Health>"
        assert app["purposes"][0]["reads"][0]["scope"] == WEIGHT_SCOPE
        assert app["purposes"][0]["writes"][0]["fr"].startswith("vos données")
        assert (await browser.get(f"/api/catalogue/apps/{app['id']}")).json() == app
        assert "Acme &lt;Health&gt;" in (await browser.get("/catalogue")).text
        assert "Montre le poids" in (await browser.get(f"/catalogue/apps/{app['id']}")).text
    steps = await steps_of(host, owner_url)
    assert steps[0] == ("submitted", None, "CANDIDATE", None)
    assert {step[1:3] for step in steps[1:-1]} == {("CANDIDATE", "CANDIDATE")}
    assert steps[-1] == ("approved", "CANDIDATE", "ONLINE", None)
    assert host.journal.names()[-1] == "catalogue:application:approve"


async def test_a_secret_is_shown_once_to_its_vendor(host):
    app = await host.approved("smart-secret")
    async with host.browser(app.vendor) as browser:
        page = await browser.get("/catalogue/vendor")
        assert app.client_id in page.text
        assert app.secret not in page.text
        form = {"csrf_token": hidden(page.text, "csrf_token"), "end_former": "yes"}
        shown = await browser.post(f"/catalogue/vendor/apps/{app.app_id}/secret", data=form)
        assert shown.headers["cache-control"] == "no-store"
        secret = re.search('id="client-secret">([^<]+)<', shown.text)[1]
        assert secret not in (await browser.get("/catalogue/vendor")).text
    former, code = app.secret, await app.code(patient())
    assert (await app.redeem(*code)).status_code == 401, "the former secret is dead"
    app.secret = secret
    assert (await app.redeem(*code)).status_code == 200
    assert former != secret
    assert secret not in repr(host.journal.events)


async def test_two_secrets_work_for_a_day_unless_the_vendor_ends_the_former_one(host):
    app = await host.approved("smart-secret")
    former = app.secret

    async def new(**fields):
        async with host.browser(app.vendor) as browser:
            form = {"csrf_token": app.vendor.csrf_token, **fields}
            shown = await browser.post(f"/catalogue/vendor/apps/{app.app_id}/secret", data=form)
            return re.search('id="client-secret">([^<]+)<', shown.text)[1]

    async def works(secret):
        app.secret = secret
        return (await app.post("/oauth/introspect", {"token": "x"})).status_code == 200

    second = await new()
    assert [await works(secret) for secret in (former, second)] == [True, True]
    host.offset = timedelta(hours=23)
    third = await new()
    assert [await works(secret) for secret in (former, second, third)] == [False, True, True]
    host.offset = timedelta(hours=48)
    assert [await works(secret) for secret in (second, third)] == [False, True]
    fourth = await new(end_former="yes")
    assert [await works(secret) for secret in (third, fourth)] == [False, True]


async def test_every_form_needs_the_token_of_its_session(host):
    app = await host.approved("smart-secret")
    for person, path, form in (
        (app.vendor, "/catalogue/apply", {}),
        (app.vendor, f"/catalogue/vendor/apps/{app.app_id}/secret", {}),
        (app.reviewer, f"/catalogue/review/apps/{app.app_id}/status", {"action": "suspend", "reason": "x"}),
    ):
        async with host.browser(person) as browser:
            for token in ("", "wrong", "é"):
                assert (await browser.post(path, data=form | {"csrf_token": token})).status_code == 403
            assert (
                await browser.post(path, content=b"\xff", headers={"content-type": "text/plain"})
            ).status_code == 400


async def test_pages_are_for_those_whose_work_it_is(host):
    app = await host.approved()
    async with host.browser() as browser:
        response = await browser.get("/catalogue/review")
        assert (response.status_code, response.headers["location"]) == (303, "/login?next=/catalogue/review")
    async with host.browser(patient()) as browser:
        for path in ("/catalogue/review", "/catalogue/apply", "/catalogue/vendor"):
            assert (await browser.get(path)).status_code == 403
    async with host.browser(app.vendor) as browser:
        assert (await browser.get("/catalogue/review")).status_code == 403
        form = {"csrf_token": app.vendor.csrf_token, "action": "suspend", "reason": "x"}
        assert (await browser.post(f"/catalogue/review/apps/{app.app_id}/status", data=form)).status_code == 403
    other = Somebody("vendor")
    async with host.browser(other) as browser:
        form = {"csrf_token": other.csrf_token}
        assert (await browser.post(f"/catalogue/vendor/apps/{app.app_id}/secret", data=form)).status_code == 403


@pytest.mark.parametrize("path", ["/catalogue/apps/{}", "/api/catalogue/apps/{}", "/catalogue/review/applications/{}"])
async def test_what_does_not_exist_is_not_found(host, path):
    async with host.browser(Somebody("reviewer")) as browser:
        for name in ("00000000-0000-0000-0000-000000000000", "x", "'", "é"):
            assert (await browser.get(path.format(name))).status_code == 404


async def test_a_reviewer_suspends_and_resumes_by_the_page(host):
    app = await host.approved()
    async with host.browser(app.reviewer) as browser:
        page = await browser.get("/catalogue/review")
        form = {"csrf_token": hidden(page.text, "csrf_token"), "reason": "a complaint", "cause": "check"}
        path = f"/catalogue/review/apps/{app.app_id}/status"
        assert (await browser.post(path, data=form | {"action": "suspend"})).status_code == 303
        assert (await browser.get("/api/catalogue/apps")).json()["apps"] == []
        assert (await browser.get(f"/api/catalogue/apps/{app.app_id}")).json()["status"] == "SUSPENDED"
        assert "Resume" in (await browser.get("/catalogue/review")).text
        assert (await browser.post(path, data=form | {"action": "resume"})).status_code == 303
        assert (await browser.get(f"/api/catalogue/apps/{app.app_id}")).json()["status"] == "ONLINE"
        assert (await browser.post(path, data=form | {"action": "CANDIDATE"})).status_code == 409
        assert (await browser.post(path, data=form | {"action": "nonsense"})).status_code == 400
        assert (await browser.post(path, data=form | {"action": "suspend", "reason": " "})).status_code == 422


async def test_a_resumed_app_goes_back_to_what_it_was(host):
    app = await host.approved()
    async with host.pool.connection() as connection:
        await _move(host, connection, app, Status.OFFLINE)
        await _move(host, connection, app, Status.SUSPENDED)
    async with host.browser(app.reviewer) as browser:
        form = {"csrf_token": app.reviewer.csrf_token, "reason": "settled", "action": "resume"}
        await browser.post(f"/catalogue/review/apps/{app.app_id}/status", data=form)
    async with host.pool.connection() as connection:
        assert (await app_by_id(connection, app.app_id)).status is Status.OFFLINE


async def _move(host, connection, app, status, person=None):
    await change_status(
        connection,
        app.app_id,
        status,
        person=person or app.reviewer,
        journal=host.journal,
        now=host.now(),
        reason="a test",
    )


async def test_nobody_decides_about_an_app_of_their_own(host):
    """A reviewer who is a member of the vendor is refused by the decision itself, whatever page it comes from."""
    vendor, reviewers = Somebody("vendor"), (Somebody("reviewer"), Somebody("reviewer"))
    options = {"journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="a@b", person=vendor, **options)
        submitted = await submit(connection, application(), vendor_id=vendor_id, person=vendor, **options)
        colleague = Somebody("reviewer", id=vendor.id)
        for person in (colleague, *(Somebody(kind) for kind in ("vendor", "patient", "professional", "operator"))):
            with pytest.raises(NotAllowed):
                await approve_application(connection, submitted.application_id, person=person, **options)
        with pytest.raises(Unacceptable):
            await refuse_application(connection, submitted.application_id, person=reviewers[0], reason="", **options)
        await refuse(
            connection, submitted.application_id, reviewers=reviewers, reason="No impact assessment.", **options
        )
        with pytest.raises(WrongState):
            await approve_application(connection, submitted.application_id, person=reviewers[0], **options)
        with pytest.raises(WrongState):
            await rotate_secret(connection, submitted.app_id, person=vendor, **options)
    async with host.browser(vendor) as browser:
        assert "No impact assessment." in (await browser.get("/catalogue/vendor")).text


async def test_a_candidate_can_be_neither_connected_nor_seen(host):
    vendor = Somebody("vendor")
    options = {"person": vendor, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="a@b", **options)
        submitted = await submit(connection, application(), vendor_id=vendor_id, **options)
    parameters = {"client_id": submitted.client_id, "redirect_uri": REDIRECT, "response_type": "code"}
    async with host.browser(patient()) as browser:
        assert (await browser.get("/oauth/authorize", params=parameters)).status_code == 400
        assert (await browser.get(f"/catalogue/apps/{submitted.app_id}")).status_code == 404


async def test_only_members_submit_for_a_vendor(host):
    vendor = Somebody("vendor")
    options = {"journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="a@b", person=vendor, **options)
        with pytest.raises(NotAllowed):
            await submit(connection, application(), vendor_id=vendor_id, person=Somebody("vendor"), **options)
        with pytest.raises(NotAllowed):
            await register_vendor(connection, name="Acme", contact="a@b", person=patient(), **options)


async def test_scopes_are_kept_in_their_normal_form(host):
    app = await host.approved(
        purposes=(purpose("all", read_scope=f"{GLUCOSE_SCOPE} patient/Observation.rs patient/Observation.r"),)
    )
    async with host.pool.connection() as connection:
        found = await app_by_id(connection, app.app_id)
    assert found.purposes[0].read_scope == "patient/Observation.rs"
