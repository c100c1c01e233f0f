"""Pushed authorization requests (RFC 9126)."""

from datetime import timedelta

from catalogue_host import FHIR, hidden, patient, query_of
from client_keys import Signer


async def push(app, **changes):
    parameters, verifier = app.authorization(**changes)
    return await app.post("/oauth/par", parameters), verifier


async def follow(host, person, app, request_uri, **changes):
    async with host.browser(person) as browser:
        query = {"client_id": app.client_id, "request_uri": request_uri, **changes}
        return await browser.get("/oauth/authorize", params=query)


async def hddt(host):
    signer = Signer("ES256")
    app = await host.known_by("hddt", signer.metadata)
    app.proof = lambda: signer.form(app.client_id)
    return app


async def test_a_pushed_request_leads_to_tokens_and_only_what_was_pushed_counts(host):
    app, ana = await host.approved(), patient()
    response, verifier = await push(app)
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert 0 < response.json()["expires_in"] < 600
    async with host.browser(ana) as browser:
        query = {"client_id": app.client_id, "request_uri": response.json()["request_uri"], "state": "another",
                 "redirect_uri": "https://evil.example/", "scope": "patient/*.cruds"}  # fmt: skip
        page = await browser.get("/oauth/authorize", params=query)
        form = {"request": hidden(page.text, "request"), "csrf_token": hidden(page.text, "csrf_token"),
                "purpose": ["weight"], "decision": "approve"}  # fmt: skip
        answered = query_of(await browser.post("/oauth/consent", data=form))
    assert answered["state"] == "a state & more"
    assert answered["iss"]
    assert (await app.redeem(answered["code"], verifier)).status_code == 200


async def test_a_request_uri_works_once_for_its_client_and_not_for_long(host):
    app, other, ana = await host.approved(), await host.approved(), patient()
    first, second, third = [(await push(app))[0].json()["request_uri"] for _ in range(3)]
    assert (await follow(host, None, app, first)).headers["location"].startswith("/login?next=")
    assert (await follow(host, ana, other, first)).status_code == 400
    assert (await follow(host, ana, app, first)).status_code == 200
    again = await follow(host, ana, app, first)
    assert again.status_code == 400
    assert "location" not in again.headers
    for unknown in (first + "x", "urn:ietf:params:oauth:request_uri:", first.replace("urn", "URN"), '"', "é"):
        assert (await follow(host, ana, app, unknown)).status_code in {400, 303}, unknown
    host.offset = timedelta(seconds=541)
    assert (await follow(host, ana, app, second)).status_code == 400
    host.offset = timedelta()
    async with host.browser(ana) as browser:
        pairs = [("client_id", app.client_id), ("request_uri", third), ("request_uri", third)]
        assert (await browser.get("/oauth/authorize", params=pairs)).status_code == 400


async def test_every_flaw_of_a_pushed_request_is_told_to_the_client(host):
    app = await host.approved()
    cases = [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"aud": None}, "invalid_request"),
        ({"aud": None, "resource": "https://other.example"}, "invalid_target"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"client_secret": "a public client has none"}, "invalid_client"),
    ]
    for changes, error in cases:
        response, _ = await push(app, **changes)
        assert response.json()["error"] == error, changes
        assert response.status_code == (401 if error == "invalid_client" else 400)
    assert (await push(app, aud=None, resource=FHIR))[0].status_code == 201
    confidential = await host.approved("smart-secret")
    assert (await push(confidential))[0].status_code == 201
    confidential.secret = "wrong"
    assert (await push(confidential))[0].status_code == 401


async def test_a_client_of_the_hddt_profile_has_to_push(host):
    app, ana = await hddt(host), patient()
    async with host.browser(ana) as browser:
        direct = await browser.get("/oauth/authorize", params=app.authorization()[0])
    assert query_of(direct)["error"] == "invalid_request"
    assert query_of(direct)["iss"]
    response, _ = await push(app, aud=None)
    assert (await follow(host, ana, app, response.json()["request_uri"])).status_code == 200


async def test_nothing_that_authenticates_a_client_is_kept(host, owner_url):
    import psycopg

    app, confidential = await hddt(host), await host.approved("smart-secret")
    confidential.secret, secret = None, confidential.secret
    assert (await push(app))[0].status_code == 201
    assert (await push(confidential, client_secret=secret))[0].status_code == 201
    with psycopg.connect(owner_url) as owner:
        kept = str(owner.execute("SELECT parameters FROM catalogue.pushed_request").fetchall())
    assert "code_challenge" in kept
    assert "assertion" not in kept
    assert secret not in kept
