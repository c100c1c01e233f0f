"""OpenID Connect: who signed in, told by a token that anyone can check, with keys that change."""

from datetime import UTC, datetime, timedelta

import pytest
from catalogue_host import ALL_SCOPES, FHIR, ISSUER, REDIRECT, Host, patient, query_of
from joserfc import jwt
from joserfc.jwk import KeySet

from app_catalog import SignIn, keep_signing_keys, smart_configuration
from app_catalog.oauth.at_rest import Closed
from app_catalog.oauth.signing_keys import KEY_LIFE, PUBLISHED_BEFORE, signing_key

KEY = bytes(range(32))
SCOPES = f"openid fhirUser {ALL_SCOPES}"
SIGNED_IN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


@pytest.fixture
def host(app_pool):
    sign_in = SignIn(b"a session", SIGNED_IN, SIGNED_IN + timedelta(hours=12))
    return Host(app_pool, master_key=KEY, session=lambda _request: sign_in)


async def keys(host):
    async with host.browser() as client:
        response = await client.get("/oauth/jwks", headers={"origin": "https://any.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "max-age=3600" in response.headers["cache-control"]
    return response.json()


async def read(host, token, algorithm):
    return jwt.decode(token, KeySet.import_key_set(await keys(host)), algorithms=[algorithm])


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_an_id_token_says_who_signed_in_to_this_app_only(host, algorithm):
    app, other = [await host.approved(id_token_signed_response_alg=algorithm) for _ in range(2)]
    ana = patient()
    nonce = "n" * 64
    answer = await app.tokens(ana, scope=SCOPES, nonce=nonce)
    token = await read(host, answer["id_token"], algorithm)
    claims = token.claims
    assert token.header["typ"] == "JWT"
    assert claims.pop("exp") - claims.pop("iat") == 600
    assert claims.pop("at_hash")
    assert claims == {
        "iss": ISSUER,
        "sub": answer["patient"],
        "aud": app.client_id,
        "auth_time": int(SIGNED_IN.timestamp()),
        "nonce": nonce,
        "fhirUser": f"{FHIR}/Patient/{answer['patient']}",
    }
    elsewhere = await read(host, (await other.tokens(ana, scope=SCOPES))["id_token"], algorithm)
    assert elsewhere.claims["sub"] != claims["sub"]
    assert str(ana.subject) not in str(elsewhere.claims) + str(claims)


async def test_there_is_no_id_token_without_openid_nor_after_a_refresh(host):
    app = await host.approved()
    assert "id_token" not in await app.tokens(patient())
    answer = await app.tokens(patient(), scope=f"openid {ALL_SCOPES}")
    assert "fhirUser" not in (await read(host, answer["id_token"], "RS256")).claims
    refreshed = (await app.refresh(answer["refresh_token"])).json()
    assert "id_token" not in refreshed
    assert refreshed["need_patient_banner"] is True


async def test_introspection_repeats_context_and_claims(host):
    app = await host.approved("smart-secret")
    answer = await app.tokens(patient(), scope=SCOPES)
    about = (await app.post("/oauth/introspect", {"token": answer["access_token"]})).json()
    claims = (await read(host, answer["id_token"], "RS256")).claims
    for name in ("iss", "sub", "fhirUser"):
        assert about[name] == claims[name]
    for name in ("patient", "need_patient_banner", "scope"):
        assert about[name] == answer[name]


async def test_discovery_says_what_clients_of_openid_connect_look_for(host):
    async with host.browser() as client:
        document = (await client.get("/.well-known/openid-configuration")).json()
        assert document == (await client.get("/.well-known/oauth-authorization-server")).json()
    assert document["issuer"] == ISSUER
    assert document["jwks_uri"] == f"{ISSUER}/oauth/jwks"
    assert document["subject_types_supported"] == ["pairwise"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    assert {"openid", "fhirUser", "launch", "online_access"} <= set(document["scopes_supported"])
    smart = smart_configuration(host.wiring)
    assert "sso-openid-connect" in smart["capabilities"]
    assert (smart["issuer"], smart["jwks_uri"]) == (document["issuer"], document["jwks_uri"])


async def test_published_keys_are_bare_public_and_of_both_kinds(host):
    found = (await keys(host))["keys"]
    assert {key["kty"] for key in found} == {"RSA", "EC"}
    assert not [key for key in found if {"d", "p", "q", "x5c", "x5u"} & set(key)]


async def test_a_key_is_published_before_it_signs_and_until_its_last_token_ended(host):
    begun = datetime.now(UTC)

    async def signer(now):
        async with host.pool.connection() as connection:
            await keep_signing_keys(connection, KEY, now)
            return (await signing_key(connection, "ES256", KEY, now)).id

    async def published(now):
        host.offset = now - datetime.now(UTC)
        return {key["kid"] for key in (await keys(host))["keys"] if key["alg"] == "ES256"}

    first, due = await signer(begun), begun + KEY_LIFE - PUBLISHED_BEFORE
    assert await published(due - timedelta(hours=1)) == {first}
    assert await signer(due) == first
    waiting = await published(due) - {first}
    replaced = due + PUBLISHED_BEFORE
    second = await signer(replaced)
    assert {second} == waiting
    assert first in await published(replaced + timedelta(minutes=10))
    assert await published(replaced + timedelta(minutes=20)) == {second}


async def test_private_keys_are_sealed_and_forgotten_once_they_sign_no_more(host):
    now = datetime.now(UTC)
    async with host.pool.connection() as connection:

        async def kept():
            rows = await connection.execute("SELECT sealed FROM catalogue.signing_key WHERE signs_from <= %s", (now,))
            return [row.sealed for row in await rows.fetchall()]

        await keep_signing_keys(connection, KEY, now)
        assert all(await kept())
        with pytest.raises(Closed):
            await signing_key(connection, "RS256", bytes(32), now)
        await keep_signing_keys(connection, KEY, now + KEY_LIFE)
        assert all(await kept())
        await keep_signing_keys(connection, KEY, now + KEY_LIFE + PUBLISHED_BEFORE + timedelta(minutes=6))
        assert await kept() == [None, None]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"prompt": "none"}, "consent_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "login"}, "login_required"),
        ({"max_age": "60"}, "login_required"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"nonce": "n" * 501}, "invalid_request"),
        ({"launch": "unknown"}, "invalid_request"),
    ],
)
async def test_what_cannot_be_followed_is_an_error_to_the_client(host, changes, error):
    app = await host.approved()
    parameters, _ = app.authorization(scope=SCOPES, **changes)
    async with host.browser(patient()) as browser:
        response = await browser.get("/oauth/authorize", params=parameters)
    assert response.headers["location"].startswith(REDIRECT)
    assert query_of(response)["error"] == error


async def test_who_is_not_signed_in_is_not_asked_to_when_no_page_is_wanted(host):
    app = await host.approved()
    parameters, _ = app.authorization(scope=SCOPES, prompt="none")
    async with host.browser() as browser:
        response = await browser.get("/oauth/authorize", params=parameters)
    assert query_of(response)["error"] == "login_required"
