"""An app's life through the pages: a vendor applies, a reviewer approves, a patient connects, a reviewer suspends."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import application_form
import pytest
import requests
from authlib.integrations.httpx_client import OAuthError
from authlib_app import AuthlibApp
from playwright.sync_api import Page
from third_parties import Json, sign_in

pytestmark = pytest.mark.timeout(180)  # seconds; the first test waits for the demo

SCOPE = "launch/patient offline_access patient/Observation.rs?code=http://loinc.org|2345-7"


class Callback(BaseHTTPRequestHandler):
    """The page of a native app that waits on a loopback port (RFC 8252 §7.3)."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  http.server's name
        """Nothing: the address has a code in it."""


@pytest.fixture
def redirect_uri() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Callback)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/callback"
    server.shutdown()
    thread.join()
    server.server_close()


def change(page: Page, base_url: str, name: str, action: str) -> None:
    page.goto(f"{base_url}/catalogue/review")
    card = page.locator("section", has_text=name)
    card.locator("[name=reason]").fill("A test of the emergency brake.")
    card.locator(f"button[name=action][value={action}]").click()
    page.wait_for_load_state()


def test_an_app_is_born_used_stopped_and_set_going_again_through_the_pages(
    *, demo: dict[str, Any], alice: Json, browser_of: Callable[[], Page], page: Page, redirect_uri: str
) -> None:
    base_url, name = demo["base_url"], "Lecteur Glycémie"
    vendor, reviewer = browser_of(), browser_of()
    sign_in(vendor, base_url, demo["vendors"][0])
    draft = application_form.begin(vendor, base_url, name)
    application_form.fill_in(vendor, draft, "http://evil.example/*")
    assert vendor.locator("form[action$='/submit']").count() == 0
    vendor.goto(draft)
    vendor.locator("ul.missing a").click()
    vendor.locator("#redirect_uris[aria-invalid=true]").wait_for()  # what is wrong is said beside the field
    application_form.save_client(vendor, draft, "http://127.0.0.1:9/callback")
    application_form.submit(vendor, draft)
    vendor.goto(f"{base_url}/catalogue/vendor")
    assert name in vendor.inner_text("main")
    assert name not in requests.get(f"{base_url}/api/catalogue/apps", timeout=10).text

    sign_in(reviewer, base_url, demo["reviewers"][0])
    reviewer.goto(f"{base_url}/catalogue/review")
    reviewer.get_by_role("link", name=name).click()
    reviewer.locator("[name=decision][value=approve]").click()
    reviewer.wait_for_load_state()
    assert name in requests.get(f"{base_url}/api/catalogue/apps", timeout=10).text

    vendor.goto(f"{base_url}/catalogue/vendor")
    client_id = vendor.locator("section", has_text=name).locator("dd code").first.inner_text()
    entry = {"client_id": client_id, "client_secret": None, "redirect_uri": redirect_uri, "scope": SCOPE}
    app = AuthlibApp(demo, entry)
    try:
        token = app.connect(page, alice, "show-glucose")
        assert app.get("Observation").status_code == 200

        change(reviewer, base_url, name, "suspend")
        assert app.get("Observation").status_code == 401
        with pytest.raises(OAuthError):
            app.client.refresh_token(app.endpoints["token_endpoint"], refresh_token=token["refresh_token"])

        change(reviewer, base_url, name, "resume")
        app.client.refresh_token(app.endpoints["token_endpoint"], refresh_token=token["refresh_token"])
        assert app.get("Observation").status_code == 200
    finally:
        app.close()


def test_only_a_reviewer_sees_the_review_and_only_a_vendor_applies(
    demo: dict[str, Any], alice: Json, browser_of: Callable[[], Page]
) -> None:
    for person, path in (
        (alice, "/catalogue/review"),
        (demo["vendors"][0], "/catalogue/review"),
        (alice, "/catalogue/apply"),
    ):
        page = browser_of()
        sign_in(page, demo["base_url"], person)
        answer = page.goto(demo["base_url"] + path)
        assert answer is not None
        assert answer.status in {403, 404}


def test_the_password_changed_ends_what_apps_may_do(
    *, demo: dict[str, Any], bruno: Json, browser_of: Callable[[], Page], page: Page, teleconsultation: AuthlibApp
) -> None:
    teleconsultation.connect(page, bruno, "follow-glucose")
    assert teleconsultation.get("Observation").status_code == 200
    portal = browser_of()
    sign_in(portal, demo["base_url"], bruno)
    for old, new in (
        (bruno["password"], "une phrase bien plus longue"),
        ("une phrase bien plus longue", bruno["password"]),
    ):
        portal.goto(f"{demo['base_url']}/settings")
        portal.fill("[name=current]", old)
        portal.fill("[name=new]", new)
        portal.fill("[name=again]", new)
        portal.locator("form:has([name=current]) button").click()
        portal.wait_for_load_state()
    assert teleconsultation.get("Observation").status_code == 401
