"""The product as a user starts it: one demo for each process of the tests, and Chromium to use it with."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from authlib_app import AuthlibApp
from fhirclient.client import FHIRClient
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from third_parties import Json, sign_in

READY_S = 120  # seconds; alone it takes a tenth of that
STOPPED_S = 45
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def program() -> str:
    """The command of the installed product."""
    return str(Path(sys.executable).with_name("device-gateway"))


@pytest.fixture(scope="session")
def demo_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def demo(program: str, demo_dir: Path) -> Iterator[dict[str, Any]]:
    """What demo.json says of a running demo. It is ended by Ctrl-C, and has to leave nothing behind."""
    told = demo_dir.with_suffix(".txt")
    command = [program, "demo", "--port", str(_free_port()), "--data-dir", str(demo_dir)]
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
        command.append("--mqtt-tls")  # of the two products that `make test` runs, one
    with told.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield _when_ready(process, demo_dir / "demo.json", told)
    finally:
        family = _descendants(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(STOPPED_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert code == 0, told.read_text()[-2000:]
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()], "the demo left processes behind"
    assert not (demo_dir / "demo.json").exists(), "demo.json outlived the demo that it describes"


@pytest.fixture(scope="session")
def alice(demo: dict[str, Any]) -> dict[str, str]:
    """The patient with the meter and the scale."""
    return dict(demo["patients"][0])


@pytest.fixture(scope="session")
def bruno(demo: dict[str, Any]) -> dict[str, str]:
    """The patient with a hub of another product."""
    return dict(demo["patients"][1])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Its shell if that is here: the same engine without what draws windows, for a third of the time."""
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert path, "these tests need chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def browser_of(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """A page of a browser of its own (cookies, language) for each call."""
    contexts: list[BrowserContext] = []

    def open_page(locale: str = "fr-FR") -> Page:
        contexts.append(chromium.new_context(locale=locale, timezone_id="Europe/Paris"))
        contexts[-1].set_default_timeout(20_000)
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(browser_of: Callable[[str], Page]) -> Page:
    return browser_of("fr-FR")


@pytest.fixture
def agenda(demo: dict[str, Any]) -> Json:
    """The public client of the demo: weight and blood pressure, one purpose."""
    return next(app for app in demo["apps"] if app["profile"] == "smart-public")


@pytest.fixture
def teleconsultation(demo: dict[str, Any]) -> Iterator[AuthlibApp]:
    """The client with a secret: glucose, and weight if the patient likes."""
    with closing(AuthlibApp(demo, next(app for app in demo["apps"] if app["profile"] == "smart-secret"))) as app:
        yield app


@pytest.fixture
def scale(demo: dict[str, Any]) -> Json:
    """A scale whose credentials nobody else uses at the moment."""
    return next(device for device in demo["devices"] if device["model"] == "dg-scale" and not device.get("in_use"))


@pytest.fixture
def disconnect(demo: dict[str, Any], alice: Json, browser_of: Callable[[], Page]) -> Callable[[str], None]:
    """Ends, in the portal, what an app may do."""

    def do_it(app_name: str) -> None:
        page = browser_of()
        sign_in(page, demo["base_url"], alice)
        page.goto(f"{demo['base_url']}/apps")
        page.locator("section", has_text=app_name).locator("a[href$='/disconnect']").click()
        page.wait_for_url(lambda url: url.endswith("/disconnect"))
        page.locator("main form button").click()
        page.wait_for_url(lambda url: "/apps?" in url)
        assert not page.locator("section", has_text=app_name).locator("a[href$='/disconnect']").count()

    return do_it


@pytest.fixture
def closing_with() -> Iterator[ExitStack]:
    """What is entered here is left after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def fhir_client(demo: dict[str, Any], closing_with: ExitStack) -> Callable[[Json], FHIRClient]:
    """Makes PyPI's fhirclient, with a token that somebody else got."""

    def make(token: Json) -> FHIRClient:
        client = FHIRClient(state=_state(demo, token))
        closing_with.callback(client.server.session.close)
        return client

    return make


def _state(demo: Json, token: Json) -> Json:
    return {
        "app_id": "tester",
        "patient_id": token["patient"],
        "server": {
            "base_uri": f"{demo['fhir_url']}/",
            "auth_type": "oauth2",
            "auth": {"app_id": "tester", "access_token": token["access_token"]},
        },
    }


def _when_ready(process: subprocess.Popen[bytes], file: Path, told: Path) -> dict[str, Any]:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the demo ended with {process.returncode}: {told.read_text()[-2000:]}")
        if file.exists():
            return dict(json.loads(file.read_text("utf-8")))
        time.sleep(0.1)
    pytest.fail(f"the demo was not ready within {READY_S} s: {told.read_text()[-2000:]}")


def _free_port() -> int:
    """Below the ports that Linux gives to outgoing connections: nobody takes it, or those after it, meanwhile."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _descendants(pid: int) -> list[int]:
    """Processes below `pid`, from Linux's /proc; none are found elsewhere."""
    children = [
        int(child) for tasks in Path(f"/proc/{pid}/task").glob("*/children") for child in tasks.read_text().split()
    ]
    return [*children, *(below for child in children for below in _descendants(child))]
