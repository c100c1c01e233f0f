"""The two sample apps, walked by a patient in Chromium: connect, look, lose access, disconnect."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from third_parties import Json, decide, device_of, iso, journal_of, sign_in, weight

pytestmark = pytest.mark.timeout(180)  # seconds; the first test waits for the demo

AXE_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # writing down what is right as well is several times the work
}


@pytest.fixture
def app(demo: dict[str, Any]) -> Callable[[str], Json]:
    """An app of demo.json by its name."""
    return lambda name: next(dict(entry) for entry in demo["apps"] if entry["name"] == name)


@pytest.fixture
def weighed(demo: dict[str, Any], scale: Json) -> str:
    """A weight that no other test sends, measured just now."""
    seconds = datetime.now(UTC).second
    value = f"69.{seconds:02d}"
    with device_of(demo, scale) as device:
        [outcome] = device.send(weight(value, iso(datetime.now(UTC) + timedelta(seconds=30))))
    assert outcome["outcome"] in {"stored", "corrected", "duplicate"}
    return value


def connect(page: Page, app: Json, person: Json, *purposes: str) -> str:
    """From the app's page through consent and back; returns what the page says."""
    page.goto(app["url"])
    page.locator("form[action='/connect'] button").click()
    decide(page, person, purposes, redirect_uri=app["url"])
    page.wait_for_url(app["url"])
    return page.inner_text("main")


def test_the_agenda_app_shows_the_weight_of_today_and_gives_its_access_back_when_disconnected(
    *,
    demo: dict[str, Any],
    alice: Json,
    browser_of: Callable[[], Page],
    page: Page,
    app: Callable[[str], Json],
    weighed: str,
) -> None:
    agenda = app("Mon Agenda Santé")
    told = connect(page, agenda, alice, "prepare-consultation")
    assert "Votre espace santé est connecté" in told
    assert f"{weighed.replace('.', ',')} kg" in told, "in French, and with the digits that were sent"
    assert page.locator("li.yes").count() == 2
    page.reload()
    assert "Votre espace santé est connecté" not in page.inner_text("main"), "said once"

    page.locator("form[action='/disconnect'] button").click()
    page.wait_for_selector("form[action='/connect']")
    assert "nous n’avons plus accès" in page.inner_text("main")
    lines = journal_of(browser_of(), demo["base_url"], alice)
    newest = next(line for line in lines if "You signed in" not in line and "You looked" not in line)
    assert "access" in newest
    assert "ended" in newest


def test_the_portal_opens_an_app_on_the_patient_who_clicked_and_on_nobody_else(
    *, demo: dict[str, Any], alice: Json, bruno: Json, page: Page, app: Callable[[str], Json], weighed: str
) -> None:
    agenda = app("Mon Agenda Santé")
    launches: list[str] = []
    page.on("request", lambda request: launches.append(request.url) if "/launch?" in request.url else None)
    sign_in(page, demo["base_url"], alice)
    page.goto(f"{demo['base_url']}/catalogue")
    page.get_by_role("link", name=agenda["name"]).first.click()
    link = page.locator("a[href$='/launch']")
    opens = f"{demo['base_url']}{link.get_attribute('href')}"
    link.click()
    decide(page, alice, ("prepare-consultation",), redirect_uri=agenda["url"])
    page.wait_for_url(agenda["url"])
    assert f"{weighed.replace('.', ',')} kg" in page.inner_text("main"), (
        "the patient was signed in: one answer, no more"
    )
    [used] = launches
    assert parse_qs(urlsplit(used).query)["iss"] == [demo["fhir_url"]]

    with requests.Session() as hers, requests.Session() as his:
        for session, person in ((hers, alice), (his, bruno)):
            session.post(f"{demo['base_url']}/login", data=person, timeout=10)
        assert "invalid_request" in hers.get(used, timeout=10).text, "a launch is good once"
        opened = hers.get(opens, allow_redirects=False, timeout=10).headers["location"]
        assert "invalid_request" in his.get(opened, timeout=10).text, "a launch is one person's"
        assert "/oauth/authorize?" in hers.get(opened, timeout=10).url, "and still hers"
        foreign = opened.replace(quote(demo["fhir_url"], safe=""), quote("https://evil.example/fhir", safe=""))
        refused = his.get(foreign, allow_redirects=False, timeout=10)
    assert refused.status_code == 400
    assert "autre serveur" in refused.text


