"""The main job, done with other people's software only: paho-mqtt, Authlib's and fhirclient's OAuth, Chromium.

A reading of a device reaches an app because the patient said yes, and stops when the patient says no.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from authlib.integrations.httpx_client import OAuthError
from authlib_app import AuthlibApp
from fhirclient.client import FHIRClient
from fhirclient.models.device import Device
from fhirclient.models.observation import Observation
from fhirclient.server import FHIRUnauthorizedException
from playwright.sync_api import Page
from third_parties import Json, decide, device_of, iso, journal_of, sign_in, weight

pytestmark = pytest.mark.timeout(180)  # seconds; the first test waits for the demo

LOINC = "http://loinc.org"
WEIGHT, GLUCOSE = f"{LOINC}|29463-7", f"{LOINC}|2345-7"
METER_S = 60  # seconds in which the simulated meter's records have to be there


def all_observations(client: FHIRClient, **search: str) -> list[Observation]:
    """Every page."""
    query = Observation.where(struct={"patient": client.patient_id} | search)
    bundles = query.perform_iter(client.server)
    return [entry.resource for bundle in bundles for entry in bundle.entry or ()]


def test_a_weight_published_over_mqtt_is_stored_once_and_read_by_the_app_that_the_patient_allowed(
    *,
    demo: dict[str, Any],
    alice: Json,
    page: Page,
    scale: Json,
    teleconsultation: AuthlibApp,
    fhir_client: Callable[[Json], FHIRClient],
) -> None:
    at = iso(datetime.now(UTC).astimezone() - timedelta(minutes=3))
    with device_of(demo, scale) as device:
        assert device.send(weight("73.50", at, seq=7)) == [{"index": 0, "outcome": "stored"}]
        assert device.send(weight("73.50", at, seq=7)) == [{"index": 0, "outcome": "duplicate"}]

    token = teleconsultation.connect(page, alice, "follow-glucose", "follow-weight")

    assert token["token_type"] == "Bearer"
    assert token["patient"] != alice["space_id"], "an app knows a patient by a pseudonym"
    client = fhir_client(token)
    found = [seen for seen in all_observations(client, code=WEIGHT) if seen.effectiveDateTime.isostring == at]
    assert len(found) == 1
    assert found[0].valueQuantity.value == 73.5
    assert found[0].valueQuantity.unit == "kg"
    assert found[0].valueQuantity.code == "kg"
    assert found[0].subject.reference == f"Patient/{token['patient']}"
    raw = teleconsultation.get(f"Observation/{found[0].id}").text
    assert '"value":73.50,' in raw, "the digit that the scale sent is kept"
    device_read = Device.read(found[0].device.reference.partition("/")[2], client.server)
    assert device_read.status == "active"


def test_a_corrected_weight_is_read_corrected_and_a_late_redelivery_does_not_undo_it(
    *,
    demo: dict[str, Any],
    alice: Json,
    page: Page,
    scale: Json,
    teleconsultation: AuthlibApp,
    fhir_client: Callable[[Json], FHIRClient],
) -> None:
    at = iso(datetime.now(UTC) - timedelta(minutes=11))
    with device_of(demo, scale) as device:
        outcomes = [device.send(weight(value, at))[0]["outcome"] for value in ("74.10", "74.30", "74.10")]
    assert outcomes == ["stored", "corrected", "duplicate"]

    client = fhir_client(teleconsultation.connect(page, alice, "follow-glucose", "follow-weight"))

    [seen] = [o for o in all_observations(client, code=WEIGHT) if o.effectiveDateTime.isostring == at]
    assert seen.valueQuantity.value == 74.3
    assert seen.status == "corrected"


def test_the_records_of_the_bluetooth_meter_reach_the_app(
    *,
    demo: dict[str, Any],
    alice: Json,
    page: Page,
    teleconsultation: AuthlibApp,
    fhir_client: Callable[[Json], FHIRClient],
) -> None:
    client = fhir_client(teleconsultation.connect(page, alice, "follow-glucose"))
    deadline = time.monotonic() + METER_S
    while not (found := all_observations(client, code=GLUCOSE, _count="60")) and time.monotonic() < deadline:
        time.sleep(1)
    assert len(found) >= 100
    assert len({seen.id for seen in found}) == len(found), "no reading is on two pages"
    assert {seen.valueQuantity.unit for seen in found} == {"mg/dL"}
    times = [seen.effectiveDateTime.date for seen in found]
    assert times == sorted(times, reverse=True)


def test_what_the_patient_left_out_looks_as_if_it_were_not_there(
    *,
    demo: dict[str, Any],
    alice: Json,
    page: Page,
    scale: Json,
    teleconsultation: AuthlibApp,
    disconnect: Callable[[str], None],
) -> None:
    with device_of(demo, scale) as device:
        device.send(weight("72.90", iso(datetime.now(UTC) - timedelta(minutes=5))))
    teleconsultation.connect(page, alice, "follow-glucose", "follow-weight")
    weight_url = teleconsultation.get("Observation", code=WEIGHT).json()["entry"][0]["fullUrl"]
    disconnect("TéléConsult")

    token = teleconsultation.connect(page, alice, "follow-glucose")

    assert "29463-7" not in token["scope"]
    assert "entry" not in teleconsultation.get("Observation", code=WEIGHT).json()
    assert teleconsultation.get(f"Observation/{weight_url.rpartition('/')[2]}").status_code == 404


def test_fhirclient_finds_its_own_way_from_the_capability_statement_to_the_weight(
    *, demo: dict[str, Any], alice: Json, page: Page, scale: Json, agenda: Json, closing_with: ExitStack
) -> None:
    at = iso(datetime.now(UTC) - timedelta(minutes=4))
    with device_of(demo, scale) as device:
        device.send(weight("70.05", at))
    client = FHIRClient(
        settings={
            "app_id": agenda["client_id"],
            "api_base": demo["fhir_url"],
            "redirect_uri": agenda["redirect_uri"],
            "scope": agenda["scope"],
        }
    )
    closing_with.callback(client.server.session.close)
    client.wants_patient = False  # agenda's scope has launch/patient already
    client.prepare()
    page.goto(client.authorize_url)
    decide(page, alice, ("prepare-consultation",), redirect_uri=agenda["redirect_uri"])
    client.handle_callback(page.url)

    [seen] = [o for o in all_observations(client, code=WEIGHT) if o.effectiveDateTime.isostring == at]
    assert seen.valueQuantity.value == 70.05
    seen_codes = {o.code.coding[0].code for o in all_observations(client)}
    assert seen_codes <= {"29463-7", "85354-9"}, "nothing but what the purpose names"

    client.reauthorize()
    assert all_observations(client, code=WEIGHT), "the renewed token works as well"


def test_what_one_patient_shares_is_not_there_for_the_token_of_another(
    *,
    demo: dict[str, Any],
    alice: Json,
    bruno: Json,
    browser_of: Callable[[], Page],
    scale: Json,
    teleconsultation: AuthlibApp,
) -> None:
    with device_of(demo, scale) as device:
        device.send(weight("72.60", iso(datetime.now(UTC) - timedelta(minutes=7))))
    of_alice = teleconsultation.connect(browser_of(), alice, "follow-glucose", "follow-weight")
    entry = teleconsultation.get("Observation", code=WEIGHT).json()["entry"][0]["resource"]

    of_bruno = teleconsultation.connect(browser_of(), bruno, "follow-glucose", "follow-weight")

    assert of_bruno["patient"] != of_alice["patient"]
    assert teleconsultation.get(f"Observation/{entry['id']}").status_code == 404
    assert teleconsultation.get(entry["device"]["reference"]).status_code == 404
    assert "entry" not in teleconsultation.get("Observation", patient=of_alice["patient"]).json()


def test_after_the_patient_disconnects_the_app_every_door_is_shut_and_the_journal_tells_each_step(
    *,
    demo: dict[str, Any],
    alice: Json,
    browser_of: Callable[[], Page],
    page: Page,
    teleconsultation: AuthlibApp,
    disconnect: Callable[[str], None],
    fhir_client: Callable[[Json], FHIRClient],
) -> None:
    token = teleconsultation.connect(page, alice, "follow-glucose")
    assert teleconsultation.get("Observation", code=GLUCOSE).status_code == 200
    teleconsultation.client.refresh_token(teleconsultation.endpoints["token_endpoint"])
    assert teleconsultation.get("Observation", code=GLUCOSE).status_code == 200

    disconnect("TéléConsult")

    refused = teleconsultation.get("Observation", code=GLUCOSE)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert refused.json()["resourceType"] == "OperationOutcome"
    with pytest.raises(FHIRUnauthorizedException):
        all_observations(fhir_client(token), code=GLUCOSE)
    with pytest.raises(OAuthError) as failed:
        teleconsultation.client.refresh_token(
            teleconsultation.endpoints["token_endpoint"], refresh_token=token["refresh_token"]
        )
    assert failed.value.error == "invalid_grant"

    told = journal_of(browser_of(), demo["base_url"], alice)
    steps = [
        "TéléConsult was refused",
        "You disconnected TéléConsult",
        "TéléConsult read",
        "TéléConsult renewed its access",
        "TéléConsult received the access",
        "You connected TéléConsult",
        "You agreed that TéléConsult may do this: Follow your blood glucose",
        "You signed in",
    ]
    places = [next((n for n, line in enumerate(told) if step in line), -1) for step in steps]
    assert -1 not in places, f"missing: {[s for s, n in zip(steps, places, strict=True) if n < 0]} in {told[:25]}"
    assert places[0] < places[1] < places[2] < places[4] < places[5] <= places[6], "newest first"
    assert not any("mg/dL" in line for line in told)


def test_a_purpose_taken_back_alone_empties_the_answers_and_leaves_the_rest(
    *,
    demo: dict[str, Any],
    alice: Json,
    browser_of: Callable[[], Page],
    page: Page,
    scale: Json,
    teleconsultation: AuthlibApp,
) -> None:
    with device_of(demo, scale) as device:
        device.send(weight("72.15", iso(datetime.now(UTC) - timedelta(minutes=6))))
    teleconsultation.connect(page, alice, "follow-glucose", "follow-weight")
    assert "entry" in teleconsultation.get("Observation", code=WEIGHT).json()

    portal = browser_of()
    sign_in(portal, demo["base_url"], alice)
    portal.goto(f"{demo['base_url']}/apps")
    portal.locator("button[name=purpose][value=follow-weight]").click()
    portal.wait_for_url(lambda url: "done=withdrawn" in url)

    emptied = teleconsultation.get("Observation", code=WEIGHT)
    assert emptied.status_code == 200
    assert "entry" not in emptied.json()
    assert "entry" in teleconsultation.get("Observation", code=GLUCOSE).json()


def test_a_token_of_nobody_and_bad_search_parameters_get_operation_outcomes(
    demo: dict[str, Any], alice: Json, page: Page, teleconsultation: AuthlibApp
) -> None:
    unknown = requests.get(
        f"{demo['fhir_url']}/Observation", headers={"Authorization": f"Bearer {uuid.uuid4()}"}, timeout=10
    )
    assert unknown.status_code == 401
    assert unknown.json()["resourceType"] == "OperationOutcome"
    teleconsultation.connect(page, alice, "follow-glucose")
    bad = teleconsultation.get("Observation", date="yesterday")
    assert bad.status_code == 400
    [issue] = bad.json()["issue"]
    assert issue["expression"] == ["http.date"]
    assert issue["diagnostics"]


def test_no_log_has_a_token_a_password_a_claim_code_or_a_measured_value(
    *, demo: dict[str, Any], demo_dir: Path, alice: Json, page: Page, scale: Json, teleconsultation: AuthlibApp
) -> None:
    with device_of(demo, scale) as device:
        device.send(weight("68.4321", iso(datetime.now(UTC) - timedelta(minutes=9))))
        device.send(weight("6843.21", iso(datetime.now(UTC))))
    token = teleconsultation.connect(page, alice, "follow-glucose", "follow-weight")
    assert "68.4321" in teleconsultation.get("Observation", code=WEIGHT).text
    planted = [
        token["access_token"], token["refresh_token"], teleconsultation.verifier, alice["password"],
        scale["mqtt_password"], demo["claim_codes"][0]["code"], teleconsultation.entry["client_secret"],
        "68.4321", "6843.21",
    ]  # fmt: skip
    logs = list((demo_dir / "logs").glob("*.log"))
    assert len(logs) >= 8
    for log in logs:
        text = log.read_text("utf-8", "replace")
        assert [secret for secret in planted if secret in text] == [], log.name
