"""What an edge tells of a device that its holder should know: in the journal, on the page of devices, and answered."""

import json
from typing import Any
from uuid import UUID, uuid4

from ingest_world import raw_message
from portal_world import Patient, Product, field, text_of

from device_gateway.database.pool import connect
from device_gateway.devices.topics import topic_of
from device_gateway.ingest.batch import BatchWriter


def sensor_at_an_edge(product: Product, patient: Patient) -> tuple[UUID, UUID]:
    """(edge, sensor), both the patient's since a year."""
    edge, sensor = uuid4(), uuid4()
    for device, model, kind, parent in ((edge, "edge", "edge", None), (sensor, "ble-cgm", "device", edge)):
        product.owner(
            "INSERT INTO gateway.device (id, model, kind, parent_id) VALUES (%s, %s, %s, %s)",
            device, model, kind, parent,
        )  # fmt: skip
        product.owner(
            "INSERT INTO gateway.device_holding (device_id, space_id, during, name)"
            " VALUES (%s, %s, tstzrange(now() - interval '1 year', NULL), %s)", device, patient.space.id, f"My {model}"
        )  # fmt: skip
    return edge, sensor


def tell(ingest_url: str, edge: UUID, event: str, **details: Any) -> None:
    told = {"event": event, "message_id": str(uuid4()), "at": "2026-11-22T07:00:00+01:00", **details}
    with connect(ingest_url, "gateway_ingest") as connection:
        BatchWriter(connection, 30).commit([raw_message(topic_of(edge, "event"), json.dumps(told).encode())])


async def test_a_sensor_that_waits_is_started_from_the_portal_and_its_end_is_told(
    product: Product, ingest_url: str
) -> None:
    patient = product.patient()
    edge, sensor = sensor_at_an_edge(product, patient)
    browser = await product.signed_in(patient.username)
    for state, says in (
        ("waiting", "waits for its session"),
        ("warming-up", "warming up"),
        ("running", ""),
        ("expired", "change the sensor"),
        ("refused", "did not start its session"),
        ("ended", "change the sensor"),
    ):
        tell(ingest_url, edge, "session", device=str(sensor), state=state)
        page = (await browser.get("/devices")).text
        assert says in text_of(page)
        assert ("Start the session" in page) is (state in ("waiting", "refused", "ended"))
    token = field(page, "csrf_token")
    answer = await browser.post(f"/devices/{sensor}/session", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/devices?done=session")
    assert "as soon as it hears the sensor" in text_of((await browser.get("/devices")).text)
    [command] = product.owner("SELECT edge_id, body FROM gateway.edge_command")
    assert (command.edge_id, command.body["command"], command.body["device"]) == (edge, "start_session", str(sensor))
    journal = text_of((await browser.get("/journal")).text)
    assert "The session of “My ble-cgm” has ended: change the sensor." in journal
    assert "You asked for a new session of “My ble-cgm”." in journal


async def test_a_stranger_starts_nothing_and_is_told_nothing(product: Product, ingest_url: str) -> None:
    patient, stranger = product.patient(), product.patient()
    edge, sensor = sensor_at_an_edge(product, patient)
    other_edge, _ = sensor_at_an_edge(product, stranger)
    browser = await product.signed_in(stranger.username)
    token = field((await browser.get("/devices")).text, "csrf_token")
    assert (await browser.post(f"/devices/{sensor}/session", data={"csrf_token": token})).status_code == 404
    tell(ingest_url, other_edge, "session", device=str(sensor), state="ended")  # it does not carry this one
    tell(ingest_url, edge, "session", device=str(sensor), state="nonsense")
    events = product.owner("SELECT event FROM gateway.journal WHERE event LIKE 'device:sensor:%%'")
    assert events == []


async def test_a_wrong_key_and_a_lost_consent_ask_to_pair_again_and_missing_values_are_counted(
    product: Product, ingest_url: str
) -> None:
    patient = product.patient()
    edge, sensor = sensor_at_an_edge(product, patient)
    browser = await product.signed_in(patient.username)
    tell(ingest_url, edge, "key_wrong", device=str(sensor), broadcasts=3)
    assert "Pair again" in (await browser.get("/devices")).text
    tell(ingest_url, edge, "contact", device=str(sensor), rssi_dbm=-60, missing=7)
    assert "Pair again" not in (await browser.get("/devices")).text
    tell(ingest_url, edge, "consent_wanted", device=str(sensor))
    journal = text_of((await browser.get("/journal")).text)
    assert "7 measurements of “My ble-cgm” are missing" in journal
    assert "bind key of “My ble-cgm”" in journal
    assert "no longer knows who you are to it" in journal
