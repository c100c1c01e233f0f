"""A candidate's client while it is tested: the sample app as a process of its own, and the command that takes it
through every scenario."""

import os
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
WALK_S = 120  # a machine that does much else
PROGRAM = str(Path(sys.executable).with_name("device-gateway"))


@contextmanager
def sample_app(base_url: str, client_id: str, port: int, command: str = "app-agenda") -> Iterator[None]:
    """A sample app runs with `client_id` on `port`."""
    options = ["--base-url", base_url, "--client-id", client_id, "--port", str(port)]
    process = subprocess.Popen([PROGRAM, "simulate", command, *options], stdout=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}")
        yield
    finally:
        process.terminate()
        process.wait(READY_S)


def client_id_of(vendor: Page, base_url: str, app_name: str) -> str:
    """As the page of the simulated patients says it."""
    vendor.goto(f"{base_url}/catalogue/vendor")
    vendor.locator("a[href*='/organisations/']").first.click()
    vendor.wait_for_url("**/organisations/*")
    vendor.goto(f"{vendor.url}/sandbox")
    return vendor.locator("main li", has_text=app_name).locator("code").nth(1).inner_text()


def pass_all(tests_url: str, person: Json) -> None:
    """`device-gateway simulate candidate`, as `person` of the vendor; it ends well only if every scenario is passed."""
    password = {"DEVICE_SIMULATOR_VENDOR_PASSWORD": person["password"]}
    done = subprocess.run(
        [PROGRAM, "simulate", "candidate", tests_url, "--vendor", person["username"]],
        env=os.environ | password, capture_output=True, text=True, timeout=WALK_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def outcomes(vendor: Page, tests_url: str) -> dict[str, str]:
    """What the page says of each scenario."""
    vendor.goto(tests_url)
    rows = vendor.locator("tr[data-scenario]")
    return {str(row.get_attribute("data-scenario")): row.locator("td").nth(1).inner_text() for row in rows.all()}


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
