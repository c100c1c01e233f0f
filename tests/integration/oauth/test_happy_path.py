"""From the request to a token that opens what was agreed to."""

from catalogue_host import (
    ALL_SCOPES,
    FHIR,
    GLUCOSE,
    GLUCOSE_SCOPE,
    ISSUER,
    WEIGHT,
    WEIGHT_SCOPE,
    patient,
    purpose_for,
    query_of,
)

from app_catalog import connected_apps, grant_of_token


async def grant_of(host, token):
    async with host.pool.connection() as connection:
        return await grant_of_token(connection, token, host.now())


async def test_a_code_comes_back_with_state_and_issuer(host):
    app = await host.approved()
    response, _ = await app.answer(patient(), ["weight", "glucose"])
    assert response.status_code == 303
    assert response.headers["location"].startswith("https://app.example/callback?")
    answered = query_of(response)
    assert answered["state"] == "a state & more"
    assert answered["iss"] == ISSUER
    assert set(answered) == {"code", "state", "iss"}


async def test_a_code_is_redeemed_for_tokens_that_name_scope_and_patient(host):
    app, ana = await host.approved(), patient()
    response = await app.redeem(*await app.code(ana))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    token = response.json()
    assert token["token_type"] == "Bearer"
    assert 0 < token["expires_in"] <= 3600
    assert token["scope"].split() == sorted(ALL_SCOPES.split())
    assert token["refresh_token"]
    grant = await grant_of(host, token["access_token"])
    assert str(grant.pairing_id) == token["patient"]
    assert grant.subject == ana.subject
    assert grant.person == ana.id
    assert grant.client_id == app.client_id
    assert grant.refusal is None
    assert purpose_for(grant, "r", WEIGHT).key == "weight"
    assert purpose_for(grant, "c", WEIGHT) is None


async def test_a_purpose_that_was_not_ticked_opens_nothing(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana, ["weight"])
    assert token["scope"] == f"launch/patient offline_access {WEIGHT_SCOPE}"
    grant = await grant_of(host, token["access_token"])
    assert purpose_for(grant, "s", WEIGHT)
    assert purpose_for(grant, "s", GLUCOSE) is None


async def test_without_offline_access_there_is_no_refresh_token(host):
    app = await host.approved()
    token = await app.tokens(patient(), scope=f"launch/patient {WEIGHT_SCOPE}")
    assert "refresh_token" not in token


async def test_a_broad_request_is_narrowed_and_the_answer_says_so(host):
    app = await host.approved()
    token = await app.tokens(patient(), scope="patient/*.cruds user/*.read openid fhirUser something/else")
    assert token["scope"].split() == sorted([WEIGHT_SCOPE, GLUCOSE_SCOPE])
    assert token["patient"]


async def test_a_secret_client_redeems_and_refreshes_without_rotation(host):
    app = await host.approved("smart-secret")
    token = await app.tokens(patient())
    again = await app.refresh(token["refresh_token"])
    assert again.status_code == 200
    refreshed = again.json()
    assert "refresh_token" not in refreshed
    assert refreshed.pop("access_token") not in {token["access_token"], ""}
    assert refreshed == {name: token[name] for name in token if name not in {"access_token", "refresh_token"}}
    assert (refreshed["token_type"], refreshed["expires_in"]) == ("Bearer", 600)
    assert refreshed["scope"].split() == sorted(ALL_SCOPES.split())
    assert (await app.refresh(token["refresh_token"])).status_code == 200


async def test_a_client_may_send_its_secret_in_the_body(host):
    app = await host.approved("smart-secret")
    code, verifier = await app.code(patient())
    body = {"client_id": app.client_id, "client_secret": app.secret}
    app.secret, secret = None, app.secret
    response = await app.redeem(code, verifier, **body)
    assert response.status_code == 200
    assert secret not in response.text


async def test_the_redirect_uri_may_be_left_out_at_the_token_endpoint_as_oauth_2_1_says(host):
    app = await host.approved()
    code, verifier = await app.code(patient())
    assert (await app.redeem(code, verifier, redirect_uri=None)).status_code == 200


async def test_the_authorization_request_may_be_posted(host):
    app, ana = await host.approved(), patient()
    parameters, _ = app.authorization()
    async with host.browser(ana) as browser:
        page = await browser.post("/oauth/authorize", data=parameters)
    assert page.status_code == 200
    assert "Purpose weight" in page.text


async def test_who_is_not_signed_in_signs_in_first_and_comes_back(host):
    app = await host.approved()
    parameters, _ = app.authorization()
    async with host.browser() as browser:
        response = await browser.get("/oauth/authorize", params=parameters)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/login?next=/oauth/authorize?")
        posted = await browser.post("/oauth/authorize", data=parameters)
        assert posted.status_code == 303
        assert posted.headers["location"].startswith("/oauth/authorize?response_type=code")


async def test_a_native_app_may_use_any_port_of_the_loopback_address(host):
    app = await host.approved()
    response, verifier = await app.answer(patient(), ["weight"], redirect_uri="http://127.0.0.1:49152/cb")
    assert response.headers["location"].startswith("http://127.0.0.1:49152/cb?")
    code = query_of(response)["code"]
    assert (await app.redeem(code, verifier, redirect_uri="http://127.0.0.1:49152/cb")).status_code == 200


async def test_the_audience_may_be_named_as_a_resource(host):
    app = await host.approved()
    assert (await app.tokens(patient(), aud=None, resource=FHIR))["access_token"]


async def test_the_same_patient_keeps_the_pairing_id_and_another_app_gets_another(host):
    app, other, ana = await host.approved(), await host.approved(), patient()
    first, second = await app.tokens(ana), await app.tokens(ana)
    assert first["patient"] == second["patient"]
    assert (await other.tokens(ana))["patient"] != first["patient"]
    assert (await app.tokens(patient()))["patient"] != first["patient"]
    assert first["patient"] != str(ana.subject)


async def test_every_step_is_journalled_in_the_space_without_secrets(host):
    app, ana = await host.approved(), patient()
    token = await app.tokens(ana)
    refreshed = (await app.refresh(token["refresh_token"])).json()
    events = [event for event in host.journal.events if event.subject == ana.subject]
    assert [str(event.name) for event in events] == [
        "consent:purpose:give",
        "consent:purpose:give",
        "consent:app:pair",
        "oauth:code:redeem",
        "oauth:token:refresh",
    ]
    secrets = [token["access_token"], token["refresh_token"], refreshed["access_token"], refreshed["refresh_token"]]
    assert not any(secret in repr(events) for secret in secrets)
    assert {event.actor_kind for event in events} == {"patient", "app"}


async def test_a_connected_app_is_listed_with_the_purposes_agreed_to(host):
    app, ana = await host.approved(), patient()
    await app.tokens(ana, ["weight"])
    async with host.pool.connection() as connection:
        (connected,) = await connected_apps(connection, ana.subject)
        assert await connected_apps(connection, patient().subject) == []
    assert connected.app.id == app.app_id
    assert [given.purpose.key for given in connected.purposes] == ["weight"]
    assert connected.stays_connected
