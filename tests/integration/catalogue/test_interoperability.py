"""Scenarios that the product drives against a client in the sandbox: what passes, what fails, what is written down."""

from datetime import timedelta

import pytest
from candidate import candidate
from catalogue_host import Somebody, patient


@pytest.fixture
async def tried(host):
    return await candidate(host)


async def steps(tried, scenario):
    line = next(line for line in (await tried.report()).scenarios if line.scenario == scenario)
    return [step["step"] for step in line.run.steps]


async def test_a_client_that_does_as_it_should_passes_every_scenario(tried):
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
    tried.host.offset = timedelta(seconds=5)
    await tried.connect()
    assert await tried.result("denied") == "passed"

    await tried.arm("unavailable")
    token = await tried.connect()
    assert await tried.read(token["access_token"]) == "token expired"
    held_off = await tried.client.refresh(token["refresh_token"])
    assert (held_off.status_code, held_off.json()["error"]) == (503, "temporarily_unavailable")
    token = (await tried.client.refresh(token["refresh_token"])).json()
    assert await tried.read(token["access_token"]) is None
    assert await tried.result("unavailable") == "passed"

    await tried.arm("expired")
    token = await tried.connect()
    assert await tried.read(token["access_token"]) == "token expired"
    token = (await tried.client.refresh(token["refresh_token"])).json()
    assert await tried.read(token["access_token"]) is None
    assert await tried.result("expired") == "passed"

    await tried.arm("revoked")
    token = await tried.connect()
    assert await tried.read(token["access_token"]) is None
    assert await tried.read(token["access_token"]) == "grant revoked"
    assert (await tried.client.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"
    await tried.connect()
    assert await tried.result("revoked") == "passed"
    assert (await tried.report()).shown, "every scenario has passed"
    assert not [line for line in (await tried.report()).observations if line.bad and line.observation != "read"]


async def test_a_client_that_does_not_fails_them(tried):
    for scenario in ("wrong-state", "wrong-issuer"):
        await tried.arm(scenario)
        answer, verifier = await tried.ask()
        for _ in range(2):
            refused = await tried.client.redeem(answer["code"], verifier)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant"), "it gets nothing"
        assert await tried.result(scenario) == "failed"

    await tried.arm("denied")
    await tried.ask()
    parameters, _ = tried.client.authorization(state="x" * 20)
    async with tried.host.browser(tried.patient) as browser:
        for _ in range(3):  # by itself, at once
            answer = await browser.get("/oauth/authorize", params=parameters)
            assert "error=access_denied" in answer.headers["location"]
    assert await tried.result("denied") == "failed"

    for scenario in ("unavailable", "expired"):
        await tried.arm(scenario)
        token = await tried.connect()
        await tried.read(token["access_token"])
        if scenario == "unavailable":
            await tried.client.refresh(token["refresh_token"])
        await tried.connect()  # the patient is asked, where a refresh would have done
        assert await tried.result(scenario) == "failed"

    await tried.arm("revoked")
    token = await tried.connect()
    for _ in range(11):
        await tried.read(token["access_token"])
    assert await tried.result("revoked") == "failed"


async def test_time_alone_shows_what_was_left_alone_what_stopped_and_what_nothing_came_of(tried):
    await tried.arm("wrong-state")
    await tried.ask()
    assert await tried.result("wrong-state") == "disturbed"
    tried.host.offset = timedelta(seconds=91)
    assert await tried.result("wrong-state") == "passed"
    assert (await steps(tried, "wrong-state"))[-1] == "The client left the code alone until it had expired."

    await tried.arm("revoked")
    token = await tried.connect()
    for _ in range(2):
        await tried.read(token["access_token"])
    tried.host.offset += timedelta(seconds=61)
    assert await tried.result("revoked") == "passed"

    await tried.arm("happy-path")
    assert (await tried.arm("denied")).status_code == 409, "one at a time for a patient"
    tried.host.offset += timedelta(minutes=16)
    assert await tried.result("happy-path") == "timed_out"
    await tried.arm("denied")
    line = next(line for line in (await tried.report()).scenarios if line.scenario == "denied")
    form = {"run": str(line.run.id), "csrf_token": tried.vendor.csrf_token}
    async with tried.host.browser(tried.vendor) as browser:
        assert (await browser.post(tried.tests_path, data=form)).status_code == 303
    assert await tried.result("denied") == "cancelled"
    await tried.connect()
    assert not (await tried.report()).shown


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
    await tried.ask(state="short")
    assert (await seen("state"), await seen("fresh-state"), await seen("verifier")) == ([0, 2], [1, 1], [1, 1])
    assert await seen("code-once") == [1, 1]
    await tried.read(token["access_token"])
    assert await seen("read") == [0, 1], "a replayed code ends the access"


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
