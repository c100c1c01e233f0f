"""What a sample app does when the gateway is honest, and when it is not."""

import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

WITHDRAWN, AWAY = "no longer gives us access", "does not answer"


def observation(number: int, value: str, **changed: Any) -> dict[str, Any]:
    """A weight as FHIR R4 has it; `value` becomes a JSON number."""
    resource = {
        "resourceType": "Observation",
        "id": f"r.{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "effectiveDateTime": f"2026-11-{number:02d}T07:31:05+01:00",
        "valueQuantity": {"value": float(value), "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }
    return {"resource": resource | changed, "search": {"mode": "match"}}


def bundle(*entries: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    links = [{"relation": "next", "url": following}] if following else []
    return {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": list(entries)}


async def press(browser: httpx2.AsyncClient, action: str) -> httpx2.Response:
    """Press the button of the form with `action` on the first page."""
    page = (await browser.get("/")).text
    form = page.partition(f'action="{action}"')[2]
    token = re.search(r'name="form_token" value="([^"]+)"', form)
    assert token, f"no form {action}"
    return await browser.post(action, data={"form_token": token[1]})


async def asked(browser: httpx2.AsyncClient) -> dict[str, str]:
    """Connect, and return the parameters of the authorization request."""
    answer = await press(browser, "/connect")
    assert answer.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def connect(browser: httpx2.AsyncClient, gateway: Any) -> str:
    """Connect, answer as the gateway would; returns the app's page."""
    state = (await asked(browser))["state"]
    answer = await browser.get("/callback", params={"code": "c", "state": state, "iss": gateway.url})
    assert answer.status_code == 303
    return (await browser.get("/")).text


async def test_the_request_names_the_fhir_server_and_has_a_fresh_state_and_s256_challenge(
    browser: httpx2.AsyncClient, gateway: Any
) -> None:
    first, second = await asked(browser), await asked(browser)
    assert first["aud"] == f"{gateway.url}/fhir"
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == "http://127.0.0.1:9/callback"
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


async def test_the_exchange_has_the_verifier_and_the_page_shows_every_page_of_the_search(
    browser: httpx2.AsyncClient, gateway: Any
) -> None:
    gateway.pages = {
        "": (200, bundle(observation(20, "72.5"), following=f"{gateway.url}/fhir/Observation?_page=2")),
        "2": (200, bundle(observation(2, "73.25"))),
    }
    page = await connect(browser, gateway)
    [exchange] = gateway.token_requests
    assert exchange["grant_type"] == "authorization_code"
    assert exchange["client_id"] == "client"
    assert len(exchange["code_verifier"]) >= 43
    assert "72.5 kg" in page
    assert "73.25 kg" in page
    assert "−0.75 kg" in page, "the change over the month"
    assert "20 Nov 2026, 07:31" in page, "the patient's own clock"


async def test_what_was_entered_in_error_is_not_shown(browser: httpx2.AsyncClient, gateway: Any) -> None:
    gateway.pages = {"": (200, bundle(observation(20, "72.5"), observation(21, "7.25", status="entered-in-error")))}
    page = await connect(browser, gateway)
    assert "72.5 kg" in page
    assert "7.25" not in page


async def test_a_portal_that_the_app_was_set_up_for_opens_it_on_its_patient(
    browser: httpx2.AsyncClient, gateway: Any
) -> None:
    await connect(browser, gateway)
    opened = await browser.get("/launch", params={"iss": f"{gateway.url}/fhir", "launch": "of today"})
    first = {name: values[0] for name, values in parse_qs(urlsplit(opened.headers["location"]).query).items()}
    assert gateway.revoked == ["again"], "what was open in this browser may be somebody else's"
    assert (first["launch"], first["aud"], first["code_challenge_method"]) == (
        "of today",
        f"{gateway.url}/fhir",
        "S256",
    )
    assert first["scope"].split()[0] == "launch"
    assert "launch/patient" not in first["scope"]
    again = await browser.get("/launch", params={"iss": f"{gateway.url}/fhir", "launch": "of today"})
    second = {name: values[0] for name, values in parse_qs(urlsplit(again.headers["location"]).query).items()}
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]
    stale = await browser.get("/callback", params={"code": "c", "state": first["state"], "iss": gateway.url})
    assert stale.status_code == 400
    gateway.token |= {"patient": "who opened it"}
    await browser.get("/callback", params={"code": "c", "state": second["state"], "iss": gateway.url})
    assert "who opened it" in (await browser.get("/")).text


@pytest.mark.parametrize(
    "sent",
    [
        "iss=https://elsewhere.example/fhir&launch=x",
        "iss={url}.evil.example/fhir&launch=x",
        "iss={url}/fhir&iss=https://elsewhere.example/fhir&launch=x",
        "iss={url}/fhir",
        "iss={url}/fhir&launch=",
        "iss={url}/fhir&launch=x&launch=y",
        "launch=x",
    ],
)
async def test_a_launch_of_another_server_or_without_a_launch_is_not_followed(
    browser: httpx2.AsyncClient, gateway: Any, sent: str
) -> None:
    answer = await browser.get("/launch?" + sent.format(url=gateway.url))
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("wrong", ["https://elsewhere.example", None])
async def test_an_answer_of_another_issuer_or_of_none_is_not_exchanged(
    browser: httpx2.AsyncClient, gateway: Any, wrong: str | None
) -> None:
    state = (await asked(browser))["state"]
    answer = await browser.get("/callback", params={"code": "c", "state": state} | ({"iss": wrong} if wrong else {}))
    assert answer.status_code == 400
    assert gateway.token_requests == []


async def test_an_answer_with_another_state_is_not_exchanged(browser: httpx2.AsyncClient, gateway: Any) -> None:
    await asked(browser)
    answer = await browser.get("/callback", params={"code": "c", "state": "guess", "iss": gateway.url})
    assert answer.status_code == 400
    assert gateway.token_requests == []


async def test_a_form_that_another_site_sends_does_nothing(browser: httpx2.AsyncClient, gateway: Any) -> None:
    await connect(browser, gateway)
    for action in ("/connect", "/disconnect"):
        answer = await browser.post(action, data={"form_token": "guess"})
        assert answer.headers["location"] == "http://127.0.0.1:9"
    assert gateway.revoked == []


@pytest.mark.parametrize(
    ("document", "changed"),
    [
        ("server", {"issuer": "https://elsewhere.example"}),
        ("server", {"token_endpoint": "https://elsewhere.example/token"}),
        ("smart", {"code_challenge_methods_supported": ["plain"]}),
        ("smart", {"capabilities": []}),
    ],
)
async def test_a_gateway_whose_documents_are_not_to_be_trusted_is_not_asked(
    browser: httpx2.AsyncClient, gateway: Any, document: str, changed: dict[str, Any]
) -> None:
    getattr(gateway, document).update(changed)
    answer = await press(browser, "/connect")
    assert answer.status_code == 503
    assert AWAY in answer.text


async def test_a_next_link_to_another_server_is_not_followed_with_our_token(
    browser: httpx2.AsyncClient, gateway: Any
) -> None:
    elsewhere = gateway.url.replace("127.0.0.1", "localhost")
    gateway.pages[""] = (200, bundle(observation(20, "72.5"), following=f"{elsewhere}/fhir/Observation?_page=2"))
    assert AWAY in await connect(browser, gateway)
    assert gateway.bearers == ["first"]


async def test_pages_that_are_linked_in_a_circle_end(browser: httpx2.AsyncClient, gateway: Any) -> None:
    gateway.pages[""] = (200, bundle(observation(20, "72.5"), following=f"{gateway.url}/fhir/Observation?_page="))
    assert "72.5 kg" in await connect(browser, gateway)
    assert len(gateway.bearers) == 20


async def test_a_token_that_is_refused_is_renewed_once_without_asking_for_scopes_again(
    browser: httpx2.AsyncClient, gateway: Any
) -> None:
    await connect(browser, gateway)
    gateway.good_tokens = {"second"}
    gateway.token = {"access_token": "second", "token_type": "Bearer", "expires_in": 600, "refresh_token": "third"}
    gateway.pages = {"": (200, bundle(observation(20, "72.5")))}
    await browser.get("/")
    renewal = gateway.token_requests[-1]
    assert renewal["grant_type"] == "refresh_token"
    assert renewal["refresh_token"] == "again"
    assert "scope" not in renewal
    await press(browser, "/disconnect")
    assert gateway.revoked == ["third"], "the token that replaced the first one"


async def test_a_token_about_to_expire_is_renewed_before_it_is_used(browser: httpx2.AsyncClient, gateway: Any) -> None:
    gateway.token |= {"expires_in": 5}
    gateway.good_tokens = {"first", "second"}
    state = (await asked(browser))["state"]
    await browser.get("/callback", params={"code": "c", "state": state, "iss": gateway.url})
    gateway.token = gateway.token | {"access_token": "second", "expires_in": 600}
    await browser.get("/")
    assert gateway.bearers == ["second"]


async def test_access_that_was_withdrawn_is_said_and_forgotten(browser: httpx2.AsyncClient, gateway: Any) -> None:
    await connect(browser, gateway)
    gateway.good_tokens, gateway.token_status = set(), 400
    gateway.token = {"error": "invalid_grant"}
    assert WITHDRAWN in (await browser.get("/")).text
    assert 'action="/connect"' in (await browser.get("/")).text


async def test_a_gateway_that_is_away_costs_no_connection(browser: httpx2.AsyncClient, gateway: Any) -> None:
    await connect(browser, gateway)
    gateway.pages[""] = (503, {"resourceType": "OperationOutcome"})
    away = await browser.get("/")
    assert away.status_code == 503
    assert AWAY in away.text
    gateway.pages[""] = (200, bundle(observation(20, "72.5")))
    assert "72.5 kg" in (await browser.get("/")).text


async def test_a_token_response_without_a_patient_is_refused(browser: httpx2.AsyncClient, gateway: Any) -> None:
    del gateway.token["patient"]
    assert "did not succeed" in await connect(browser, gateway)


async def test_measures_that_were_not_granted_are_not_asked_for(browser: httpx2.AsyncClient, gateway: Any) -> None:
    gateway.token["scope"] = "launch/patient patient/Observation.rs?code=http://loinc.org|29463-7"
    page = await connect(browser, gateway)
    assert page.count("You have not shared this measurement") == 1


async def test_no_page_may_be_framed_stored_or_leak_its_address(browser: httpx2.AsyncClient, gateway: Any) -> None:
    for path in ("/", "/callback?code=c&state=s", "/nowhere"):
        headers = (await browser.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"


async def test_another_name_of_this_machine_leads_to_the_registered_one(browser: httpx2.AsyncClient) -> None:
    answer = await browser.get("/", headers={"Host": "localhost:9"})
    assert answer.headers["location"] == "http://127.0.0.1:9"


def test_decimals_keep_their_digits() -> None:
    from device_simulators.apps.language import number, signed

    assert number(Decimal("72.40"), "fr") == "72,40"
    assert number(Decimal("5.60"), "en") == "5.60"
    assert signed(Decimal("-1.20"), "fr") == "−1,20"
