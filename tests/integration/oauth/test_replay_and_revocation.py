"""Codes and refresh tokens are used once; what is revoked is dead at once; also when many ask at the same moment."""

import asyncio
from datetime import timedelta

import pytest
from catalogue_host import GLUCOSE, REDIRECT, WEIGHT, WEIGHT_SCOPE, ListedPatients, Somebody, patient, purpose_for

from app_catalog import (
    Status,
    change_status,
    connected_apps,
    grant_of_token,
    on_password_changed,
    revoke_pairing,
    sweep,
    tell_moves,
    withdraw_purpose,
)


async def grant_of(host, token):
    async with host.pool.connection() as connection:
        return await grant_of_token(connection, token, host.now())


async def refusal(host, token):
    return (await grant_of(host, token)).refusal


async def move(host, app, status):
    async with host.pool.connection() as connection:
        await change_status(
            connection,
            app.app_id,
            status,
            person=app.reviewer,
            journal=host.journal,
            now=host.now(),
            reason="a test",
        )
        await tell_moves(connection, host.journal, host.data_plane, ListedPatients(), host.now())


# ---- codes ----------------------------------------------------------------------------------------------------------


async def test_of_eight_parallel_redemptions_exactly_one_wins_and_the_replays_end_its_tokens(host):
    app = await host.approved()
    code, verifier = await app.code(patient())
    responses = await asyncio.gather(*(app.redeem(code, verifier) for _ in range(8)))
    won = [response for response in responses if response.status_code == 200]
    assert len(won) == 1
    assert {response.json()["error"] for response in responses if response not in won} == {"invalid_grant"}
    assert await refusal(host, won[0].json()["access_token"]) == "grant revoked"
    assert (await app.refresh(won[0].json()["refresh_token"])).json()["error"] == "invalid_grant"
    assert len(host.data_plane.ended) == 1


async def test_a_code_that_is_replayed_ends_what_it_gave(host):
    app, ana = await host.approved(), patient()
    code, verifier = await app.code(ana)
    token = (await app.redeem(code, verifier)).json()
    assert (await app.redeem(code, verifier)).json()["error"] == "invalid_grant"
    assert await refusal(host, token["access_token"]) == "grant revoked"
    replayed = [event for event in host.journal.events if event.name == "oauth:code:replay"]
    assert [(event.outcome, event.subject) for event in replayed] == [("deny", ana.subject)]


async def test_a_replay_by_who_cannot_prove_anything_ends_nothing(host):
    app, other = await host.approved(), await host.approved()
    code, verifier = await app.code(patient())
    token = (await app.redeem(code, verifier)).json()
    assert (await app.redeem(code, "a" * 43)).status_code == 400
    assert (await other.redeem(code, verifier)).status_code == 400
    assert (await app.redeem(code, verifier, redirect_uri=REDIRECT + "x")).status_code == 400
    assert await refusal(host, token["access_token"]) is None


