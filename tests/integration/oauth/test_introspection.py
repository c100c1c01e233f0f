"""What a token is worth, told to its client and to whoever holds a token."""

from datetime import timedelta

from catalogue_host import FHIR, ISSUER, WEIGHT_SCOPE, Host, patient

from app_catalog import Rates, revoke_pairing


async def introspect(app, token, **options):
    return await app.post("/oauth/introspect", {"token": token}, **options)


async def test_a_client_with_a_secret_learns_about_its_own_tokens(host):
    app = await host.approved("smart-secret")
    token = await app.tokens(patient(), ["weight"])
    about = (await introspect(app, token["access_token"])).json()
    assert about.pop("exp") - about.pop("iat") == token["expires_in"] == 600
    assert about == {
        "active": True,
        "iss": ISSUER,
        "aud": FHIR,
        "client_id": app.client_id,
        "scope": f"launch/patient offline_access {WEIGHT_SCOPE}",
        "token_type": "Bearer",
        "patient": token["patient"],
        "need_patient_banner": True,
    }
    refresh = (await introspect(app, token["refresh_token"])).json()
    assert refresh["active"]
    assert "token_type" not in refresh


async def test_of_a_dead_or_foreign_token_only_is_said_that_it_is_not_active(host):
    app, other, ana = await host.approved("smart-secret"), await host.approved("smart-secret"), patient()
    token = await app.tokens(ana)
    dead = {"active": False}
    assert (await introspect(other, token["access_token"])).json() == dead
    assert (await introspect(app, "unknown")).json() == dead
    host.offset = timedelta(seconds=601)
    assert (await introspect(app, token["access_token"])).json() == dead
    host.offset = timedelta()
    async with host.pool.connection() as connection:
        await revoke_pairing(connection, ana.subject, app.app_id, ana, host.journal, host.data_plane)
    assert (await introspect(app, token["access_token"])).json() == dead
    assert (await introspect(app, token["refresh_token"])).json() == dead


async def test_a_bearer_of_a_working_token_may_ask_about_any_token(host):
    app, other = await host.approved(), await host.approved("smart-secret")
    asking, asked = await app.tokens(patient()), await other.tokens(patient())
    bearer = {"headers": {"authorization": f"Bearer {asking['access_token']}"}, "auth": None}
    assert (await introspect(app, asked["access_token"], **bearer)).json()["client_id"] == other.client_id
    assert (await introspect(app, "unknown", **bearer)).json() == {"active": False}
    wrong = {"headers": {"authorization": f"Bearer {asking['refresh_token']}"}, "auth": None}
    response = await introspect(app, asked["access_token"], **wrong)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


async def test_a_client_without_a_secret_learns_nothing(host):
    app = await host.approved()
    token = await app.tokens(patient())
    response = await app.post("/oauth/introspect", {"token": token["access_token"], "client_id": app.client_id})
    assert response.status_code == 401
    assert (await app.post("/oauth/introspect", {"token": token["access_token"]})).status_code == 401


async def test_a_client_that_is_served_often_enough_is_told_when_to_come_again(app_pool):
    host = Host(app_pool, rates=Rates(0.1))
    app = await host.approved("smart-secret")
    token = await app.tokens(patient())  # one of the one that there is room for
    late = await app.refresh(token["refresh_token"])
    assert (late.status_code, late.json()) == (429, {"error": "temporarily_unavailable"})
    assert 0 < int(late.headers["retry-after"]) <= 10
    assert (await app.post("/oauth/introspect", {"token": token["access_token"]})).json()["active"]
    bearer = {"authorization": f"Bearer {token['access_token']}"}
    again = await app.post("/oauth/introspect", {"token": token["access_token"]}, auth=None, headers=bearer)
    assert again.status_code == 429
    host.offset = timedelta(seconds=11)
    assert (await app.refresh(token["refresh_token"])).status_code == 200
    for _ in range(3):  # what fails costs nobody anything
        assert (await app.post("/oauth/introspect", {"token": "x"}, auth=(app.client_id, "wrong"))).status_code == 401
    assert (await app.post("/oauth/introspect", {"token": "x"})).status_code == 200
