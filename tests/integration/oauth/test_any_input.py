"""Hundreds of combinations of bad parameters: an error each time, never a failure of ours."""

import random

import pytest
from catalogue_host import ALL_SCOPES, FHIR, REDIRECT, patient

VALUES = [
    "", " ", '"', "\\", "'", "é", "日本", "\u202e", "%", "%00", "a" * 3000, "null", "[]", "{}", "0", "-1",
    "urn:ietf:params:oauth:request_uri:x", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "e30.e30.e30",
    "code", "S256", "authorization_code", "refresh_token", "Bearer", "https://evil.example", REDIRECT, FHIR, ALL_SCOPES,
    "patient/*.cruds", "patient/Observation.rs?code=%zz", "launch launch/patient", "\t", "\r\nX: y", "\x1b",
]  # fmt: skip
NAMES = [
    "response_type", "client_id", "redirect_uri", "scope", "state", "aud", "resource", "code_challenge",
    "code_challenge_method", "request", "response_mode", "grant_type", "code", "code_verifier", "refresh_token",
    "client_secret", "client_assertion", "client_assertion_type", "request_uri", "token", "token_type_hint",
    "purpose", "decision", "csrf_token", "é", "",
]  # fmt: skip
PATHS = [
    "/oauth/authorize",
    "/oauth/par",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/introspect",
    "/oauth/consent",
    "/oauth/register",
]
HEADERS = [
    {}, {"authorization": "Basic YTpi"}, {"authorization": "Basic ÿ"}, {"authorization": "Bearer x"}, {"origin": "'"},
    {"client-cert": ":AAAA:"}, {"authorization": ""},
    {"content-type": "application/x-www-form-urlencoded; charset=latin1"}, {"content-type": "x"},
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_no_combination_of_parameters_breaks_an_endpoint(host, path):
    """An exception inside the application would come out of the client here."""
    app, ana = await host.approved("smart-secret"), patient()
    good, _ = app.authorization()
    token = await app.tokens(ana)
    values = [*VALUES, app.client_id, app.secret, token["access_token"], token["refresh_token"]]
    dice = random.Random(path)
    async with host.browser(ana) as browser:
        for _ in range(100):
            base = dict(good) if dice.random() < 0.5 else {}
            pairs = [*base.items(), *((dice.choice(NAMES), dice.choice(values)) for _ in range(dice.randint(0, 5)))]
            headers = {name: value.encode("latin-1") for name, value in dice.choice(HEADERS).items()}
            if path == "/oauth/authorize" and dice.random() < 0.5:
                response = await browser.get(path, params=pairs, headers=headers)
            else:
                form: dict[str, list[str]] = {}
                for name, value in pairs:
                    form.setdefault(name, []).append(value)
                response = await browser.post(path, data=form, headers=headers)
            assert response.status_code in {200, 201, 303, 400, 401, 403}, (pairs, headers)
            if response.status_code == 303:
                assert response.headers["location"].startswith((REDIRECT, "/oauth/authorize?", "/login?"))
            elif path not in {"/oauth/authorize", "/oauth/consent"} and response.status_code not in {200, 201}:
                assert response.json()["error"]
                assert response.headers["cache-control"] == "no-store"