def test_the_teleconsultation_app_shows_what_is_shared_and_says_what_is_not(
    alice: Json, browser_of: Callable[[str], Page], app: Callable[[str], Json], weighed: str
) -> None:
    page = browser_of("en-GB")
    told = connect(page, app("TéléConsult"), alice, "follow-glucose")
    assert "mg/dL" in told
    assert "Bluetooth glucose meter" in told or page.locator("tbody td:nth-child(4)").first.inner_text()
    assert "You have not shared this measurement" in told
    assert weighed not in told
    assert page.locator("li.no").count() == 1

    told = connect(browser_of("en-GB"), app("TéléConsult"), alice, "follow-glucose", "follow-weight")
    assert f"{weighed} kg" in told


def test_an_app_whose_access_was_withdrawn_says_so_and_can_be_connected_again(
    alice: Json, page: Page, app: Callable[[str], Json], disconnect: Callable[[str], None]
) -> None:
    connect(page, app("TéléConsult"), alice, "follow-glucose")
    disconnect("TéléConsult")
    page.reload()
    assert page.inner_text("h1") == "Accès retiré"
    assert "mg/dL" not in page.inner_text("main")
    page.locator("form[action='/connect'] button").click()
    decide(page, alice, ("follow-glucose",), redirect_uri=app("TéléConsult")["url"])
    page.wait_for_url(app("TéléConsult")["url"])
    assert "mg/dL" in page.inner_text("main")


def test_a_patient_who_refuses_is_told_that_nothing_was_shared(
    alice: Json, page: Page, app: Callable[[str], Json]
) -> None:
    page.goto(app("Mon Agenda Santé")["url"])
    page.locator("form[action='/connect'] button").click()
    decide(page, alice, None, redirect_uri=app("Mon Agenda Santé")["url"])
    page.wait_for_url(app("Mon Agenda Santé")["url"])
    assert "rien n’a été partagé" in page.inner_text("main")


def test_an_answer_that_another_server_or_browser_made_is_not_taken(
    alice: Json, page: Page, app: Callable[[str], Json]
) -> None:
    agenda = app("Mon Agenda Santé")
    refused = requests.get(f"{agenda['redirect_uri']}?code=x&state=y", timeout=10)
    assert refused.status_code == 400

    page.goto(agenda["url"])
    page.locator("form[action='/connect'] button").click()
    page.wait_for_selector("[name=username], [name=decision]")
    asked = page.url
    state = re.search(r"state(?:=|%3D)([\w-]+)", asked)
    assert state
    page.goto(f"{agenda['redirect_uri']}?code=x&state={state[1]}&iss=https%3A%2F%2Fevil.example")
    assert "n’appartient à aucune demande" in page.inner_text("main")
    page.goto(asked)
    decide(page, alice, ("prepare-consultation",), redirect_uri=agenda["url"])
    page.wait_for_url(agenda["url"])
    assert "Votre espace santé est connecté" in page.inner_text("main"), "the true answer is still taken"


@pytest.mark.parametrize("name", ["Mon Agenda Santé", pytest.param("TéléConsult", marks=pytest.mark.slow)])
def test_pages_of_the_sample_apps_are_accessible_in_both_languages(
    *, alice: Json, browser_of: Callable[[str], Page], app: Callable[[str], Json], name: str, weighed: str
) -> None:
    purpose = {"Mon Agenda Santé": "prepare-consultation", "TéléConsult": "follow-glucose"}[name]
    for locale in ("fr-FR", "en-GB"):
        page = browser_of(locale)
        page.goto(app(name)["url"])
        found = [Axe().run(page, options=AXE_RULES)]
        connect(page, app(name), alice, purpose)
        for scheme, width in (("light", 1280), ("dark", 375)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal of Playwright's
            page.set_viewport_size({"width": width, "height": 900})
            found.append(Axe().run(page, options=AXE_RULES))
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        for result in found:
            assert result.violations_count == 0, result.generate_report()
