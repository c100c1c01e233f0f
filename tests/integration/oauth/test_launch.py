"""Launches from the portal, and access that ends with the patient's session."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from catalogue_host import FHIR, GLUCOSE_SCOPE, WEIGHT_SCOPE, Host, patient, query_of

from app_catalog import SignIn, grant_of_token
from app_catalog.consents.sign_out import on_signed_out

LAUNCH_URI = "https://app.example/launch?from=portal"
SCOPES = f"launch online_access {WEIGHT_SCOPE} {GLUCOSE_SCOPE}"


@pytest.fixture
def host(app_pool):
    made = Host(app_pool)
    sign_in = SignIn(b"one session", made.now(), made.now() + timedelta(hours=2))
    return Host(app_pool, session=lambda _request: sign_in)


async def opened(host, app, person):
    async with host.browser(person) as browser:
        response = await browser.get(f"/catalogue/apps/{app.app_id}/launch")
    assert response.status_code == 303, response.text
    parts = urlsplit(response.headers["location"])
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


async def test_the_portal_opens_an_app_with_where_the_data_is_and_a_launch_of_its_own(host):
    app, ana = await host.approved(launch_uri=LAUNCH_URI), patient()
    sent = await opened(host, app, ana)
    assert (sent["from"], sent["iss"]) == ("portal", FHIR)
    token = await app.tokens(ana, scope=SCOPES, launch=sent["launch"])
    assert set(token["scope"].split()) == set(SCOPES.split())
    assert token["patient"]
    assert "portal:app:open" in host.journal.names()


async def test_a_launch_is_good_once_for_one_app_and_one_patient_and_five_minutes(host):
    app, other, ana = await host.approved(launch_uri=LAUNCH_URI), await host.approved(), patient()
    sent = await opened(host, app, ana)

    async def error(app, person):
        parameters, _ = app.authorization(scope=SCOPES, launch=sent["launch"])
        async with host.browser(person) as browser:
            response = await browser.get("/oauth/authorize", params=parameters)
        return query_of(response)["error"] if response.status_code == 303 else None

    assert await error(other, ana) == "invalid_request"
    assert await error(app, patient()) == "invalid_request"
    host.offset = timedelta(minutes=6)
    assert await error(app, ana) == "invalid_request"
    host.offset = timedelta()
    assert await error(app, ana) is None, "a page loaded again is no second use"
    await app.tokens(ana, scope=SCOPES, launch=sent["launch"])
    assert await error(app, ana) == "invalid_request"


async def test_two_pages_of_one_launch_give_one_code(host):
    app, ana = await host.approved(launch_uri=LAUNCH_URI), patient()
    sent = await opened(host, app, ana)
    parameters, _ = app.authorization(scope=SCOPES, launch=sent["launch"])
    async with host.browser(ana) as browser:
        pages = [await browser.get("/oauth/authorize", params=parameters) for _ in range(2)]
        answers = [
            await browser.post(
                "/oauth/consent",
                data={
                    "request": page.text.split('name="request" value="')[1].split('"')[0],
                    "csrf_token": ana.csrf_token,
                    "purpose": ["weight"],
                    "decision": "approve",
                },
            )
            for page in pages
        ]
    assert [answer.status_code for answer in answers] == [303, 400]


async def test_only_a_patient_can_open_an_app_that_can_be_opened(host):
    app, vendor_app = await host.approved(launch_uri=LAUNCH_URI), await host.approved()
    async with host.browser(patient()) as browser:
        assert (await browser.get(f"/catalogue/apps/{vendor_app.app_id}/launch")).status_code == 404
        assert "/launch" in (await browser.get(f"/catalogue/apps/{app.app_id}")).text
        forged = await browser.get(f"/catalogue/apps/{app.app_id}/launch", headers={"sec-fetch-site": "cross-site"})
        assert forged.headers["location"] == f"/catalogue/apps/{app.app_id}", "another site opens nothing"
        assert "portal:app:open" not in host.journal.names()
        assert "/launch" not in (await browser.get(f"/catalogue/apps/{vendor_app.app_id}")).text
    async with host.browser(app.vendor) as browser:
        assert (await browser.get(f"/catalogue/apps/{app.app_id}/launch")).status_code == 403
    async with host.browser() as browser:
        assert (await browser.get(f"/catalogue/apps/{app.app_id}/launch")).headers["location"].startswith("/login")
        assert "/launch" not in (await browser.get(f"/catalogue/apps/{app.app_id}")).text


async def test_online_access_is_refreshed_until_the_session_ends_and_not_longer(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana, scope=f"online_access {WEIGHT_SCOPE}", launch=None)
    again = (await app.refresh(token["refresh_token"])).json()
    assert "online_access" in again["scope"]
    host.offset = timedelta(hours=2, minutes=1)
    assert (await app.refresh(again["refresh_token"])).json()["error"] == "invalid_grant"


async def test_signing_out_ends_online_access_and_nothing_else(host):
    app, ana = await host.approved(), patient()
    online = await app.tokens(ana, scope=f"online_access {WEIGHT_SCOPE}")
    offline = await app.tokens(ana, scope=f"online_access offline_access {WEIGHT_SCOPE}")
    assert "online_access" not in offline["scope"]
    async with host.pool.connection() as connection:
        ended = await on_signed_out(connection, b"one session", host.journal, host.data_plane, host.now())
        assert ended >= 1
        assert (await grant_of_token(connection, online["access_token"], host.now())).refusal == "grant revoked"
        assert (await grant_of_token(connection, offline["access_token"], host.now())).refusal is None
    assert (await app.refresh(online["refresh_token"])).json()["error"] == "invalid_grant"


async def test_where_no_session_is_known_nothing_is_promised_for_its_length(app_pool):
    host = Host(app_pool)
    app = await host.approved()
    token = await app.tokens(patient(), scope=f"online_access {WEIGHT_SCOPE}")
    assert token["scope"] == WEIGHT_SCOPE
    assert "refresh_token" not in token
