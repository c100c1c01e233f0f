"""Devices as their makers meet the product: a claim code, credentials, good and bad payloads, the end of a pairing."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page
from third_parties import Json, MqttDevice, device_of, device_of_claim, iso, sign_in, weight

pytestmark = pytest.mark.timeout(180)  # seconds; the first test waits for the demo

DISCONNECTED_S = 30  # seconds in which a released device has to lose its connection


class ClaimCodes:
    """The free claim codes of demo.json, each to be used once."""

    def __init__(self, demo: Json) -> None:
        self._demo = demo
        self._free = list(demo["claim_codes"])

    def redeem(self, patient: Json, model: str, **more: Any) -> requests.Response:
        """`more`: hardware_id, and auth of a carrier."""
        code = next(code for code in self._free if code["space_id"] == patient["space_id"])
        self._free.remove(code)
        body = {"claim_code": code["code"], "model": model}
        if "hardware_id" in more:
            body["hardware_id"] = more.pop("hardware_id")
        return requests.post(f"{self._demo['base_url']}/api/devices/claim", json=body, timeout=10, **more)


@pytest.fixture(scope="module")
def codes(demo: dict[str, Any]) -> ClaimCodes:
    return ClaimCodes(demo)


@pytest.fixture
def cli(program: str, demo_dir: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command of the product on the demo."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program, *arguments, "--data-dir", str(demo_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_a_claim_code_gives_credentials_that_work_and_the_patient_sees_the_device_until_it_is_removed(
    demo: dict[str, Any], alice: Json, page: Page, codes: ClaimCodes
) -> None:
    answer = codes.redeem(alice, "dg-scale")
    assert answer.status_code == 201
    claimed = answer.json()
    assert "space" not in answer.text, "who claims a device does not learn whose it is"
    with device_of_claim(claimed) as device:
        assert device.send(weight("70.10", iso(datetime.now(UTC))))[0]["outcome"] == "stored"

        sign_in(page, demo["base_url"], alice)
        page.goto(f"{demo['base_url']}/devices")
        page.locator(f"a[href='/devices/{claimed['device_id']}/remove']").click()
        page.wait_for_url(lambda url: url.endswith("/remove"))
        page.locator("main form button").click()
        page.wait_for_url(lambda url: "done=removed" in url)

        assert not page.locator(f"a[href='/devices/{claimed['device_id']}/remove']").count()
        assert device.disconnected.wait(DISCONNECTED_S), "a removed device is disconnected"
    with pytest.raises(ConnectionRefusedError), device_of_claim(claimed):
        pass


def test_a_claim_code_works_once_and_a_wrong_one_says_no_more_than_that(
    demo: dict[str, Any], bruno: Json, codes: ClaimCodes
) -> None:
    code = demo["claim_codes"][-1]
    assert code["space_id"] == bruno["space_id"]
    first = codes.redeem(bruno, "dg-scale")
    assert first.status_code == 201
    used = next(entry["code"] for entry in demo["claim_codes"] if entry["space_id"] == bruno["space_id"])
    for tried in (used, "0000-0000"):
        refused = requests.post(
            f"{demo['base_url']}/api/devices/claim", json={"claim_code": tried, "model": "dg-scale"}, timeout=10
        )
        assert refused.status_code == 404
        assert refused.headers["Content-Type"] == "application/problem+json"


def test_a_device_that_says_it_is_another_one_is_not_let_in(demo: dict[str, Any], scale: Json) -> None:
    other = next(device for device in demo["devices"] if device["model"] == "edge")
    at = demo["mqtt"]
    for username, password in ((other["id"], scale["mqtt_password"]), (scale["id"], "guess")):
        with (
            pytest.raises(ConnectionRefusedError),
            MqttDevice(at, username, password, scale["topic"]),
        ):
            pass


@pytest.mark.parametrize(
    ("wrong", "pointer", "reason"),
    [
        ({"unit": "mm[Hg]"}, "/readings/0/unit", "kg"),
        ({"value": "7195"}, "/readings/0/value", "impossible"),
        ({"value": "a lot"}, "/readings/0/value", "decimal"),
        ({"metric": "aura"}, "/readings/0/metric", "unknown metric"),
        ({"at": "2099-01-01T00:00:00Z"}, "/readings/0/at", "future"),
        ({"at": "yesterday"}, "/readings/0/at", ""),
    ],
    ids=["wrong unit", "impossible value", "not a number", "unknown metric", "from 2099", "not a time"],
)
def test_a_bad_reading_is_rejected_with_its_place_and_reason_and_the_next_good_one_is_stored(
    demo: dict[str, Any], scale: Json, wrong: Json, pointer: str, reason: str
) -> None:
    now = datetime.now(UTC)
    with device_of(demo, scale) as device:
        [outcome] = device.send(weight("71.95", iso(now), **wrong))
        assert outcome["outcome"] == "rejected"
        assert outcome["pointer"] == pointer
        assert reason in outcome["reason"]
        assert device.send(weight("71.95", iso(now - timedelta(hours=2)), seq=time.time_ns()))[0]["outcome"] == "stored"
        assert not device.disconnected.is_set()


def test_one_bad_reading_among_good_ones_costs_nothing_but_itself(demo: dict[str, Any], scale: Json) -> None:
    at, seq = iso(datetime.now(UTC) - timedelta(hours=3)), time.time_ns()
    with device_of(demo, scale) as device:
        outcomes = device.send(
            weight("71.00", at, seq=seq),
            weight("71.05", at, unit="furlong", seq=seq + 1),
            weight("71.10", at, seq=seq + 2),
        )
    assert [outcome["outcome"] for outcome in outcomes] == ["stored", "rejected", "stored"]
    assert outcomes[1]["pointer"] == "/readings/1/unit"


def test_a_message_that_is_wrong_as_a_whole_is_answered_so_that_it_is_not_sent_for_ever(
    demo: dict[str, Any], scale: Json
) -> None:
    message_id = str(uuid.uuid4())
    with device_of(demo, scale) as device:
        device.publish(json.dumps({"message_id": message_id, "readings": 3}))
        [outcome] = device.outcomes_of(message_id)
    assert outcome["outcome"] == "rejected"
    assert outcome["pointer"] == "/readings"


def test_payloads_that_cannot_be_read_are_kept_for_the_operator_and_the_connection_stays(
    demo: dict[str, Any], scale: Json, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    unreadable = (b"hello", b"\xff\xfe\x00", b"", b"[]", b'{"readings": 3}', b'{"readings": [{}]}')
    with device_of(demo, scale) as device:
        for payload in unreadable:
            device.publish(payload)
        assert device.send(weight("71.95", iso(datetime.now(UTC)), seq=time.time_ns()))[0]["outcome"] == "stored"
        assert not device.disconnected.is_set()
    kept = {row["bytes"]: row for row in _quarantined(cli) if row["sender"] == scale["id"]}
    for payload in unreadable:
        assert kept[len(payload)]["reason"], payload


def test_what_a_hub_sent_for_a_scale_before_it_was_paired_is_replayed_into_the_store(
    demo: dict[str, Any],
    bruno: Json,
    page: Page,
    codes: ClaimCodes,
    cli: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    hub = next(device for device in demo["devices"] if device["model"] == "theengs-hub")
    address = "C8:47:8C:AA:BB:01"
    heard = {
        "id": address, "name": "MIBFS", "rssi": -62, "brand": "Xiaomi", "model": "Mi Body Composition Scale",
        "model_id": "XMTZC05HM", "weighing_mode": "person", "unit": "kg", "weight": 81.15, "impedance": 503,
        "unixtime": int(time.time()),
    }  # fmt: skip
    before = _quarantined(cli)
    with device_of(demo, hub) as device:
        device.publish(json.dumps(heard), f"{hub['topic']}/BTtoMQTT/{address.replace(':', '')}")
    row = _appears(lambda: [row for row in _quarantined(cli) if row not in before])
    assert row["dialect"] == "theengs"

    paired = codes.redeem(
        bruno, "xiaomi-mi-body-scale", hardware_id=address, auth=(hub["mqtt_username"], hub["mqtt_password"])
    )
    assert paired.status_code == 201
    assert paired.json()["mqtt"] is None, "the hub speaks for it"

    replayed = cli("quarantine", "replay", str(row["id"]), "--json")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)[0]["understood"] is True
    sign_in(page, demo["base_url"], bruno)
    assert "81.15" in page.inner_text("main")


def _quarantined(cli: Callable[..., subprocess.CompletedProcess[str]]) -> list[Json]:
    listed = cli("quarantine", "list", "--limit", "10000", "--json")
    assert listed.returncode == 0, listed.stderr
    return list(json.loads(listed.stdout))


def _appears(look: Callable[[], list[Json]]) -> Json:
    for _ in range(20):
        if found := look():
            return found[0]
        time.sleep(0.5)
    pytest.fail("nothing came into the quarantine")
