"""The portal in Chromium: sign-in, languages, pairing, removing; axe on every page, in light, dark and on a phone."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import portal_world
import psycopg
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from file_world import libreview
from furnished_portal import Portal, furnish
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_world import PASSWORD, Product

from device_gateway.app import create_app
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.imports.worker import work
from device_gateway.settings import Settings

PHONE = {"viewport": {"width": 375, "height": 720}}
DESKTOP = {"viewport": {"width": 1180, "height": 800}}
LOOKS: dict[str, dict[str, Any]] = {
    "french": {"locale": "fr-FR", **DESKTOP},
    "english": {"locale": "en-GB", **DESKTOP},
    "tablet": {"locale": "fr-FR", "viewport": {"width": 800, "height": 900}},
    "dark": {"locale": "fr-FR", "color_scheme": "dark", **DESKTOP},
    "phone": {"locale": "fr-FR", "is_mobile": True, "has_touch": True, **PHONE},
    "forced-colours": {"locale": "fr-FR", "forced_colors": "active", **PHONE},
}
# Their rules are those of other looks; all pages in six of them take minutes.
SELDOM = ("english", "tablet", "forced-colours")
# Where pages are those of another look, what this one can break; else every rule. Contrasts take most of the time.
RULES: dict[str, dict[str, Any]] = {
    "english": {"runOnly": ["html-has-lang", "html-lang-valid", "document-title", "button-name", "link-name", "label"]},
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
    "phone": {"rules": {"color-contrast": {"enabled": False}}},
}
# Axe writes down what it found right as well unless it is told not to: several times the work.
ONLY_FAULTS: dict[str, Any] = {"resultTypes": ["violations"]}
WITHOUT_JAVASCRIPT = {"locale": "fr-FR", "java_script_enabled": False, **DESKTOP}


@pytest.fixture(scope="module")
def portal(postgres: EmbeddedPostgres) -> Iterator[Portal]:
    """The application, listening, with a patient in French and one in English who have lived with it for weeks."""
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE portal_pages TEMPLATE gateway OWNER gateway_owner")
    owner, app_url = (postgres.url(role, "portal_pages") for role in ("gateway_owner", "gateway_app"))
    with socket.socket() as probe, pytest.MonkeyPatch.context() as patch:
        probe.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{probe.getsockname()[1]}"
        patch.setattr(portal_world, "BASE", base)
        product = Product(owner, app_url)
        found = _in_a_thread(furnish(product, owner, base))
        server = uvicorn.Server(uvicorn.Config(create_app(product.settings), log_level="warning"))
        probe.listen(100)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [probe]})
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield found
        server.should_exit = True
        thread.join()


def _in_a_thread(work: Coroutine[Any, Any, Portal]) -> Portal:
    """The loop of Playwright already runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture
