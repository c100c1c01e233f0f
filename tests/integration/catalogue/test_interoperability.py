"""Scenarios that the product drives against a client in the sandbox: what passes, what fails, what is written down."""

import asyncio
from datetime import timedelta

import pytest
from candidate import candidate
from catalogue_host import Host, Somebody, patient
from client_keys import Signer, certified

from app_catalog import CertificateHeader, networks


@pytest.fixture
async def tried(host):
    return await candidate(host)


async def steps(tried, scenario):
    line = next(line for line in (await tried.report()).scenarios if line.scenario == scenario)
    return [step["step"] for step in line.run.steps]


async def pass_all(tried):
    """What a client does in each scenario that does as it should."""
    client = tried.client
    assert (await tried.arm("happy-path")).status_code == 303
    token = await tried.connect()
    assert await tried.read(token["access_token"]) is None
    assert await tried.result("happy-path") == "passed"

    for scenario, spoilt in (("wrong-state", "state"), ("wrong-issuer", "iss")):
        await tried.arm(scenario)
        answer, _ = await tried.ask(state="s" * 20 + scenario)
        expected = {"state": "s" * 20 + scenario, "iss": tried.host.wiring.issuer}
        assert [name for name in expected if answer[name] != expected[name]] == [spoilt]
        await tried.connect()
        assert await tried.result(scenario) == "passed"

    await tried.arm("denied")
    answer, _ = await tried.ask()
    assert answer["error"] == "access_denied"
    tried.host.offset += timedelta(seconds=5)
    await tried.connect()
    assert await tried.result("denied") == "passed"

    await tried.arm("unavailable")
    token = await tried.connect()
    assert await tried.read(token["access_token"]) == "token expired"
    held_off = await client.refresh(token["refresh_token"])
    assert (held_off.status_code, held_off.json()["error"]) == (503, "temporarily_unavailable")
    token = (await client.refresh(token["refresh_token"])).json()
    assert await tried.read(token["access_token"]) is None
    assert await tried.result("unavailable") == "passed"

    await tried.arm("expired")
    token = await tried.connect()
    for _ in range(20):  # a page with many lists makes all its calls at once
        assert await tried.read(token["access_token"]) == "token expired"
    token = (await client.refresh(token["refresh_token"])).json()
    assert await tried.read(token["access_token"]) is None
    assert await tried.result("expired") == "passed"

    await tried.arm("revoked")
    token = await tried.connect()
    assert await tried.read(token["access_token"]) is None
    assert await tried.read(token["access_token"]) == "grant revoked"
    assert (await client.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"
    await tried.connect()
    assert await tried.result("revoked") == "passed"
    assert (await tried.report()).shown, "every scenario has passed"
    assert not [line for line in (await tried.report()).observations if line.bad and line.observation != "read"]


async def public(host):
    return await candidate(host)


async def with_a_secret(host):
    return await candidate(host, "smart-secret")


async def with_keys(host):
    tried, signer = await candidate(host, "smart-asym"), Signer("ES384")
    await tried.known_by("smart-asym", signer.metadata)
    tried.client.proof = lambda: signer.form(tried.client.client_id)
    return tried


async def pushing_with_keys(host):
    tried, signer = await candidate(host, "hddt"), Signer("ES256")
    await tried.known_by("hddt", signer.metadata)
    tried.client.proof, tried.pushes = lambda: signer.form(tried.client.client_id), True
    return tried


async def pushing_with_a_certificate(host):
    tried, certificate = await candidate(host, "hddt"), certified()
    metadata = {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": certificate.jwks}
    await tried.known_by("hddt", metadata | {"tls_client_certificate_bound_access_tokens": True})
    tried.client.headers, tried.pushes = {"client-cert": certificate.header}, True
    tried.client.proof = lambda: {"client_id": tried.client.client_id}
    return tried


@pytest.mark.parametrize(
    "kind",
    [
        public,
        with_keys,
        pushing_with_a_certificate,
        pytest.param(with_a_secret, marks=pytest.mark.slow),
        pytest.param(pushing_with_keys, marks=pytest.mark.slow),
    ],
)
async def test_a_client_of_any_profile_that_does_as_it_should_passes_every_scenario(app_pool, kind):
    host = Host(app_pool, certificates=CertificateHeader(networks(["127.0.0.1"])))
    await pass_all(await kind(host))


async def test_a_client_that_does_not_fails_them(tried):
    for scenario in ("wrong-state", "wrong-issuer"):
        await tried.arm(scenario)
        answer, verifier = await tried.ask()
        for _ in range(2):
            refused = await tried.client.redeem(answer["code"], verifier)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant"), "it gets nothing"
        assert await tried.result(scenario) == "failed"

    await tried.arm("denied")
    assert (await tried.answer(await tried.asked(tried.client.authorization()[0]), "deny"))["error"] == "access_denied"
    parameters, _ = tried.client.authorization(state="x" * 20)
    async with tried.host.browser(tried.patient) as browser:
        for _ in range(3):  # by itself, at once
            answer = await browser.get("/oauth/authorize", params=parameters)
            assert "error=access_denied" in answer.headers["location"]
    assert await tried.result("denied") == "failed", "also where the patient has really refused"

    await tried.arm("happy-path")
    answer, verifier = await tried.ask()
    for _ in range(2):
        await tried.client.redeem(answer["code"], verifier)
    assert await tried.result("happy-path") == "failed"

    for scenario in ("unavailable", "expired"):
        await tried.arm(scenario)
        token = await tried.connect()
        await tried.read(token["access_token"])
        if scenario == "unavailable":
            await tried.client.refresh(token["refresh_token"])
        await tried.connect()  # the patient is asked, where a refresh would have done
        assert await tried.result(scenario) == "asked"
        assert await tried.later(seconds=61) == 1
        assert await tried.result(scenario) == "failed"

    await tried.arm("revoked")
    token = await tried.connect()
    for _ in range(3):
        await tried.read(token["access_token"])
    await tried.later(seconds=3)
    for _ in range(10):
        await tried.read(token["access_token"])
    assert await tried.result("revoked") == "failed"


async def test_what_another_browser_does_or_a_client_does_again_fails_nobody(tried):
    """A second browser of the same patient asks anew; a client shows who it is at the second attempt."""
    await tried.arm("expired")
    token = await tried.connect()
    await tried.read(token["access_token"])
    await tried.connect()
    token = (await tried.client.refresh(token["refresh_token"])).json()
    await tried.read(token["access_token"])
    assert await tried.result("expired") == "passed"

    confidential = await with_a_secret(tried.host)
    old, old_verifier = await confidential.ask()
    await confidential.arm("happy-path")
    answer, verifier = await confidential.ask()
    await confidential.client.redeem(old["code"], "w" * 43)
    refused = await confidential.client.post(
        "/oauth/token", {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": verifier},
        auth=(confidential.client.client_id, "not the secret"),
    )  # fmt: skip
    assert refused.status_code == 401
    await confidential.client.redeem(old["code"], old_verifier)
    token = (await confidential.client.redeem(answer["code"], verifier)).json()
    await confidential.read(token["access_token"])
    assert await confidential.result("happy-path") == "passed"


async def test_a_client_that_does_nothing_passes_nothing(tried):
    await tried.arm("wrong-state")
    await tried.ask()
    assert await tried.later(seconds=600) == 0, "a client that is away leaves the code alone as well"
    assert await tried.result("wrong-state") == "disturbed"
    await tried.later(minutes=6)
    assert await tried.result("wrong-state") == "timed_out"

    await tried.arm("happy-path")
    token = await tried.connect()
    await tried.read(token["access_token"], outside="no consent")
    assert await tried.result("happy-path") == "connected", "it has read nothing"
    line = next(line for line in (await tried.report()).observations if line.observation == "within")
    assert (line.good, line.bad.detail) == (None, "no consent")
    await tried.read(token["access_token"])
    assert await tried.result("happy-path") == "passed"

    await tried.arm("expired")
    token = await tried.connect_without_refresh()
    assert await tried.result("expired") == "bare", "without a refresh token it has to ask the patient"
    await tried.connect()
    assert await tried.result("expired") == "bare", "and only once it was told"
    await tried.read(token["access_token"])
    await tried.connect()
    assert await tried.result("expired") == "passed"


async def test_what_time_or_a_notice_shows_is_found_by_a_job_which_tells_the_vendor_once(tried):
    await tried.arm("revoked")
    token = await tried.connect()
    for _ in range(2):
        await tried.read(token["access_token"])
    assert await tried.later(seconds=59) == 0
    assert await asyncio.gather(tried.later(seconds=2), tried.later()) in ([1, 0], [0, 1])
    assert await tried.result("revoked") == "passed"
    assert (await steps(tried, "revoked"))[-1].endswith("has not called since.")
    [(to, subject, text)] = [mail for mail in tried.host.mail.sent if "scenario" in mail[1]]
    assert (to, "Weight & Sugar" in subject) == ("contact@vendor.example", True)
    assert "est terminé\u00a0: réussi" in text
    assert "has ended: passed" in text

    await tried.arm("happy-path")
    assert (await tried.arm("denied")).status_code == 409, "one at a time for a patient"
    assert await tried.later(minutes=16) == 1
    assert await tried.result("happy-path") == "timed_out"
    await tried.arm("denied")
    line = next(line for line in (await tried.report()).scenarios if line.scenario == "denied")
    form = {"run": str(line.run.id), "csrf_token": tried.vendor.csrf_token}
    async with tried.host.browser(tried.vendor) as browser:
        assert (await browser.post(tried.tests_path, data=form)).status_code == 303
    assert await tried.result("denied") == "cancelled"
    await tried.connect()
    assert not (await tried.report()).shown

    await tried.arm("revoked")
    token = await tried.connect()
    async with tried.host.pool.connection() as connection:
        await connection.execute(
            "UPDATE catalogue.app SET notification_url = 'https://app.example/notices' WHERE id = %s",
            (tried.client.app_id,),
        )
        await tried.read(token["access_token"])
        await connection.execute(
            "UPDATE catalogue.revocation_notice SET delivered_at = %s WHERE app_id = %s",
            (tried.host.now(), tried.client.app_id),
        )
    await tried.connect()
    assert await tried.result("revoked") == "passed", "whose server was told need not call with the dead token"


async def test_what_a_client_does_wrong_by_itself_is_counted(tried):
    async def seen(observation):
        line = next(line for line in (await tried.report()).observations if line.observation == observation)
        return [row.times if row else 0 for row in (line.good, line.bad)]

    parameters, _ = tried.client.authorization(state="short", code_challenge_method="plain")
    async with tried.host.browser(tried.patient) as browser:
        assert "error=invalid_request" in (await browser.get("/oauth/authorize", params=parameters)).headers["location"]
        wrong = {**parameters, "redirect_uri": "https://app.example/elsewhere"}
        assert (await browser.get("/oauth/authorize", params=wrong)).status_code == 400
    assert (await seen("pkce"), await seen("redirect-uri")) == ([0, 1], [0, 1])
    answer, verifier = await tried.ask(state="short")
    assert (await tried.client.redeem(answer["code"], "w" * 43)).status_code == 400
    token = (await tried.client.redeem(answer["code"], verifier)).json()
    assert (await tried.client.redeem(answer["code"], verifier)).status_code == 400
    page = await tried.asked(tried.client.authorization(state="short")[0])
    again, _ = tried.client.authorization(state="long enough to be loaded again")
    for _ in range(2):
        await tried.asked(again)
    await tried.answer(page)
    assert (await seen("state"), await seen("fresh-state"), await seen("verifier")) == ([1, 2], [2, 1], [1, 1])
    assert await seen("code-once") == [1, 1]
    await tried.read(token["access_token"])
    assert await seen("read") == [0, 1], "a replayed code ends the access"

    pushing = await pushing_with_keys(tried.host)
    for wrong in ({"code_challenge_method": "plain"}, {"redirect_uri": "https://app.example/elsewhere"}):
        assert (await pushing.client.post("/oauth/par", pushing.client.authorization(**wrong)[0])).status_code == 400
    await pushing.connect()
    lines = {line.observation: line for line in (await pushing.report()).observations}
    assert [(lines[name].good.times, lines[name].bad.times) for name in ("pkce", "redirect-uri")] == [(1, 1), (1, 1)]


async def test_only_the_vendor_arms_scenarios_for_its_own_patients_and_real_ones_are_not_watched(host, tried):
    app = await host.approved()
    token = await app.tokens(patient())
    await app.refresh(token["refresh_token"])
    async with host.pool.connection() as connection:
        for table in ("client_observation", "seen_state", "scenario_step"):
            assert await (await connection.execute(f"SELECT FROM catalogue.{table}")).fetchall() == []
    other = await candidate(host)
    form = {"scenario": "denied", "patient": str(tried.patient.subject)}
    for person, patient_id, status in (
        (other.vendor, tried.patient.subject, 403),
        (tried.vendor, other.patient.subject, 403),
        (tried.vendor, patient().subject, 403),
        (Somebody("reviewer"), tried.patient.subject, 403),
    ):
        async with host.browser(person) as browser:
            sent = form | {"patient": str(patient_id), "csrf_token": person.csrf_token}
            assert (await browser.post(tried.tests_path, data=sent)).status_code == status
    for wrong in ({"scenario": "nonsense"}, {"scenario": "denied", "patient": "x"}, {"run": "x"}):
        async with host.browser(tried.vendor) as browser:
            sent = wrong | {"csrf_token": tried.vendor.csrf_token}
            assert (await browser.post(tried.tests_path, data=sent)).status_code == 400
