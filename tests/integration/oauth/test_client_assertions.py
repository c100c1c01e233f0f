"""Clients that sign who they are (RFC 7523, SMART 2.2 "Asymmetric client authentication")."""

import asyncio
import logging
import time
from datetime import timedelta

import pytest
from catalogue_host import ISSUER, patient, query_of
from client_keys import TYPE, Signer, sign
from joserfc.jwk import OctKey

from app_catalog import sweep


async def signing(host, alg="ES384", profile="smart-asym"):
    signer = Signer(alg)
    app = await host.known_by(profile, signer.metadata)
    app.proof = lambda: signer.form(app.client_id)
    return app, signer


async def pushed(app, **changes):
    """Parameters of an authorization request that was pushed, and its verifier."""
    parameters, verifier = app.authorization(**changes)
    response = await app.post("/oauth/par", parameters)
    assert response.status_code == 201, response.text
    return {"client_id": app.client_id, "request_uri": response.json()["request_uri"]}, verifier


async def code_by_push(app, person):
    """What the app gets when its patient agrees to a request that it pushed."""
    from catalogue_host import hidden

    parameters, verifier = await pushed(app)
    async with app.host.browser(person) as browser:
        page = await browser.get("/oauth/authorize", params=parameters)
        form = {"request": hidden(page.text, "request"), "csrf_token": hidden(page.text, "csrf_token"),
                "purpose": ["weight", "glucose"], "decision": "approve"}  # fmt: skip
        return query_of(await browser.post("/oauth/consent", data=form))["code"], verifier


@pytest.mark.parametrize(
    ("profile", "alg"), [("smart-asym", "RS384"), ("smart-asym", "ES384"), ("hddt", "PS256"), ("hddt", "ES256")]
)
async def test_a_client_that_signs_gets_refreshes_introspects_and_revokes(host, profile, alg):
    app, _ = await signing(host, alg, profile)
    code, verifier = await code_by_push(app, patient())
    token = (await app.redeem(code, verifier, client_id=None)).json()
    assert token["token_type"] == "Bearer"
    assert ("sub" in token) is (profile == "hddt")
    refreshed = (await app.refresh(token["refresh_token"], client_id=None)).json()
    assert ("refresh_token" in refreshed) is (profile == "hddt")
    about = (await app.post("/oauth/introspect", {"token": refreshed["access_token"]})).json()
    assert about["active"]
    assert "cnf" not in about
    assert (await app.post("/oauth/revoke", {"token": token["access_token"]})).status_code == 200


async def test_every_flaw_of_an_assertion_is_an_invalid_client(host):
    app, signer = await signing(host)
    other = Signer("ES384", kid=signer.kid)
    code, verifier = await app.code(patient())
    now, me = int(time.time()), app.client_id
    rs = Signer("RS384", kid=signer.kid)
    hmac_key = OctKey.import_key("s" * 48)
    flaws = [
        signer.form(me, exp=now - 1),
        signer.form(me, exp=now + 900),
        signer.form(me, exp=None),
        signer.form(me, exp="soon"),
        signer.form(me, exp=True),
        signer.form(me, nbf=now + 60),
        signer.form(me, iat=now + 60),
        signer.form(me, jti=None),
        signer.form(me, jti=""),
        signer.form(me, jti=5),
        signer.form(me, aud="https://other.example/oauth/token"),
        signer.form(me, aud=[f"{ISSUER}/oauth/token", "https://other.example"]),
        signer.form(me, aud=None),
        signer.form(me, iss="other"),
        signer.form(me, sub=None),
        signer.form(me, {"kid": "unknown"}),
        signer.form(me, {"kid": None}),
        signer.form(me, {"typ": "at+jwt"}),
        signer.form(me, {"jku": "https://evil.example/keys"}),
        other.form(me),
        rs.form(me),
        Signer("ES256", kid=signer.kid).form(me),
        {"client_assertion_type": TYPE, "client_assertion": sign(
            {"alg": "HS384", "kid": signer.kid}, {"iss": me, "sub": me, "aud": ISSUER, "exp": now + 60, "jti": "1"},
            hmac_key)},
        *({"client_assertion_type": TYPE, "client_assertion": text}
          for text in ("x", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "W10.W10.x", '"', "é", "a" * 9000)),
        {"client_assertion_type": "urn:x", "client_assertion": signer.assertion(me)},
        {"client_assertion": signer.assertion(me)},
        {"client_assertion_type": TYPE},
        {},
    ]  # fmt: skip
    for flaw in flaws:
        app.proof = lambda flaw=flaw: flaw
        response = await app.redeem(code, verifier)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client"), flaw
    app.proof = lambda: signer.form(me)
    assert (await app.redeem(code, verifier, client_secret="x")).json()["error"] == "invalid_request"
    assert (await app.redeem(code, verifier, client_id="other")).json()["error"] == "invalid_client"
    assert (await app.redeem(code, verifier)).status_code == 200, "what was wrong burnt nothing"


