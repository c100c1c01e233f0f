"""Whatever is wrong, the answer is the standard's error, never a 500 and never a redirect to a stranger."""

import base64

from catalogue_host import FHIR, REDIRECT, Somebody, patient, query_of

STRANGE = ['"', "é", "\\", "日本", "' OR 1=1 --", "a" * 5000, "<script>", "%00", "\r\nSet-Cookie: a=b", " "]
UNTRUSTED = [
    {"client_id": "unknown"},
    {"client_id": None},
    {"redirect_uri": None},
    {"redirect_uri": "https://evil.example/callback"},
    {"redirect_uri": REDIRECT + "/"},
    {"redirect_uri": REDIRECT + "?a=b"},
    {"redirect_uri": REDIRECT.upper()},
    {"redirect_uri": "http://127.0.0.1:99999/cb"},
    {"redirect_uri": "http://127.0.0.1/other"},
    *({"client_id": text} for text in STRANGE),
    *({"redirect_uri": text} for text in STRANGE),
]
WRONG = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"aud": None}, "invalid_request"),
    ({"aud": "https://other.example/fhir"}, "invalid_request"),
    ({"aud": None, "resource": "https://other.example/fhir"}, "invalid_target"),
    ({"aud": FHIR, "resource": "https://other.example/fhir"}, "invalid_target"),
    ({"scope": None}, "invalid_scope"),
    ({"scope": "launch/patient offline_access"}, "invalid_scope"),
    ({"scope": "patient/Condition.rs"}, "invalid_scope"),
    ({"scope": "user/Observation.rs"}, "invalid_scope"),
    ({"scope": "nonsense"}, "invalid_scope"),
    ({"request": "eyJ"}, "request_not_supported"),
    ({"request_uri": "https://app.example/r"}, "request_uri_not_supported"),
    *(({"response_type": text}, "unsupported_response_type") for text in STRANGE),
    *(({"scope": text}, "invalid_scope") for text in STRANGE),
    *(({"code_challenge": text}, "invalid_request") for text in STRANGE),
    *(({"aud": text}, "invalid_request") for text in STRANGE),
]


async def asked(host, app, person=None, **changes):
    parameters, _ = app.authorization(**changes)
    async with host.browser(person or patient()) as browser:
        return await browser.get("/oauth/authorize", params=parameters)


async def test_nothing_is_sent_to_a_redirect_uri_that_is_not_the_clients(host):
    app = await host.approved()
    for changes in UNTRUSTED:
        for person in (patient(), None):
            parameters, _ = app.authorization(**changes)
            async with host.browser(person) as browser:
                response = await browser.get("/oauth/authorize", params=parameters)
            assert response.status_code == 400, changes
            assert "location" not in response.headers
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


async def test_every_other_error_goes_back_with_state_and_issuer(host):
    app = await host.approved()
    for changes, error in WRONG:
        response = await asked(host, app, **changes)
        assert response.status_code == 303, changes
        answered = query_of(response)
        assert (answered["error"], answered["state"]) == (error, "a state & more"), changes
        assert answered["iss"]
        assert answered["error_description"].isascii()


async def test_no_error_is_sent_to_the_client_before_somebody_has_signed_in(host):
    app = await host.approved()
    parameters, _ = app.authorization(response_type="token")
    async with host.browser() as browser:
        response = await browser.get("/oauth/authorize", params=parameters)
    assert response.headers["location"].startswith("/login?next=")


async def test_a_repeated_parameter_is_an_error(host):
    app = await host.approved()
    parameters, _ = app.authorization()
    async with host.browser(patient()) as browser:
        for name in ("scope", "state", "response_type", "code_challenge", "aud", "unknown"):
            pairs = [*parameters.items(), (name, parameters.get(name, "a")), (name, "other")]
            response = await browser.get("/oauth/authorize", params=pairs)
            assert query_of(response)["error"] == "invalid_request", name


