"""The scenarios of the interoperability tests with the sample app that has a secret."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import application_form
import pytest
import scenario_walk
from playwright.sync_api import Page
from third_parties import sign_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # seconds; the first test waits for the demo


def test_the_sample_app_with_a_secret_passes_every_scenario(
    demo: dict[str, Any], browser_of: Callable[[], Page], closing_with: ExitStack
) -> None:
    base_url, name = demo["base_url"], "Téléconsultation d’essai"
    vendor = browser_of()
    sign_in(vendor, base_url, demo["vendors"][0])
    draft = application_form.begin(vendor, base_url, name)
    port = scenario_walk.free_port()
    application_form.fill_in(vendor, draft, f"http://127.0.0.1:{port}/callback")
    vendor.goto(f"{draft}/client")
    vendor.select_option("[name=profile]", "smart-secret")
    vendor.locator("main form:not([class]) button[type=submit]:not([name])").click()
    vendor.wait_for_url("**?saved")
    application_form.submit(vendor, draft)
    ana, ben = (scenario_walk.make_patient(vendor, base_url, patient) for patient in ("Ana", "Ben"))
    vendor.goto(f"{draft}/review")
    tests_url = f"{base_url}{vendor.locator('a[href$=interoperability]').get_attribute('href')}"
    client_id = scenario_walk.client_id_of(vendor, base_url, name)
    vendor.goto(tests_url.replace("/interoperability", "/client"))
    vendor.locator("form[action$='/secret'] button").click()
    secret = vendor.inner_text("#client-secret")
    app = scenario_walk.sample_app(base_url, client_id, "app-teleconsultation", port=port, secret=secret)
    client_url = closing_with.enter_context(app)
    desk = closing_with.enter_context(closing(scenario_walk.Desk(base_url, tests_url, demo["vendors"][0])))
    patients = [scenario_walk.Visitor(base_url, client_url, person) for person in (ana, ben)]
    for patient in patients:
        closing_with.callback(patient.close)
    scenario_walk.pass_all(desk, *patients)
    assert set(scenario_walk.outcomes(vendor, tests_url).values()) == {"réussi"}
