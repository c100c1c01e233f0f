"""A hub of another product, from the portal to its first reading; and the operators' page of the quarantine."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from portal_world import Patient, Product, field, text_of

from device_gateway.commands.options import load_settings
from device_gateway.database.pool import connect
from device_gateway.devices.topics import hub_topic, topic_of
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.message import Message
from device_gateway.ingest.replay import JOB, Wanted, replay_wanted
from device_gateway.settings import Settings

ADDRESS = "5C:CA:D3:00:00:01"
PLANTED = "64.3219"


@pytest.fixture
def settings(ingest_url: str) -> Settings:
    """Of the process that does the jobs."""
    return load_settings().model_copy(update={"database_ingest_url": ingest_url})


async def home(product: Product, **changes: Any) -> tuple[Patient, Any]:
    patient = product.patient(**changes)
    return patient, await product.signed_in(patient.username)


def ingest(settings: Settings, *messages: Message) -> None:
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        BatchWriter(connection, 90).commit(messages)


def do_jobs(product: Product, settings: Settings) -> int:
    """What the process `jobs` would do; returns how many jobs there were."""
    jobs = product.owner(
        "UPDATE gateway.job SET done_at = now() WHERE done_at IS NULL AND kind = %s RETURNING payload", JOB
    )
    for job in jobs:
        replay_wanted(settings, Wanted(**job.payload))
    return len(jobs)


async def paired(browser: Any, model: str, name: str = "Salle de bain") -> tuple[UUID, str]:
    """A new hub of `model`; its id, and the page with what is to be copied."""
    form = await browser.get("/devices/new")
    answer = await browser.post(
        "/devices/new",
        data={"csrf_token": field(form.text, "csrf_token"), "model": model, "name": name, "since": "2026-01-01"},
    )
    assert answer.status_code == 201, answer.text
    found = re.search(r"dg/v1/[0-9a-f]{2}/([0-9a-f-]{36})/x/", answer.text)
    assert found
    return UUID(found[1]), answer.text


SETTINGS = {
    "theengs-hub": "OpenMQTTGateway: MQTT base topic",
    "esphome-hub": "mqtt: discovery_prefix",
    "ble-scale-sync-hub": "broker_url",
    "zigbee2mqtt-hub": "mqtt: base_topic",
    "tasmota-hub": "FullTopic",
}


async def test_a_patient_is_told_what_to_enter_in_the_product(product: Product) -> None:
    _, browser = await home(product, language="fr")
    for model, setting in SETTINGS.items():
        hub, page = await paired(browser, model)
        text = text_of(page)
        assert setting in text
        assert "broker.example" in text
        assert hub_topic(hub, model.removesuffix("-hub")) in text
        assert "{" not in re.sub(r"<[^>]*>", "", page), "every placeholder is filled"
        [row] = product.owner("SELECT credential, kind FROM gateway.device WHERE id = %s", hub)
        assert row.kind == "hub"
        assert row.credential.startswith("$7$")
    assert hub_topic(hub, "tasmota") in text_of((await browser.get("/devices")).text)


async def test_what_a_hub_speaks_for_is_offered_added_and_taken_in(product: Product, settings: Settings) -> None:
    patient, browser = await home(product)
    hub, _ = await paired(browser, "theengs-hub")
    weighing = {"id": ADDRESS, "model_id": "XMTZC04HM", "weighing_mode": "person", "unit": "kg", "weight": 64.32}
    heard = Message(
        hub_topic(hub, "theengs/OMG/BTtoMQTT/A"), json.dumps(weighing).encode(), datetime(2026, 3, 1, 7, tzinfo=UTC)
    )
    ingest(settings, heard)
    page = (await browser.get("/devices")).text
    assert f"{ADDRESS} through Salle de bain · Body weight" in text_of(page)
    assert "64.3" not in text_of(page), "no value is shown"
    link = re.search(r'href="(/devices/new\?[^"]+)"', page)
    assert link
    form = (await browser.get(link[1].replace("&amp;", "&"))).text
    assert f'value="{ADDRESS}"' in form
    answer = await browser.post(
        "/devices/new",
        data={
            "csrf_token": field(form, "csrf_token"), "model": "xiaomi-mi-scale", "name": "Balance",
            "since": "2026-01-01", "hub": str(hub), "hardware_id": ADDRESS,
        },
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    assert ADDRESS not in text_of((await browser.get("/devices")).text).partition("Heard from")[2]
    assert do_jobs(product, settings) == 1
    assert "64.32" in text_of((await browser.get("/")).text), "what came before is in the space now"
    other, stranger = await home(product)
    assert other.space.id != patient.space.id
    assert "Heard from" not in text_of((await stranger.get("/devices")).text)


async def test_what_two_hubs_call_the_same_are_two_devices(product: Product, settings: Settings) -> None:
    patient, browser = await home(product)
    for kg in ("71.10", "58.20"):
        hub, _ = await paired(browser, "ble-scale-sync-hub")
        ingest(settings, Message(hub_topic(hub, "ble-scale-sync"), b'{"weight": %b}' % kg.encode(), datetime.now(UTC)))
        form = (await browser.get("/devices/new")).text
        fields = {"csrf_token": field(form, "csrf_token"), "model": "ble-scale-sync-user", "name": "Moi"}
        fields |= {"since": "2026-01-01", "hub": str(hub), "hardware_id": "scale"}
        assert (await browser.post("/devices/new", data=fields)).status_code == 303
    assert do_jobs(product, settings) == 2
    counts = product.owner(
        "SELECT count(*) AS n FROM gateway.reading r JOIN gateway.series s ON s.id = r.series"
        " WHERE s.space_id = %s GROUP BY s.device_id",
        patient.space.id,
    )
    assert [row.n for row in counts] == [1, 1]


async def operator(product: Product, language: str = "en") -> Any:
    product.account("operator", f"operator-{language}", language=language, display_name="Op")
    return await product.signed_in(f"operator-{language}")


async def test_an_operator_lists_looks_and_takes_in_again(product: Product, settings: Settings) -> None:
    patient, _ = await home(product)
    device = patient.space.device("dg-scale")
    reading = {"metric": "body-weight", "value": PLANTED, "unit": "kg", "at": "2026-03-01T07:31:05Z"}
    good = json.dumps({"readings": [reading]}).encode()
    ingest(settings, Message(topic_of(device, "readings"), b"\xff{" + PLANTED.encode(), datetime.now(UTC)))
    browser = await operator(product)
    listed = await browser.get("/operator/quarantine")
    assert "the payload is not JSON in UTF-8" in text_of(listed.text)
    assert PLANTED not in listed.text
    group = re.search(r"/operator/quarantine/(\d+)", listed.text)
    assert group
    rows = await browser.get(f"/operator/quarantine/{group[1]}")
    assert PLANTED not in rows.text
    number = re.search(r"/operator/quarantine/payload/(\d+)", rows.text)
    assert number
    shown = await browser.get(f"/operator/quarantine/payload/{number[1]}")
    assert PLANTED in shown.text
    assert "ff 7b 36 34" in shown.text
    told = product.owner("SELECT event, actor_kind FROM gateway.journal WHERE space_id = %s", patient.space.id)
    assert ("portal:quarantine:read", "operator") in [tuple(row) for row in told], "the patient can read who looked"
    product.owner("UPDATE gateway.quarantine SET payload = %s", good)  # as if the adapter had been mended
    answer = await browser.post(
        f"/operator/quarantine/{group[1]}/replay", data={"csrf_token": field(rows.text, "csrf_token")}
    )
    assert answer.status_code == 303
    assert do_jobs(product, settings) == 1
    assert "stored 1" in text_of((await browser.get(f"/operator/quarantine/{group[1]}")).text)
    [row] = product.owner("SELECT outcome FROM gateway.journal WHERE event = 'portal:quarantine:replay'")
    assert row.outcome == "permit"


async def test_one_payload_can_be_taken_in_again(product: Product, settings: Settings) -> None:
    ingest(settings, Message("dg/v1/nothing", b"\x00\x01", datetime.now(UTC)))
    browser = await operator(product, "fr")
    [row] = product.owner("SELECT id, group_id FROM gateway.quarantine")
    shown = await browser.get(f"/operator/quarantine/payload/{row.id}")
    assert "Quarantaine" in shown.text
    answer = await browser.post(
        f"/operator/quarantine/payload/{row.id}/replay", data={"csrf_token": field(shown.text, "csrf_token")}
    )
    assert answer.headers["location"] == f"/operator/quarantine/{row.group_id}?done=replay"
    assert do_jobs(product, settings) == 1
    assert "still refused" in text_of((await browser.get(f"/operator/quarantine/{row.group_id}")).text)


async def test_nobody_but_an_operator_sees_the_quarantine(product: Product, settings: Settings) -> None:
    ingest(settings, Message("dg/v1/nothing", b"x", datetime.now(UTC)))
    [row] = product.owner("SELECT id, group_id FROM gateway.quarantine")
    _, patient = await home(product)
    product.account("reviewer", "reviewer")
    reviewer = await product.signed_in("reviewer")
    paths = ["", f"/{row.group_id}", f"/payload/{row.id}"]
    for browser in (patient, reviewer):
        for path in paths:
            assert (await browser.get(f"/operator/quarantine{path}")).status_code == 403
    stranger = await product.browser()
    assert (await stranger.get("/operator/quarantine")).status_code == 303
    operators = await operator(product)
    assert (await operators.get("/operator/quarantine/999999")).status_code == 404
    assert (await operators.get("/operator/quarantine/payload/999999")).status_code == 404
    assert (
        await operators.post(f"/operator/quarantine/{row.group_id}/replay", data={"csrf_token": "x"})
    ).status_code == 403
    async with product.app.state.pool.connection() as connection:
        for query in (
            "quarantine_groups(%s, 9)",
            f"quarantine_payload(%s, {row.id})",
            f"quarantine_rows(%s, {row.group_id})",
        ):
            found = await (await connection.execute(f"SELECT * FROM gateway.{query}", (b"no session",))).fetchall()
            assert found == [], "the database asks once more"
