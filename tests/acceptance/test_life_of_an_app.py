"""An app's life through the pages: a vendor applies, two reviewers review, its client is tested, a patient connects it,
an operator suspends it, the patient leaves it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import application_form
import pytest
import requests
import review_walk
import scenario_walk
from authlib.integrations.httpx_client import OAuthError
from authlib_app import AuthlibApp
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page
from third_parties import Json, sign_in

AXE_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # writing down what is right as well is several times the work
}
HEIGHT = 2200  # pixels of a picture, at most
COLOURS = 64  # of a picture: pages have few, and the file a third of its size
pytestmark = pytest.mark.timeout(240)  # seconds; the first test waits for the demo, and walks far

SCOPE = (
    "launch/patient offline_access patient/Observation.rs?code=http://loinc.org|2345-7 "
    "patient/Observation.rs?code=http://loinc.org|29463-7"
)
WEIGHT = {
    "key": "show-weight",
    "name_fr": "Voir le poids",
    "name_en": "See your weight",
    "wording_fr": "Nous affichons votre poids.",
    "wording_en": "We show your weight.",
    "retention_days": "7",
    "justification": "Without values there is no curve.",
}


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
    card.locator("[name=reason]").first.fill("A test of the emergency brake.")
    card.locator(f"button[name=action][value={action}]").click()
    page.wait_for_load_state()


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Keeps what a page shows, and has axe look at it, where SCREENS names a directory (``make screens``)."""

    def keep(page: Page, name: str) -> None:
        if directory := os.environ.get("SCREENS"):
            page.set_viewport_size({"width": 1000, "height": 700})
            shown = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
            shown = shown.crop((0, 0, shown.width, min(shown.height, HEIGHT)))
            shown.quantize(COLOURS).save(Path(directory) / f"{name}.png", optimize=True)
            found = Axe().run(page, options=AXE_RULES)
            assert found.violations_count == 0, found.generate_report()

    return keep


def apply(vendor: Page, base_url: str, name: str, launch_uri: str) -> str:
    """An application with two purposes, submitted after what is wrong was said; returns its address."""
    draft = application_form.begin(vendor, base_url, name)
    application_form.fill_in(vendor, draft, "http://evil.example/*")
    assert vendor.locator("form[action$='/submit']").count() == 0
    vendor.goto(draft)
    vendor.locator("ul.missing a").click()
    vendor.locator("#redirect_uris[aria-invalid=true]").wait_for()  # what is wrong is said beside the field
    application_form.save_client(vendor, draft, "http://127.0.0.1:9/callback", launch_uri)
    vendor.goto(f"{draft}/purposes")
    vendor.locator("button[name=add]").click()
    vendor.wait_for_url(f"{draft}/purposes/*")
    application_form.save(vendor, vendor.url, WEIGHT, "#reads-body-weight")
    application_form.submit(vendor, draft)
    return draft


@pytest.mark.timeout(480)  # seconds; with SCREENS axe looks at each page as well
def test_an_app_is_born_reviewed_tested_used_stopped_and_left_through_the_pages(
    *,
    demo: dict[str, Any],
    alice: Json,
    browser_of: Callable[[], Page],
    page: Page,
    redirect_uri: str,
    disconnect: Callable[[str], None],
    picture: Callable[[Page, str], None],
    closing_with: ExitStack,
) -> None:
    base_url, name = demo["base_url"], "Lecteur Glycémie"
    vendor, first, second, operator = (browser_of() for _ in range(4))
    sign_in(vendor, base_url, demo["vendors"][0])
    port = scenario_walk.free_port()
    draft = apply(vendor, base_url, name, f"http://127.0.0.1:{port}/launch")
    vendor.goto(draft)
    picture(vendor, "1-application")
    assert name not in requests.get(f"{base_url}/api/catalogue/apps", timeout=10).text

    for reviewer, person in ((first, demo["reviewers"][0]), (second, demo["reviewers"][1])):
        sign_in(reviewer, base_url, person)
        review_walk.open_application(reviewer, base_url, name)
        picture(reviewer, "2-declaration")
        review_walk.declare_no_interest(reviewer)
    review_walk.find_complete(first)
    second.reload()
    first.locator("a[href$='/evaluation']").click()
    first.wait_for_selector("[name=recommendation]")
    picture(first, "3-evaluation")
    first.go_back()
    review_walk.evaluate(first)
    assert "Read in full" not in second.inner_text("main"), "nobody reads the others' before their own"
    review_walk.evaluate(second)

    vendor.goto(f"{draft}/review")
    tests_url = f"{base_url}{vendor.locator('a[href$=interoperability]').get_attribute('href')}"
    client_id = scenario_walk.client_id_of(vendor, base_url, name)
    with scenario_walk.sample_app(base_url, client_id, port):
        scenario_walk.pass_all(tests_url, demo["vendors"][0])
    assert set(scenario_walk.outcomes(vendor, tests_url).values()) == {"réussi"}
    picture(vendor, "4-interoperability")

    review_walk.give_opinion(first)
    review_walk.offer_agreement(first)
    review_walk.accept_agreement(vendor, draft)
    picture(vendor, "5-agreement")
    assert first.locator("[name=decision][value=approve]").count() == 0, "the author of the opinion does not decide"
    second.reload()
    picture(second, "6-decision")
    review_walk.approve(second)
    assert name in requests.get(f"{base_url}/api/catalogue/apps", timeout=10).text

    entry = {"client_id": client_id, "client_secret": None, "redirect_uri": redirect_uri, "scope": SCOPE}
    app = closing_with.enter_context(closing(AuthlibApp(demo, entry)))
    page.goto(f"{base_url}/catalogue")
    picture(page, "7-catalogue")
    token = app.connect(page, alice, "show-glucose")
    assert "29463-7" not in token["scope"]
    codes = {entry["resource"]["code"]["coding"][0]["code"] for entry in app.get("Observation").json()["entry"]}
    assert codes == {"2345-7"}, "the purpose that was agreed to, and nothing of the other one"
    assert app.get("Observation", code="http://loinc.org|29463-7").json().get("total", 0) == 0

    sign_in(operator, base_url, demo["operators"][0])
    change(operator, base_url, name, "suspend")
    assert app.get("Observation").status_code == 401
    with pytest.raises(OAuthError):
        app.client.refresh_token(app.endpoints["token_endpoint"], refresh_token=token["refresh_token"])
    change(operator, base_url, name, "resume")
    app.client.refresh_token(app.endpoints["token_endpoint"], refresh_token=token["refresh_token"])
    assert app.get("Observation").status_code == 200

    change(operator, base_url, name, "suspend")
    page.goto(f"{base_url}/apps")
    picture(page, "8-suspended")
    disconnect(name)
    change(operator, base_url, name, "resume")
    with pytest.raises(OAuthError):
        app.client.refresh_token(app.endpoints["token_endpoint"], refresh_token=app.client.token["refresh_token"])


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
