"""A vendor's interoperability tests: scenarios armed on its page, and a sample app that a simulated patient uses.

The sample app is a process of its own, reached over HTTP like every other; the patient is a browser without a screen.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Page
from third_parties import Json

READY_S = 30
REFUSED_FOR_S = 2.5  # a client that asks again sooner than this after a refusal is taken for a program


@contextmanager
def sample_app(
    base_url: str, client_id: str, command: str = "app-agenda", *, port: int | None = None, secret: str = ""
) -> Iterator[str]:
    """The URL of a sample app that runs with `client_id`."""
    port = port or free_port()
    program = str(Path(sys.executable).with_name("device-gateway"))
    options = ["--base-url", base_url, "--client-id", client_id, "--port", str(port)]
    environment = os.environ | {"DEVICE_SIMULATOR_CLIENT_SECRET": secret}
    process = subprocess.Popen([program, "simulate", command, *options], stdout=subprocess.DEVNULL, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(READY_S)


class Visitor:
    """A simulated patient with cookies of their own: signed in at the gateway, on the page of an app."""

    def __init__(self, base_url: str, app_url: str, person: Json) -> None:
        self.base_url, self.app_url, self.person = base_url, app_url, person
        self.session = requests.Session()
        signed_in = self.session.post(f"{base_url}/login", data=person, allow_redirects=False, timeout=10)
        assert signed_in.status_code == 303, signed_in.text

    def close(self) -> None:
        self.session.close()

    def connect(self) -> requests.Response:
        """From the app's button through the consent page and back; returns what the app says then."""
        page = self._get(self.app_url)
        button = self._post(f"{self.app_url}/connect", {"form_token": _hidden(page.text, "form_token")})
        if "/oauth/authorize" not in button.url:
            return button
        form = {name: _hidden(button.text, name) for name in ("request", "csrf_token")}
        purposes = re.findall(r'name="purpose" value="([^"]+)"', button.text)
        return self._post(f"{self.base_url}/oauth/consent", {**form, "purpose": purposes, "decision": "approve"})

    def look(self) -> requests.Response:
        """The app's page, which reads the patient's measurements."""
        return self._get(self.app_url)

    def disconnect(self) -> None:
        self._post(f"{self.app_url}/disconnect", {"form_token": _hidden(self.look().text, "form_token")})

    def _get(self, url: str) -> requests.Response:
        return self.session.get(url, headers={"Accept-Language": "en"}, timeout=10)

    def _post(self, url: str, data: Json) -> requests.Response:
        return self.session.post(url, data=data, headers={"Accept-Language": "en"}, timeout=10)


def make_patient(vendor: Page, base_url: str, name: str) -> Json:
    """A simulated patient of the vendor's organisation; what to sign in with."""
    vendor.goto(f"{base_url}/catalogue/vendor")
    vendor.locator("a[href*='/organisations/']").first.click()
    vendor.wait_for_url("**/organisations/*")
    vendor.goto(f"{vendor.url}/sandbox")
    vendor.fill("[name=name]", name)
    vendor.locator("form:has([name=name]) button").click()
    vendor.wait_for_selector("#password")
    return {"username": vendor.inner_text("#username"), "password": vendor.inner_text("#password")}


def client_id_of(vendor: Page, base_url: str, app_name: str) -> str:
    """As the page of the simulated patients says it."""
    vendor.goto(f"{base_url}/catalogue/vendor")
    vendor.locator("a[href*='/organisations/']").first.click()
    vendor.wait_for_url("**/organisations/*")
    vendor.goto(f"{vendor.url}/sandbox")
    return vendor.locator("main li", has_text=app_name).locator("code").nth(1).inner_text()


class Desk:
    """The vendor's page of interoperability tests, without a screen."""

    def __init__(self, base_url: str, tests_url: str, person: Json) -> None:
        self.tests_url, self.session = tests_url, requests.Session()
        self.session.post(f"{base_url}/login", data=person, allow_redirects=False, timeout=10)
        self.page = self.session.get(tests_url, timeout=10).text

    def close(self) -> None:
        self.session.close()

    def arm(self, scenario: str, person: Json) -> None:
        found = re.search(rf'value="([^"]+)">[^<]*\({person["username"]}\)', self.page)
        assert found, self.page
        form = {"csrf_token": _hidden(self.page, "csrf_token"), "scenario": scenario, "patient": found[1]}
        armed = self.session.post(self.tests_url, data=form, timeout=10)
        assert armed.ok, armed.text


def pass_all(desk: Desk, refusing: Visitor, other: Visitor) -> None:
    """Each scenario, with what two patients would click. The one who refused comes back after all the others."""
    desk.arm("denied", refusing.person)
    assert "You refused" in refusing.connect().text
    refused_at = time.monotonic()
    for scenario in ("happy-path", "expired"):
        desk.arm(scenario, other.person)
        assert "Your health space is connected" in other.connect().text
        other.disconnect()
    for scenario in ("wrong-state", "wrong-issuer"):
        desk.arm(scenario, other.person)
        assert "belongs to no request" in other.connect().text
        assert "Your health space is connected" in other.connect().text
        other.disconnect()
    desk.arm("unavailable", other.person)
    assert other.connect().status_code == 503
    assert "What you share" in other.look().text, "the access was not lost"
    other.disconnect()
    desk.arm("revoked", other.person)
    other.connect()
    assert "Access withdrawn" in other.look().text
    other.connect()
    while time.monotonic() < refused_at + REFUSED_FOR_S:
        other.look()
    assert "Your health space is connected" in refusing.connect().text


def outcomes(vendor: Page, tests_url: str) -> dict[str, str]:
    """What the page says of each scenario."""
    vendor.goto(tests_url)
    rows = vendor.locator("tr[data-scenario]")
    return {str(row.get_attribute("data-scenario")): row.locator("td").nth(1).inner_text() for row in rows.all()}


def _hidden(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the app ended with {process.returncode}"
        try:
            if requests.get(f"{url}/healthz", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError("the app did not answer in time")
