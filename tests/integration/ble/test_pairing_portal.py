"""The whole way: a patient's browser, the gateway, its own broker, an edge, a device on the radio, and back."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from ble_world import PASSKEY, Meter, Program, process_address, until
from house_world import House, Visit, house_of
from portal_world import field, text_of

from device_gateway.transports.edge import state as edge_state
from device_simulators.ble.weight_scale import WeightScaleOptions, run_scale

StartMeter = Callable[..., Meter]


@pytest.fixture
async def house(owner_url: str, app_url: str, ingest_url: str, air: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(owner_url, app_url, ingest_url, air, tmp_path) as house:
        yield house


async def visit_of(house: House) -> Visit:
    """The patient, at the list of devices nearby."""
    visit = Visit(await house.product.signed_in(house.patient.username))
    await visit.begin(house.edge)
    return visit


async def test_a_patient_pairs_a_meter_at_an_edge_and_sees_its_first_measurement(
    house: House, start_meter: StartMeter
) -> None:
    meter = start_meter(records=4, name="Accu")
    house.start_edge()
    browser = await house.product.signed_in(house.patient.username)
    visit = Visit(browser)
    await visit.begin(house.edge)
    page = await visit.see(f'value="{meter.address}"')
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', page)
    await visit.bond(meter.address)
    assert (await visit.send(add="own", name="My meter", since="2020-01-01")).status_code == 303
    await visit.see("Its first measurement has arrived")
    counted = "SELECT count(*) AS n FROM gateway.reading"
    await until(lambda: house.product.owner(counted)[0].n == 4)
    devices = text_of((await browser.get("/devices")).text)
    assert "My meter" in devices
    assert "Online" in devices
    [row] = house.product.owner("SELECT id FROM gateway.device WHERE hardware_id = %s", meter.address)
    remove = f"/devices/{row.id}/remove"
    token = field((await browser.get(remove)).text, "csrf_token")
    assert (await browser.post(remove, data={"csrf_token": token})).status_code == 303
    await until(lambda: meters_of(house.directory) == 0)  # the edge reads it no more
    bodies = "SELECT body FROM gateway.edge_command"
    await until(lambda: [row.body for row in house.product.owner(bodies)] == [None] * 5)  # no passkey stays anywhere
    assert str(PASSKEY) not in str(house.product.owner("SELECT details FROM gateway.edge_event"))
    assert str(PASSKEY) not in str(house.product.owner("SELECT payload FROM gateway.job"))


def meters_of(data_dir: Path) -> int:
    with edge_state.opened(data_dir) as state:
        return len(state.meters())


async def test_a_meter_that_someone_else_holds_changes_hands_only_by_a_bond_made_now(
    house: House, start_meter: StartMeter
) -> None:
    meter = start_meter(records=1)
    former = house.held_by_another("ble-glucose", meter.address)
    house.start_edge()
    visit = await visit_of(house)
    await visit.bond(meter.address)
    refused = await visit.send(add="own", name="Mine", since="2026-01-01")
    assert refused.status_code == 422
    assert "Someone else holds this device" in refused.text
    assert house.holders(meter.address) == [(former.space.id, True)]
    seen = "UPDATE gateway.device_holding SET last_seen_at = now() - %s::interval WHERE space_id = %s"
    house.product.owner(seen, "5 minutes", former.space.id)
    refused = await visit.send(add="take_over", name="Mine")
    assert (refused.status_code, "used the device within the last day" in refused.text) == (422, True)
    house.product.owner(seen, "2 days", former.space.id)
    assert (await visit.send(add="take_over", name="Mine")).status_code == 303
    assert house.holders(meter.address) == [(former.space.id, False), (house.patient.space.id, True)]
    assert ("portal:device:release", "paired by someone who has it in hand") in house.journal(former)


async def test_a_stranger_sees_nothing_of_a_pairing_and_drives_nothing(house: House) -> None:
    house.start_edge()
    visit = await visit_of(house)
    stranger = await house.product.signed_in(house.product.patient().username)
    for path in (visit.url, f"{visit.url}/state"):
        assert (await stranger.get(path)).status_code == 404
    token = field((await stranger.get("/devices/pair")).text, "csrf_token")
    assert (
        await stranger.post("/devices/pair", data={"edge": str(house.edge), "csrf_token": token})
    ).status_code == 422


async def test_an_edge_without_a_broker_is_said_to_be_offline(house: House) -> None:
    edge = house.start_edge()
    online = "SELECT online FROM gateway.device_holding WHERE device_id = %s"
    await until(lambda: house.product.owner(online, house.edge)[0].online is True)
    edge.kill()
    await until(lambda: house.product.owner(online, house.edge)[0].online is False)
    browser = await house.product.signed_in(house.patient.username)
    assert "Offline since" in text_of((await browser.get("/devices")).text)


async def test_a_bond_that_proves_nothing_is_made_at_the_patients_risk_and_takes_nothing_over(
    house: House, air: str
) -> None:
    address = process_address(0x70)
    scale = Program(run_scale, air, WeightScaleOptions(address=address, records=1))
    scale.ready("scale ready ")
    former = house.held_by_another("ble-weight-scale", address)
    house.start_edge()
    visit = await visit_of(house)
    await visit.choose(address)
    assert "whoever is near at this moment could listen in" in await visit.see('name="answer"')
    assert (await visit.send(answer="no")).status_code == 303
    assert "The device refused" in await visit.see("Try again")
    assert (await visit.send(address=address)).status_code == 303
    await visit.see('name="answer"')
    assert (await visit.send(answer="yes")).status_code == 303
    await visit.see('name="add"')
    refused = await visit.send(add="own", name="Scale", since="2026-01-01")
    assert "Its holder must remove it first" in text_of(refused.text)
    assert 'value="take_over"' not in refused.text
    assert (await visit.send(add="take_over", name="Scale")).status_code == 422
    assert house.holders(address) == [(former.space.id, True)]
    house.product.owner(
        "UPDATE gateway.device_holding SET during = tstzrange(lower(during), now()) WHERE space_id = %s",
        former.space.id,
    )
    assert (await visit.send(add="own", name="Scale", since="2020-01-01")).status_code == 303
    await visit.see("Its first measurement has arrived")
    scale.stop()


async def test_numbers_are_compared_by_the_patient_who_is_the_one_to_say_that_they_differ(
    house: House, start_meter: StartMeter
) -> None:
    meter = start_meter(records=1, compare_numbers=True)
    former = house.held_by_another("ble-glucose", meter.address)
    house.start_edge()
    visit = await visit_of(house)
    await visit.choose(meter.address)
    page = await visit.see('name="answer"')
    assert re.findall(r'<p class="claim-code">(\d{6})</p>', page) == [meter.program.ready("number ").split()[1]]
    assert (await visit.send(answer="no")).status_code == 303
    assert "The device refused" in await visit.see("Try again")
    assert (await visit.send(address=meter.address)).status_code == 303
    await visit.see('name="answer"')
    assert (await visit.send(answer="yes")).status_code == 303
    await visit.see('name="add"')
    assert (await visit.send(add="take_over", name="Mine")).status_code == 303  # whoever compared had it in hand
    assert house.holders(meter.address) == [(former.space.id, False), (house.patient.space.id, True)]


async def test_a_patient_need_not_type_a_passkey_and_an_edge_that_says_so_proves_nothing(
    house: House, start_meter: StartMeter
) -> None:
    meter = start_meter(records=1)
    house.held_by_another("ble-glucose", meter.address)
    house.start_edge()
    visit = await visit_of(house)
    await visit.choose(meter.address)
    page = await visit.see('name="passkey"')
    assert 'name="answer" value="no" formnovalidate' in page
    assert (await visit.send(passkey="", answer="no")).status_code == 303
    assert "The device refused" in await visit.see("Try again")
    assert (await visit.send(address=meter.address)).status_code == 303
    await visit.see('name="passkey"')
    house.product.owner(  # an edge that lies: nobody has typed anything here
        "INSERT INTO gateway.edge_event (space_id, pairing_id, message_id, event, details)"
        " SELECT space_id, id, 'lie', 'paired', jsonb_build_object('address', address, 'model', 'ble-glucose',"
        " 'proof', 'passkey') FROM gateway.edge_pairing"
    )
    await visit.see('name="add"')
    refused = await visit.send(add="take_over", name="Mine")
    assert "This bond does not prove that you have the device" in refused.text


@pytest.mark.slow
async def test_a_question_that_nobody_answers_ends_with_words_and_can_be_asked_again(
    house: House, start_meter: StartMeter
) -> None:
    meter = start_meter(records=1)
    house.start_edge()
    visit = await visit_of(house)
    await visit.choose(meter.address)
    await visit.see('name="passkey"')
    assert "it came too late" in await visit.see("Try again", seconds=60)
    assert (await visit.send(address=meter.address)).status_code == 303
    await visit.see('name="passkey"')
    assert (await visit.send(passkey=f"{PASSKEY:06d}")).status_code == 303
    await visit.see('name="add"')