async def test_a_repeated_client_or_redirect_uri_is_an_error_page(host):
    app = await host.approved()
    parameters, _ = app.authorization()
    async with host.browser(patient()) as browser:
        for name in ("client_id", "redirect_uri"):
            pairs = [*parameters.items(), (name, parameters[name])]
            response = await browser.get("/oauth/authorize", params=pairs)
            assert response.status_code == 400, name
            assert "location" not in response.headers


async def test_what_is_no_text_is_an_error_page(host):
    app = await host.approved()
    parameters, _ = app.authorization(state=None)
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    async with host.browser(patient()) as browser:
        for raw in ("client_id=%ff", "state=%00", "state=a%00b", "client_id=%ed%a0%80", "state=%1b", "a&" * 400):
            response = await browser.get(f"/oauth/authorize?{query}&{raw}")
            assert response.status_code == 400, raw
            assert "location" not in response.headers
        posted = await browser.post("/oauth/authorize", content=query, headers={"content-type": "text/plain"})
        assert posted.status_code == 400


async def test_the_state_comes_back_unchanged(host):
    app = await host.approved()
    for state in ("", " ", "é日本", 'a"b\\c', "a&b=c#d", "<b>", "%41", "a" * 2000):
        response, _ = await app.answer(patient(), ["weight"], state=state)
        assert query_of(response).get("state", "") == state
        refused, _ = await app.answer(patient(), [], "deny", state=state)
        assert query_of(refused).get("state", "") == state


async def test_who_has_no_space_cannot_connect_an_app(host):
    app = await host.approved()
    response = await asked(host, app, Somebody("professional"))
    assert query_of(response)["error"] == "access_denied"


async def test_the_pages_of_the_endpoint_can_be_neither_framed_nor_stored_nor_read_by_a_script(host):
    app = await host.approved()
    parameters, _ = app.authorization()
    async with host.browser(patient()) as browser:
        response = await browser.get("/oauth/authorize", params=parameters, headers={"origin": "https://app.example"})
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["cache-control"] == "no-store"
    assert "form-action 'self' https://app.example" in response.headers["content-security-policy"]
    assert "access-control-allow-origin" not in response.headers


# ---- the token endpoint ---------------------------------------------------------------------------------------------


async def test_every_wrong_parameter_of_a_code_exchange_has_its_error(host):
    app, other, ana = await host.approved(), await host.approved(), patient()
    code, verifier = await app.code(ana)
    cases = [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "a" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/callback"}, "invalid_grant"),
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_id": other.client_id}, "invalid_grant"),
        ({"client_secret": "a secret that a public client has not"}, "invalid_client"),
        ({"client_assertion": "eyJ", "client_assertion_type": "urn:x"}, "invalid_client"),
        ({"resource": "https://other.example"}, "invalid_target"),
        *(({"grant_type": text}, "unsupported_grant_type") for text in STRANGE),
        *(({"code": text}, "invalid_grant") for text in STRANGE),
        *(({"client_id": text}, "invalid_client") for text in STRANGE),
        *(({"redirect_uri": text}, "invalid_grant") for text in STRANGE),
    ]
    for changes, error in cases:
        response = await app.redeem(code, verifier, **changes)
        if any("\r" in (value or "") for value in changes.values()):
            assert response.status_code in {400, 401}
            continue
        assert response.json()["error"] == error, changes
        assert response.status_code == (401 if error == "invalid_client" else 400)
        assert response.headers["cache-control"] == "no-store"
        assert "error_description" not in response.json() or response.json()["error_description"].isascii()
    for grant_type in ("implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:openid:params:grant-type:ciba"):
        assert (await app.redeem(code, verifier, grant_type=grant_type)).json()["error"] == "unsupported_grant_type"
    in_the_query = await app.post(f"/oauth/token?code={code}&code_verifier={verifier}", {
        "grant_type": "authorization_code", "client_id": app.client_id})  # fmt: skip
    assert in_the_query.json()["error"] == "invalid_request", "parameters come in the body only"
    strange_verifiers = [await app.redeem(code, verifier, code_verifier=text) for text in STRANGE]
    assert all(response.status_code == 400 for response in strange_verifiers)
    ignored = {"username": "ana", "access_token": "x", "scope": "", "token": "y", "audience": ""}
    assert (await app.redeem(code, verifier, **ignored)).status_code == 200, "what was wrong burnt nothing"