async def test_an_assertion_is_taken_once_also_when_it_comes_eight_times_at_once(host):
    app, signer = await signing(host)
    token = await app.tokens(patient())
    same = signer.form(app.client_id, aud=ISSUER)
    app.proof = lambda: same
    answers = await asyncio.gather(*(app.refresh(token["refresh_token"]) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    async with host.pool.connection() as connection:
        await sweep(connection, host.now())
        assert (await app.refresh(token["refresh_token"])).status_code == 401, "not forgotten before it expires"


async def test_a_client_of_one_profile_cannot_use_the_algorithm_of_the_other(host):
    app, signer = await signing(host, "ES256", "hddt")
    app.proof = lambda: Signer("ES384", kid=signer.kid).form(app.client_id)
    assert (await app.post("/oauth/par", app.authorization()[0])).json()["error"] == "invalid_client"


async def test_keys_change_at_once_when_their_vendor_says_so(host):
    app, signer = await signing(host)
    new = Signer("ES384")
    async with host.browser(app.vendor) as browser:
        path = f"/catalogue/vendor/apps/{app.app_id}/client"
        assert signer.kid in (await browser.get(path)).text
        import json

        form = {"csrf_token": app.vendor.csrf_token, "token_endpoint_auth_method": "private_key_jwt"}
        for wrong in ("{", "[]", '{"keys": []}', json.dumps({"keys": [dict(new.key.as_dict(private=True))]})):
            page = await browser.post(path, data=form | {"jwks": wrong})
            assert page.status_code == 422, wrong
            assert "/jwks" in page.text
        changed = await browser.post(path, data=form | {"jwks": json.dumps(new.jwks)})
        assert changed.status_code == 303
        page = await browser.get(path)
        assert new.kid in page.text
        assert signer.kid not in page.text
    async with host.pool.connection() as connection:
        find = "SELECT application_id FROM catalogue.app WHERE id = %s"
        (row,) = await (await connection.execute(find, (app.app_id,))).fetchall()
    async with host.browser(app.reviewer) as reviewer:
        dossier = await reviewer.get(f"/catalogue/review/applications/{row.application_id}")
    assert "keys or certificate of the client changed" in dossier.text
    assert any("keys or certificate changed" in subject for _, subject, _ in host.mail.sent)
    code, verifier = await code_by_new(app, new)
    app.proof = lambda: signer.form(app.client_id)
    assert (await app.redeem(code, verifier)).status_code == 401
    app.proof = lambda: new.form(app.client_id)
    assert (await app.redeem(code, verifier)).status_code == 200
    assert host.journal.names().count("catalogue:credentials:set") == 2


async def code_by_new(app, signer):
    app.proof = lambda: signer.form(app.client_id)
    return await app.code(patient())


async def test_only_the_vendor_sees_and_changes_the_client(host):
    from catalogue_host import Somebody

    app, _ = await signing(host)
    path = f"/catalogue/vendor/apps/{app.app_id}/client"
    other = Somebody("vendor")
    async with host.browser(other) as browser:
        assert (await browser.get(path)).status_code == 403
        assert (await browser.post(path, data={"csrf_token": other.csrf_token})).status_code == 403
    async with host.browser(app.vendor) as browser:
        assert (await browser.post(path, data={"csrf_token": "wrong"})).status_code == 403


async def test_no_assertion_is_logged_at_any_level(host, caplog):
    caplog.set_level(logging.DEBUG)
    app, signer = await signing(host)
    sent = []

    def proof():
        sent.append(signer.form(app.client_id))
        return sent[-1]

    app.proof = proof
    token = await app.tokens(patient())
    await app.post("/oauth/par", app.authorization()[0])
    await app.redeem("wrong", "v" * 43)
    text = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    secrets = [form["client_assertion"].rpartition(".")[2] for form in sent] + [token["access_token"]]
    assert len(secrets) == 4
    assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize(("profile", "alg"), [("smart-asym", "ES384"), ("hddt", "ES256")])
async def test_codes_and_refresh_tokens_are_used_once_under_these_profiles_too(host, profile, alg):
    app, _ = await signing(host, alg, profile)  # whose assertions are good for four minutes
    code, verifier = await code_by_push(app, patient())
    redeemed = await asyncio.gather(*(app.redeem(code, verifier) for _ in range(4)))
    assert sorted(answer.status_code for answer in redeemed) == [200, 400, 400, 400]
    won = next(answer.json() for answer in redeemed if answer.status_code == 200)
    assert (await app.refresh(won["refresh_token"])).json()["error"] == "invalid_grant", "the replays ended it"

    token = (await app.redeem(*await code_by_push(app, patient()))).json()
    refreshed = await asyncio.gather(*(app.refresh(token["refresh_token"]) for _ in range(4)))
    assert {answer.status_code for answer in refreshed} == {200}
    successors = {answer.json().get("refresh_token") for answer in refreshed}
    if profile == "smart-asym":
        assert successors == {None}, "what proves itself keeps its refresh token"
        return
    assert len(successors) == 1
    host.offset = timedelta(seconds=61)
    assert (await app.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.refresh(successors.pop())).json()["error"] == "invalid_grant", "the family is dead"