async def test_one_consent_form_gives_one_code(host):
    app, ana = await host.approved(), patient()
    parameters, _ = app.authorization()
    from catalogue_host import hidden

    async with host.browser(ana) as browser:
        page = await browser.get("/oauth/authorize", params=parameters)
        form = {
            "request": hidden(page.text, "request"),
            "csrf_token": ana.csrf_token,
            "purpose": ["weight"],
            "decision": "approve",
        }
        responses = await asyncio.gather(*(browser.post("/oauth/consent", data=form) for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [303, 400, 400, 400]


# ---- refresh tokens -------------------------------------------------------------------------------------------------


async def test_parallel_refreshes_of_a_public_client_give_one_successor(host):
    app = await host.approved()
    token = await app.tokens(patient())
    responses = await asyncio.gather(*(app.refresh(token["refresh_token"]) for _ in range(8)))
    assert {response.status_code for response in responses} == {200}
    assert len({(r.json()["access_token"], r.json()["refresh_token"]) for r in responses}) == 1
    assert await refusal(host, responses[0].json()["access_token"]) is None


async def test_who_lost_the_answer_gets_the_same_one_again_for_a_minute(host):
    app = await host.approved()
    token = await app.tokens(patient())
    first = (await app.refresh(token["refresh_token"])).json()
    host.offset = timedelta(seconds=55)
    second = (await app.refresh(token["refresh_token"])).json()
    assert (second["access_token"], second["refresh_token"]) == (first["access_token"], first["refresh_token"])
    assert second["expires_in"] < first["expires_in"]
    assert second["scope"] == first["scope"]
    assert second["patient"] == first["patient"]
    assert (await app.refresh(second["refresh_token"])).status_code == 200


async def test_a_repetition_that_asks_for_something_else_is_refused_and_ends_nothing(host):
    app = await host.approved()
    token = await app.tokens(patient())
    first = (await app.refresh(token["refresh_token"])).json()
    other = await app.refresh(token["refresh_token"], scope=WEIGHT_SCOPE)
    assert other.json()["error"] == "invalid_grant"
    assert await refusal(host, first["access_token"]) is None


async def test_a_refresh_token_used_again_after_the_grace_ends_the_family(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana)
    first = (await app.refresh(token["refresh_token"])).json()
    host.offset = timedelta(seconds=61)
    assert (await app.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"
    assert await refusal(host, first["access_token"]) == "grant revoked"
    assert (await app.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert "oauth:token:replay" in host.journal.names()
    assert [ended.subject for ended in host.data_plane.ended] == [ana.subject]


async def test_after_the_grace_nothing_of_the_answer_is_kept(host, owner_url):
    import psycopg

    app = await host.approved()
    token = await app.tokens(patient())
    await app.refresh(token["refresh_token"])
    async with host.pool.connection() as connection:
        await sweep(connection, host.now())
        with psycopg.connect(owner_url) as owner:
            assert owner.execute("SELECT count(sealed) FROM catalogue.token").fetchone() == (1,)
        await sweep(connection, host.now() + timedelta(seconds=61))
        with psycopg.connect(owner_url) as owner:
            assert owner.execute("SELECT count(sealed) FROM catalogue.token").fetchone() == (0,)


async def test_a_refresh_may_narrow_and_the_next_one_widens_back(host):
    app = await host.approved()
    token = await app.tokens(patient())
    narrowed = (await app.refresh(token["refresh_token"], scope=WEIGHT_SCOPE)).json()
    assert narrowed["scope"] == WEIGHT_SCOPE
    grant = await grant_of(host, narrowed["access_token"])
    assert purpose_for(grant, "r", GLUCOSE) is None
    assert purpose_for(grant, "r", WEIGHT)
    widened = (await app.refresh(narrowed["refresh_token"])).json()
    assert widened["scope"] == token["scope"]


async def test_a_refresh_never_widens_what_was_granted(host):
    app = await host.approved()
    token = await app.tokens(patient(), scope=f"offline_access {WEIGHT_SCOPE}")
    for scope in ("patient/*.rs", "patient/Observation.rs", "launch/patient", "nonsense", "user/*.cruds", '"', "é"):
        assert (await app.refresh(token["refresh_token"], scope=scope)).json()["error"] == "invalid_scope"
    assert (await app.refresh(token["refresh_token"])).status_code == 200


async def test_a_refresh_token_belongs_to_its_client(host):
    app, other = await host.approved("smart-secret"), await host.approved("smart-secret")
    token = await app.tokens(patient())
    assert (await other.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.refresh(token["access_token"])).json()["error"] == "invalid_grant"
    assert (await app.refresh(token["refresh_token"])).status_code == 200


async def test_an_app_that_is_used_keeps_its_refresh_token_for_a_year(host):
    app = await host.approved("smart-secret")
    token = await app.tokens(patient())
    for day in range(20, 361, 20):
        host.offset = timedelta(days=day)
        assert (await app.refresh(token["refresh_token"])).status_code == 200
    host.offset = timedelta(days=366)
    assert (await app.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"


async def test_an_access_token_expires(host):
    app = await host.approved()
    token = await app.tokens(patient())
    host.offset = timedelta(seconds=token["expires_in"] - 5)
    assert await refusal(host, token["access_token"]) is None
    host.offset = timedelta(seconds=token["expires_in"] + 5)
    assert await refusal(host, token["access_token"]) == "token expired"


# ---- what ends it ---------------------------------------------------------------------------------------------------


async def test_disconnecting_kills_tokens_grants_and_consents_at_once(host):
    app, ana = await host.approved(), patient()
    token, second = await app.tokens(ana), await app.tokens(ana)
    async with host.pool.connection() as connection:
        await revoke_pairing(connection, ana.subject, app.app_id, ana, host.journal, host.data_plane)
        assert await connected_apps(connection, ana.subject) == []
    assert await refusal(host, token["access_token"]) == "grant revoked"
    assert (await grant_of(host, second["access_token"])).scopes == ()
    assert (await app.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"
    assert len(host.data_plane.ended) == 2
    assert host.journal.names()[-1] == "consent:app:unpair"


async def test_a_refresh_at_the_moment_of_disconnecting_leaves_nothing_alive(host):
    app, ana = await host.approved(), patient()
    for _ in range(10):
        token = await app.tokens(ana)

        async def disconnect():
            async with host.pool.connection() as connection:
                await revoke_pairing(connection, ana.subject, app.app_id, ana, host.journal, host.data_plane)

        refreshed, _, code = await asyncio.gather(
            app.refresh(token["refresh_token"]), disconnect(), app.refresh(token["refresh_token"])
        )
        for response in (refreshed, code):
            if response.status_code == 200:
                assert await refusal(host, response.json()["access_token"]) == "grant revoked"


async def test_a_purpose_taken_back_closes_its_data_and_the_last_one_disconnects(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana)
    async with host.pool.connection() as connection:
        options = (ana, host.journal, host.data_plane)
        assert not await withdraw_purpose(connection, ana.subject, app.app_id, "glucose", *options)
        grant = await grant_of(host, token["access_token"])
        assert grant.refusal is None
        assert purpose_for(grant, "r", GLUCOSE) is None
        assert purpose_for(grant, "r", WEIGHT)
        refreshed = (await app.refresh(token["refresh_token"])).json()
        assert refreshed["scope"] == f"launch/patient offline_access {WEIGHT_SCOPE}"
        assert await withdraw_purpose(connection, ana.subject, app.app_id, "weight", *options)
    assert await refusal(host, token["access_token"]) == "grant revoked"
    assert host.journal.names()[-2:] == ["consent:purpose:withdraw", "consent:app:unpair"]


async def test_unticking_a_purpose_on_the_consent_page_takes_it_back(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana)
    await app.tokens(ana, ["weight"])
    grant = await grant_of(host, token["access_token"])
    assert purpose_for(grant, "r", GLUCOSE) is None


async def test_a_suspended_app_stops_at_once_and_goes_on_when_resumed(host):
    app, ana = await host.approved("smart-secret"), patient()
    token = await app.tokens(ana)
    code, verifier = await app.code(ana)
    await move(host, app, Status.SUSPENDED)
    assert await refusal(host, token["access_token"]) == "app suspended"
    assert purpose_for(await grant_of(host, token["access_token"]), "r", WEIGHT) is None
    assert (await app.refresh(token["refresh_token"])).json()["error"] == "unauthorized_client"
    assert (await app.redeem(code, verifier)).json()["error"] == "unauthorized_client"
    refused = [event for event in host.journal.events if event.name == "oauth:token:refuse"]
    assert [(event.subject, event.outcome) for event in refused] == [(ana.subject, "deny")] * 2
    assert "catalogue:app:suspend" in host.journal.names()
    parameters, _ = app.authorization()
    async with host.browser(ana) as browser:
        page = await browser.get("/oauth/authorize", params=parameters)
    assert "error=unauthorized_client" in page.headers["location"]
    await move(host, app, Status.ONLINE)
    assert await refusal(host, token["access_token"]) is None
    assert (await app.refresh(token["refresh_token"])).status_code == 200


async def test_a_patient_can_disconnect_a_suspended_app(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana)
    await move(host, app, Status.SUSPENDED)
    async with host.pool.connection() as connection:
        assert len(await connected_apps(connection, ana.subject)) == 1
        await revoke_pairing(connection, ana.subject, app.app_id, ana, host.journal, host.data_plane)
    await move(host, app, Status.ONLINE)
    assert await refusal(host, token["access_token"]) == "grant revoked"


async def test_an_app_that_leaves_the_catalogue_loses_every_patient(host):
    app, ana, ben = await host.approved(), patient(), patient()
    tokens = [await app.tokens(ana), await app.tokens(ben)]
    await move(host, app, Status.DEREFERENCED)
    assert {ended.subject for ended in host.data_plane.ended} == {ana.subject, ben.subject}
    async with host.pool.connection() as connection:
        assert await connected_apps(connection, ana.subject) == []
    assert await refusal(host, tokens[0]["access_token"]) == "app dereferenced"
    parameters, _ = app.authorization()
    async with host.browser(ana) as browser:
        assert (await browser.get("/oauth/authorize", params=parameters)).status_code == 400


async def test_an_offline_app_keeps_its_patients_and_takes_no_new_ones(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana)
    await move(host, app, Status.OFFLINE)
    assert await refusal(host, token["access_token"]) is None
    parameters, _ = app.authorization()
    async with host.browser(patient()) as browser:
        page = await browser.get("/oauth/authorize", params=parameters)
    assert "error=unauthorized_client" in page.headers["location"]


async def test_a_changed_password_ends_every_grant_and_no_consent(host):
    app, ana, ben = await host.approved(), patient(), patient()
    token, other = await app.tokens(ana), await app.tokens(ben)
    async with host.pool.connection() as connection:
        assert await on_password_changed(connection, ana.id, host.journal, host.data_plane) == 1
        assert len(await connected_apps(connection, ana.subject)) == 1
    assert await refusal(host, token["access_token"]) == "grant revoked"
    assert await refusal(host, other["access_token"]) is None
    assert (await app.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"
    assert host.journal.names()[-1] == "oauth:grant:revoke"


# ---- the revocation endpoint ----------------------------------------------------------------------------------------


async def revoke(app, token, **changes):
    form = {"token": token, "client_id": None if app.secret else app.client_id, **changes}
    return await app.post("/oauth/revoke", form)


async def test_giving_back_a_refresh_token_ends_its_grant(host):
    app = await host.approved()
    token = await app.tokens(patient())
    response = await revoke(app, token["refresh_token"], token_type_hint="something")
    assert response.status_code == 200
    assert await refusal(host, token["access_token"]) == "grant revoked"
    assert (await revoke(app, token["refresh_token"])).status_code == 200
    assert host.journal.names()[-1] == "oauth:grant:revoke"


async def test_giving_back_an_access_token_leaves_the_rest(host):
    app = await host.approved("smart-secret")
    token = await app.tokens(patient())
    assert (await revoke(app, token["access_token"])).status_code == 200
    assert await refusal(host, token["access_token"]) == "token revoked"
    assert (await app.refresh(token["refresh_token"])).status_code == 200


async def test_a_client_gives_back_only_its_own_tokens(host):
    app, other = await host.approved("smart-secret"), await host.approved("smart-secret")
    token = await app.tokens(patient())
    assert (await revoke(other, token["access_token"])).json()["error"] == "invalid_grant"
    assert (await revoke(app, "unknown")).status_code == 200
    assert (await revoke(app, None)).json()["error"] == "invalid_request"
    app.secret = "wrong"
    assert (await revoke(app, token["access_token"])).status_code == 401
    assert await refusal(host, token["access_token"]) is None


async def test_a_token_that_never_was_has_no_grant(host):
    async with host.pool.connection() as connection:
        for token in ("unknown", "", "é", "a" * 5000, "\0"):
            assert await grant_of_token(connection, token, host.now()) is None
    assert Somebody("vendor").subject is None


@pytest.mark.parametrize(("profile", "idle"), [("smart-public", 30), ("smart-secret", 91)])
async def test_a_refresh_token_that_is_not_used_ends_when_its_profile_says_so(host, profile, idle):
    app = await host.approved(profile)
    early, late = await app.tokens(patient()), await app.tokens(patient())
    host.offset = timedelta(days=idle, minutes=-5)
    assert (await app.refresh(early["refresh_token"])).status_code == 200
    host.offset = timedelta(days=idle, minutes=5)
    assert (await app.refresh(late["refresh_token"])).json()["error"] == "invalid_grant"
