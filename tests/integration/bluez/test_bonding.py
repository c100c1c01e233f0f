"""Bonds on Linux: BlueZ asks our agent, our agent asks the patient."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ble_world import Kept, Meter, sync, until
from bleak import BleakClient
from bluez_facade.private_bus import private_bus
from bluez_world import Daemon, Patient, touch_meter
from bumble.pairing import PairingDelegate
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from device_gateway.transports.ble.bluez import agent as bluez_agent
from device_gateway.transports.ble.bluez.host import AGENT_PATH, BlueZ
from device_gateway.transports.ble.device_facts import read_battery_percent
from device_gateway.transports.ble.errors import BluetoothError, BondLost, BondRefused, RadioUnavailable
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.radio import Radio, open_radio
from device_gateway.transports.ble.scan import find, scan

StartMeter = Callable[..., Meter]


async def bond(radio: Radio, address: str) -> int | None:
    """Bonds and reads something."""
    async with connected(radio, (await find(radio, address, 10)).device) as link:
        return await read_battery_percent(link)


@pytest.mark.parametrize("digits", [1, None])
async def test_a_wrong_passkey_is_refused_and_the_right_one_still_works(
    radio: Radio, start_meter: StartMeter, patient: Patient, digits: int | None
) -> None:
    meter = start_meter()
    right, patient.digits = patient.digits, digits
    with pytest.raises(BondRefused):
        await bond(radio, meter.address)
    patient.digits = right
    assert await bond(radio, meter.address) == 87
    assert patient.asked == 2


async def test_a_bond_is_dropped_while_its_device_is_away(
    radio: Radio, start_meter: StartMeter, patient: Patient
) -> None:
    meter = start_meter()
    heard = await find(radio, meter.address, 10)
    await bond(radio, meter.address)
    meter.program.stop()
    assert await radio.has_bond(heard.device) is True
    assert await radio.drop_bond(meter.address)
    assert await radio.has_bond(heard.device) is False
    assert await radio.drop_bond(meter.address)  # there need not be one
    start_meter(address=meter.address)
    assert await bond(radio, meter.address) == 87
    assert patient.asked == 2


async def test_bonds_that_bluez_does_not_let_us_read_are_not_given_away(
    bluetoothd: Daemon, start_meter: StartMeter, patient: Patient, tmp_path: Path
) -> None:
    meter = start_meter()
    async with open_radio(None, tmp_path / "unused.json", patient, tmp_path / "var lib bluetooth") as radio:
        device = (await find(radio, meter.address, 10)).device
        await bond(radio, meter.address)
        assert await radio.bond_of(device) is None
        info = tmp_path / "var lib bluetooth" / "00:1A:7D:DA:71:13" / meter.address / "info"
        info.parent.mkdir(parents=True)
        info.write_text("[General]\nTrusted=true\n\n[LongTermKey]\nKey=00112233445566778899AABBCCDDEEFF\n")
        taken = await radio.bond_of(device)
        assert taken is not None
        info.unlink()
        assert await radio.take_bond(taken) is None
        assert "00112233445566778899AABBCCDDEEFF" in info.read_text()


async def test_an_answer_that_comes_too_late_is_a_refusal(
    radio: Radio, start_meter: StartMeter, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluez_agent, "ANSWER_TIMEOUT_S", 0.3)
    meter = start_meter()
    patient.thinks_s = 60
    started = time.monotonic()
    with pytest.raises(BondRefused, match="Canceled"):
        await bond(radio, meter.address)
    assert time.monotonic() - started < 10


async def test_a_question_is_withdrawn_when_the_device_goes(
    radio: Radio, start_meter: StartMeter, patient: Patient
) -> None:
    meter = start_meter()
    patient.thinks_s = 60
    bonding = asyncio.create_task(bond(radio, meter.address))
    await until(lambda: bool(patient.asked))
    meter.program.kill()
    started = time.monotonic()
    with pytest.raises(BluetoothError):
        await bonding
    await until(lambda: bool(patient.interrupted))
    assert time.monotonic() - started < 10


async def test_a_meter_that_forgot_us_is_told_apart_and_read_on_after_the_bond_was_made_anew(
    radio: Radio, start_meter: StartMeter, patient: Patient, tmp_path: Path
) -> None:
    state = tmp_path / "meter.json"
    meter = start_meter(records=30, state=state)
    kept = Kept()
    await sync(radio, meter.address, kept)
    meter.program.kill()
    state.write_text(json.dumps(json.loads(state.read_text()) | {"bonds": {}}))
    start_meter(address=meter.address, state=state)
    started = time.monotonic()
    with pytest.raises(BondLost):
        await sync(radio, meter.address, kept)
    assert time.monotonic() - started < 15
    await BleakClient((await find(radio, meter.address, 10)).device).unpair()
    report = await sync(radio, meter.address, kept)
    assert report.announced == 0
    assert kept.seqs == list(range(1, 31))
    assert patient.asked == 2


@pytest.mark.parametrize("same", [True, False])
async def test_a_person_compares_the_numbers_on_both_sides(
    radio: Radio, air: str, new_address: str, patient: Patient, *, same: bool
) -> None:
    patient.says_yes = same
    async with touch_meter(air, new_address, PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT) as meter:
        if same:
            assert await bond(radio, meter.address) == 87
        else:
            with pytest.raises(BondRefused):
                await bond(radio, meter.address)
        assert patient.compared == meter.shown
        assert len(meter.shown) == 1


async def test_digits_that_we_show_are_typed_on_a_device_with_keys(
    radio: Radio, air: str, new_address: str, patient: Patient
) -> None:
    async with touch_meter(air, new_address, PairingDelegate.KEYBOARD_INPUT_ONLY) as meter:
        patient.keyboard = meter
        assert await bond(radio, meter.address) == 87
    assert len(patient.shown) == 1


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_bond_without_proof_that_a_device_asks_for_needs_a_yes(
    radio: Radio, air: str, new_address: str, patient: Patient, *, wanted: bool
) -> None:
    patient.says_yes = wanted
    async with touch_meter(air, new_address, PairingDelegate.NO_OUTPUT_NO_INPUT) as meter:
        heard = await find(radio, meter.address, 10)
        async with BleakClient(heard.device):
            meter.ask_for_bond()
            await until(lambda: bool(patient.permitted))
            await asyncio.sleep(0.3)
            assert await radio.has_bond(heard.device) is wanted
    assert patient.permitted == [wanted]


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_bond_without_proof_that_we_ask_for_needs_a_yes_though_bluez_does_not_ask(
    radio: Radio, air: str, new_address: str, patient: Patient, *, wanted: bool
) -> None:
    patient.says_yes = wanted
    async with touch_meter(air, new_address, PairingDelegate.NO_OUTPUT_NO_INPUT) as meter:
        if wanted:
            assert [await bond(radio, meter.address) for _ in range(2)] == [87, 87]
        else:
            with pytest.raises(BondRefused):
                await bond(radio, meter.address)
            assert not await radio.has_bond((await find(radio, meter.address, 10)).device)
    assert patient.permitted == [wanted]


async def test_a_passkey_is_given_to_bluez_and_to_no_other_program(
    bluetoothd: Daemon, bus: str, patient: Patient
) -> None:
    bluez = BlueZ(patient)
    await bluez.ready()
    assert bluez.bus_name is not None
    stranger = await MessageBus(bus_address=bus).connect()
    for interface in ("org.bluez.Agent1", None):
        question = Message(bluez.bus_name, AGENT_PATH, interface, "RequestPasskey", signature="o", body=["/dev_00"])
        answer = await stranger.call(question)
        assert answer.error_name == "org.freedesktop.DBus.Error.AccessDenied"
    stranger.disconnect()
    await bluez.close()
    assert patient.asked == 0


async def test_whoever_was_asked_before_us_is_asked_again_once_our_radio_is_closed(
    radio: Radio, start_meter: StartMeter, patient: Patient, tmp_path: Path
) -> None:
    meter = start_meter()
    await radio.ready()
    ours = Patient(digits=1)
    async with open_radio(None, tmp_path / "unused.json", ours) as second:
        with pytest.raises(BondRefused):
            await bond(second, meter.address)
    assert await bond(radio, meter.address) == 87
    assert (ours.asked, patient.asked) == (1, 1)


async def test_a_host_without_bluetoothd_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus() as empty:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", empty.address)
        started = time.monotonic()
        async with open_radio(None, tmp_path / "unused.json", Patient()) as radio:
            with pytest.raises(RadioUnavailable, match=r"org\.bluez"):
                await scan(radio, 5)
        assert time.monotonic() - started < 3