FORM = "application/x-www-form-urlencoded"
BODIES = [
    (b"\xff\xfe", FORM),
    (b"grant_type=%ff", FORM),
    (b"grant_type=authorization_code&code=%00&client_id=x", FORM),
    (b"a=" + b"b" * 70_000, FORM),
    (b"&".join(b"a%d=1" % n for n in range(400)), FORM),
    (b'{"grant_type": "authorization_code"}', "application/json"),
    (b"", ""),
    (b"grant_type=refresh_token&grant_type=refresh_token&client_id=x", FORM),
]


async def test_a_body_that_is_no_form_is_an_invalid_request(host):
    async with host.browser() as client:
        for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
            for body, kind in BODIES:
                response = await client.post(path, content=body, headers={"content-type": kind} if kind else {})
                assert (response.status_code, response.json()["error"]) == (400, "invalid_request"), (path, body[:50])


OTHER_CLIENT = "Basic " + base64.b64encode('é":"'.encode()).decode()
AUTHORIZATIONS = [
    "Basic",
    "Basic ",
    "Basic !!!",
    "Basic //8=",
    "Basic " + base64.b64encode(b"no colon").decode(),
    "Basic " + base64.b64encode(b":secret").decode(),
    "Basic " + base64.b64encode(b"a%00:b").decode(),
    "Basic " + base64.b64encode(b"%ff:b").decode(),
    OTHER_CLIENT,
    "Digest username=a",
    "Bearer abc",
    "x",
]


async def test_a_malformed_authorization_header_never_falls_through_to_a_public_client(host):
    app = await host.approved()
    code, verifier = await app.code(patient())
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "client_id": app.client_id,
    }
    for header in AUTHORIZATIONS:
        response = await app.post("/oauth/token", form, headers={"authorization": header})
        if response.json()["error"] == "invalid_request":  # well-formed, and names another client than the body
            assert response.status_code == 400
            assert header == OTHER_CLIENT
        else:
            assert (response.status_code, response.json()["error"]) == (401, "invalid_client"), header
            assert response.headers["www-authenticate"].startswith("Basic ")
    assert (await app.post("/oauth/token", form)).status_code == 200


async def test_two_ways_to_authenticate_in_one_request_are_refused(host):
    app = await host.approved("smart-secret")
    code, verifier = await app.code(patient())
    response = await app.redeem(code, verifier, client_id=app.client_id, client_secret=app.secret)
    assert response.json()["error"] == "invalid_request"
    named_twice = await app.redeem(code, verifier, client_id=app.client_id)
    assert named_twice.status_code == 200


async def test_a_secret_client_without_its_secret_gets_nothing(host):
    app = await host.approved("smart-secret")
    code, verifier = await app.code(patient())
    app.secret, secret = None, app.secret
    assert (await app.redeem(code, verifier)).json()["error"] == "invalid_client"
    assert (await app.redeem(code, verifier, client_secret="wrong")).json()["error"] == "invalid_client"
    app.secret = "wrong"
    assert (await app.redeem(code, verifier)).status_code == 401
    app.secret = secret
    assert (await app.redeem(code, verifier)).status_code == 200


async def test_a_code_lives_for_a_minute(host):
    from datetime import timedelta

    app = await host.approved()
    code, verifier = await app.code(patient())
    host.offset = timedelta(seconds=61)
    assert (await app.redeem(code, verifier)).json()["error"] == "invalid_grant"


async def test_only_post_reaches_the_json_endpoints(host):
    async with host.browser() as client:
        for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/consent"):
            assert (await client.get(path)).status_code == 405