def opened(portal: Portal, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A page of a browser of its own, signed in as `username` if that is given."""
    contexts: list[BrowserContext] = []

    def open_page(username: str = "", **look: Any) -> Page:
        contexts.append(chromium.new_context(base_url=portal.base, timezone_id="Europe/Paris", **look))
        contexts[-1].set_default_timeout(20_000)
        page = contexts[-1].new_page()
        if username:
            page.goto("/login")
            page.fill("#username", username)
            page.fill("#password", PASSWORD)
            page.locator("main button").click()
            page.wait_for_url(re.compile(r"/(catalogue)?$"))
        return page

    yield open_page
    for context in contexts:
        context.close()


def pages_of_a_patient(portal: Portal) -> list[str]:
    return [
        "/", "/?glucose=30&weight=365", "/glucose-profile", "/devices", f"/devices/{portal.hub}/rename",
        f"/devices/{portal.hub}/remove",
        "/devices/new", "/devices/import", "/devices/inbox", "/devices/join", f"/devices/{portal.scale}/people",
        "/apps",
        f"/apps/{portal.app}/disconnect", f"/apps/{portal.app}/end", f"/apps/{portal.app}/history",
        f"/apps/{portal.app}/version", f"/apps/{portal.app}/agree?purpose=glucose",
        "/journal", "/journal?kind=app&from=soon", "/journal/check",
        "/settings", "/catalogue", f"/catalogue/apps/{portal.app}", "/nothing-here",
    ]  # fmt: skip


def pages_of_a_draft(page: Page) -> list[str]:
    """Of the second version of an app, which begins as a copy of the one in force; or of the draft that there is."""
    page.goto("/catalogue/vendor")
    begun = page.locator("a[href^='/catalogue/vendor/applications/']").first  # the newest comes first
    new = page.locator("form[action$='/version'] button")
    (new if new.count() else begun).click()
    page.wait_for_url("**/catalogue/vendor/applications/*")
    draft = page.url
    page.goto(f"{draft}/purposes")
    purpose = (
        page.url + "/" + (page.locator("main ol:not(.sections) a").first.get_attribute("href") or "").split("/")[-1]
    )
    return [f"{draft}/identity", purpose, f"{draft}/criteria/accessibility"]


def faults(page: Page, rules: dict[str, Any] | None = None) -> list[str]:
    """What axe finds on the page as it is, and whether it is wider than its window."""
    result = Axe().run(page, options=ONLY_FAULTS | (rules or {})).response
    found = [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in result["violations"]]
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found + ([f"{width} px wider than the window"] if width > 0 else [])


@pytest.mark.parametrize(
    "look", [pytest.param(look, marks=pytest.mark.slow if look in SELDOM else ()) for look in LOOKS]
)
def test_axe_finds_nothing_on_any_page_of_a_patient(portal: Portal, opened: Callable[..., Page], look: str) -> None:
    page = opened("camille.en" if look == "english" else "camille.fr", **LOOKS[look])
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    wrong = {}
    for path in pages_of_a_patient(portal):
        if look == "english" and (str(portal.hub) in path or str(portal.scale) in path):
            continue  # the device of the other patient
        page.goto(path)
        for summary in page.locator("summary").all():
            summary.click()
        if found := faults(page, RULES.get(look)):
            wrong[path] = found
    assert wrong == {}
    assert said == []


def test_axe_finds_nothing_on_the_pages_of_others(portal: Portal, opened: Callable[..., Page]) -> None:
    wrong = {}
    for username, paths in (
        ("", ["/login", "/catalogue?q=zzz&price=free"]),
        ("nina", ["/", "/devices", "/apps", "/journal"]),
        ("vera", ["/catalogue", "/catalogue/apply", "/settings"]),
        ("rene", ["/catalogue", "/catalogue/review"]),
        ("person1", []),
        ("olga", ["/operator/quarantine", "/operator/quarantine/1", "/operator/quarantine/payload/1"]),
    ):  # fmt: skip
        page = opened(username, **LOOKS["phone"])
        for path in [*paths, *(pages_of_a_draft(page) if username == "person1" else [])]:
            page.goto(path)
            if found := faults(page):
                wrong[f"{username} {path}"] = found
    assert wrong == {}


def test_axe_finds_nothing_on_the_pages_about_apps_in_service(portal: Portal, opened: Callable[..., Page]) -> None:
    wrong = {}
    for username, paths in (
        ("rene", ["/catalogue/review/watch", f"/catalogue/review/audits/{portal.audit}"]),
        ("noor", ["/catalogue/reports", f"/catalogue/apps/{portal.app}/report"]),
        (
            "person1",
            [
                f"/catalogue/vendor/apps/{portal.app}/life",
                f"/catalogue/vendor/applications/{portal.application}/review",
            ],
        ),
        ("person2", [f"/catalogue/review/applications/{portal.application}"]),
    ):
        page = opened(username, **LOOKS["phone"])
        for path in paths:
            page.goto(path)
            if found := faults(page):
                wrong[f"{username} {path}"] = found
    assert wrong == {}


def test_a_patient_registers_a_hub_and_copies_its_settings(opened: Callable[..., Page]) -> None:
    page = opened("ines", **LOOKS["phone"])
    page.goto("/devices/new")
    page.select_option("#model", "esphome-hub")
    page.fill("#name", "Salle de bain")
    page.locator("main form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Réglages pour Salle de bain")
    expect(page.locator("dd", has_text="/x/esphome/ha")).to_be_visible()
    assert faults(page) == []


def test_a_patient_signs_in_reads_and_switches_the_language(opened: Callable[..., Page]) -> None:
    page = opened("camille.fr", **LOOKS["french"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Bonjour Camille Martin")
    expect(page.locator(".tile", has_text="Tension artérielle")).to_contain_text("121/79")
    expect(page.get_by_role("img", name=re.compile("^Glucose sur 7 jours"))).to_be_visible()
    page.get_by_role("link", name="90 jours").first.click()
    expect(page.get_by_role("img", name=re.compile("^Glucose sur 90 jours"))).to_be_visible()
    page.get_by_role("button", name="English").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Camille Martin")
    assert "glucose=90" in page.url
    page.get_by_role("button", name="Français").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bonjour Camille Martin")


def test_a_wrong_password_is_said_and_the_name_is_kept(opened: Callable[..., Page]) -> None:
    page = opened(**LOOKS["english"])
    page.goto("/devices")
    page.fill("#username", "nobody.here")
    page.fill("#password", "a wrong password")
    page.locator("main button").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    expect(page.locator("#username")).to_have_value("nobody.here")
    expect(page.locator("#password")).to_have_value("")


@pytest.mark.parametrize("look", ["phone", "without JavaScript"])
def test_a_history_is_looked_at_and_then_imported(
    portal: Portal, postgres: EmbeddedPostgres, opened: Callable[..., Page], look: str
) -> None:
    urls = {"database_url": "gateway_app", "database_ingest_url": "gateway_ingest"}
    settings = Settings(**{name: postgres.url(role, "portal_pages") for name, role in urls.items()})
    serial = look.replace(" ", "-")
    content = libreview(("14-06-2026 08:00", "0", "104"), ("14-06-2026 08:15", "0", "LO"), serial=serial)
    page = opened("ines", **{**LOOKS, "without JavaScript": WITHOUT_JAVASCRIPT}[look])
    page.goto("/devices")
    page.get_by_role("link", name="Importer un fichier").click()
    page.set_input_files("#file", {"name": "glucose.csv", "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Examiner le fichier").click()
    expect(page.get_by_role("status")).to_contain_text("en cours d’examen")
    assert look != "phone" or faults(page) == []  # axe is JavaScript
    work(settings)
    expect(page.get_by_role("status")).to_contain_text("Voici ce que contient le fichier")  # the page looks by itself
    expect(page.locator("dd", has_text=serial)).to_be_visible()
    page.locator("summary").click()
    expect(page.get_by_text("Enregistrement 4 : il n’a pas de valeur possible")).to_be_visible()
    assert look != "phone" or faults(page) == []
    page.get_by_role("button", name="L’importer").click()
    work(settings)
    expect(page.get_by_role("status")).to_contain_text("Le fichier est importé")
    assert look != "phone" or faults(page) == []
    kept = page.get_by_role("link", name="Garder les enregistrements refusés").get_attribute("href")
    assert "LO" in page.request.get(f"{portal.base}{kept}").text()


def test_a_scale_is_paired_with_a_code_while_the_page_waits_and_then_removed(
    portal: Portal, opened: Callable[..., Page]
) -> None:
    page = opened("nina", **LOOKS["phone"])
    page.get_by_role("link", name="Appairer un appareil").click()
    page.select_option("#model", "dg-scale")
    page.fill("#name", "Balance de Nina")
    page.get_by_role("button", name="Continuer").click()
    code = page.locator(".claim-code").inner_text().split()[-1]
    expect(page.get_by_role("img", name="QR")).to_be_visible()
    assert faults(page) == []
    answer = page.request.post(f"{portal.base}/api/devices/claim", data={"claim_code": code, "model": "dg-scale"})
    assert answer.status == 201
    expect(page.get_by_role("status")).to_contain_text("C’est appairé")
    page.get_by_role("link", name="Voir mes appareils").click()
    page.get_by_role("link", name="Retirer Balance de Nina").click()
    page.get_by_role("button", name="Retirer cet appareil").click()
    expect(page.get_by_role("status")).to_contain_text("L’appareil est retiré")
    expect(page.get_by_text("Pas encore d’appareil")).to_be_visible()
    page.get_by_role("link", name="Journal").click()
    expect(page.locator(".timeline")).to_contain_text("Balance de Nina")


def test_everything_works_without_javascript(portal: Portal, opened: Callable[..., Page]) -> None:
    page = opened("nina", **WITHOUT_JAVASCRIPT)
    page.goto("/devices/new")
    page.select_option("#model", "dg-cuff")
    page.fill("#name", "Tensiomètre")
    page.get_by_role("button", name="Continuer").click()
    code = page.locator(".claim-code").inner_text().split()[-1]
    assert page.request.post(f"{portal.base}/api/devices/claim", data={"claim_code": code, "model": "dg-cuff"}).ok
    page.goto("/devices")
    page.get_by_role("link", name="Renommer Tensiomètre").click()
    page.fill("#name", "Bras gauche")
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_role("heading", name="Bras gauche")).to_be_visible()
    page.get_by_role("button", name="Se déconnecter").click()
    expect(page.get_by_role("button", name="Se connecter")).to_be_visible()


def test_the_newest_value_appears_by_itself(portal: Portal, opened: Callable[..., Page]) -> None:
    page = opened("camille.fr", **LOOKS["french"])
    page.clock.install()
    page.goto("/")
    with page.expect_response(lambda response: response.url.endswith("/latest")) as answered:
        page.clock.fast_forward(16_000)
    assert answered.value.status == 200
    expect(page.locator(".tile", has_text="Tension artérielle")).to_contain_text("121/79")


def test_the_first_measurement_appears_by_itself(portal: Portal, opened: Callable[..., Page]) -> None:
    page = opened("noor", **LOOKS["french"])
    page.clock.install()
    page.goto("/")
    expect(page.get_by_role("heading", name="En attente de votre première mesure")).to_be_visible()
    portal.waiting.put("body-weight", "61.05", datetime.now(UTC).isoformat())
    page.clock.fast_forward(16_000)
    expect(page.locator(".tile", has_text="Poids")).to_contain_text("61,05")


def test_a_keyboard_alone_reaches_the_content_and_every_tab(opened: Callable[..., Page]) -> None:
    page = opened("camille.fr", **LOOKS["french"])
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.goto("/")
    names = []
    for _ in range(9):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert names[2:7] == ["Accueil", "Appareils", "Applications", "Journal", "Réglages"]


def test_at_twice_the_text_size_nothing_is_cut(opened: Callable[..., Page]) -> None:
    page = opened("camille.fr", **LOOKS["french"])
    for path in ("/", "/devices", "/apps", "/journal"):
        page.goto(path)
        page.set_viewport_size({"width": 590, "height": 400})  # 1180 px at 200 %
        assert faults(page) == []


def test_a_vendor_registers_invites_and_makes_a_simulated_patient(opened: Callable[..., Page]) -> None:
    page = opened("vera", **LOOKS["phone"])
    page.goto("/catalogue/vendor/register")
    assert faults(page) == []
    page.fill("#vendor_name", "Santé Véra")
    page.fill("#vendor_contact", "aide@vera.example")
    page.fill("#contact_email", "vera@vera.example")
    page.locator("main form button").click()
    expect(page.locator("main")).to_contain_text("vera@vera.example, pas encore confirmée")
    page.fill("#oid", f"2.25.1.{time.time_ns()}")
    page.get_by_role("button", name="Enregistrer l’OID").click()
    page.fill("#email", "colin@vera.example")
    page.get_by_role("button", name="Envoyer une invitation").click()
    expect(page.get_by_role("button", name="Retirer l’invitation de colin@vera.example")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="Patients simulés").click()
    page.fill("#name", "Zoé")
    assert faults(page) == []
    page.get_by_role("button", name="Créer le patient").click()
    name, password = (page.locator(f"#{one}").inner_text() for one in ("username", "password"))
    assert faults(page) == []
    zoe = opened(**LOOKS["phone"])
    zoe.goto("/login")
    zoe.fill("#username", name)
    zoe.fill("#password", password)
    zoe.locator("main button").click()
    expect(zoe.get_by_role("note")).to_contain_text("Ce patient est simulé")
    zoe.goto("/apps")
    expect(zoe.get_by_role("note")).to_contain_text("Ce patient est simulé")
    assert faults(zoe) == []
