"""What an app gets back from the authorization endpoint, with Authlib's client and a patient in Chromium."""

from typing import Any

import pytest
from authlib.integrations.httpx_client import OAuthError
from authlib_app import AuthlibApp
from playwright.sync_api import Page
from third_parties import Json, answer_in, decide, fill_sign_in, sign_in

pytestmark = pytest.mark.timeout(180)  # seconds; the first test waits for the demo


def test_refusing_on_the_consent_page_goes_back_to_the_app_with_access_denied_its_state_and_the_issuer(
    demo: dict[str, Any], alice: Json, page: Page, teleconsultation: AuthlibApp
) -> None:
    url, state = teleconsultation.authorize_url()
    page.goto(url)
    answer = decide(page, alice, None, redirect_uri=teleconsultation.entry["redirect_uri"])
    assert answer["error"] == "access_denied"
    assert answer["state"] == state
    assert answer["iss"] == demo["base_url"]
    assert "code" not in answer


def test_a_required_purpose_that_is_not_ticked_keeps_the_patient_on_the_page(
    alice: Json, page: Page, teleconsultation: AuthlibApp
) -> None:
    page.goto(teleconsultation.authorize_url()[0])
    fill_sign_in(page, alice)
    page.locator("[name=purpose][value=follow-glucose]").uncheck()
    page.locator("#ends-30").check()
    page.locator("[name=decision][value=approve]").click()
    page.wait_for_selector("[role=alert]")
    assert page.locator("[name=decision]").count() == 2
    assert page.locator("#ends-30").is_checked(), "the end that was chosen is kept"


@pytest.mark.parametrize(
    "changed",
    [{"redirect_uri": "http://127.0.0.1:1/callback"}, {"redirect_uri": "https://evil.example/callback"}],
    ids=["another port of a client with a secret", "another site"],
)
def test_a_redirect_uri_that_is_not_registered_is_never_followed(
    demo: dict[str, Any], alice: Json, page: Page, teleconsultation: AuthlibApp, changed: dict[str, str]
) -> None:
    sign_in(page, demo["base_url"], alice)
    answer = page.goto(teleconsultation.authorize_url(**changed)[0])
    assert answer is not None
    assert answer.status == 400
    assert page.url.startswith(demo["base_url"])
    assert page.locator("[name=decision]").count() == 0


def test_an_error_known_only_after_signing_in_still_reaches_the_app(
    alice: Json, page: Page, teleconsultation: AuthlibApp
) -> None:
    url, state = teleconsultation.authorize_url(scope="patient/Immunization.rs")
    page.goto(url)
    fill_sign_in(page, alice)
    page.wait_for_url(lambda url: url.startswith(teleconsultation.entry["redirect_uri"]))
    answer = answer_in(page.url)
    assert answer["error"] == "invalid_scope"
    assert answer["state"] == state


def test_a_code_is_worth_one_exchange_and_its_replay_ends_what_it_gave(
    alice: Json, page: Page, teleconsultation: AuthlibApp
) -> None:
    page.goto(teleconsultation.authorize_url()[0])
    answer = decide(page, alice, ("follow-glucose",), redirect_uri=teleconsultation.entry["redirect_uri"])
    teleconsultation.exchange(answer["code"])
    assert teleconsultation.get("Observation").status_code == 200
    with pytest.raises(OAuthError) as failed:
        teleconsultation.exchange(answer["code"])
    assert failed.value.error == "invalid_grant"
    assert teleconsultation.get("Observation").status_code == 401
