"""From a meter's memory through the radio, `org.bluez` and bleak into what the gateway keeps."""

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from ble_world import Kept, Meter, sync, sync_link, until
from bleak import BleakClient
from bleak.backends import BleakBackend
from bluez_facade.private_bus import private_bus
from bluez_world import Daemon, Patient

from device_gateway.transports.ble.errors import LinkLost, RadioUnavailable
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.radio import Radio, open_radio
from device_gateway.transports.ble.scan import find, scan
from device_simulators.ble.glucose_record import GlucoseRecord

StartMeter = Callable[..., Meter]


async def test_a_scan_hears_all_meters_through_bleaks_own_backend(radio: Radio, start_meter: StartMeter) -> None:
    near, other = start_meter(name="near"), start_meter(name="other")
    heard = await scan(radio, 10, [near.address.lower(), other.address])
    assert {heard[near.address].name, heard[other.address].name} == {"near", "other"}
    assert heard[near.address].adapter == "ble-glucose"
    assert -127 < heard[near.address].rssi_dbm < 0
    assert (radio.scanner_backend, radio.client_backend) == (None, None)
    assert BleakClient(heard[near.address].device).backend_id is BleakBackend.BLUEZ_DBUS


async def test_two_scans_of_one_process_take_turns(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter()
    heard = await asyncio.gather(*(scan(radio, 10, [meter.address]) for _ in range(2)))
    assert [list(found) for found in heard] == [[meter.address]] * 2


async def test_every_record_of_the_meter_arrives_as_it_is_and_the_second_time_only_what_is_new(
    radio: Radio, start_meter: StartMeter, patient: Patient, tmp_path: Path
) -> None:
    state = tmp_path / "meter.json"
    meter = start_meter(records=100, state=state)
    kept = Kept()
    report = await sync(radio, meter.address, kept)
    assert (report.announced, report.records, report.complete) == (100, 100, True)
    memory = {record.seq: record for record in map(GlucoseRecord.from_json, json.loads(state.read_text())["records"])}
    readings = {reading.seq: reading for batch in kept.batches for reading in batch.readings}
    assert readings.keys() == memory.keys()
    for seq, record in memory.items():
        assert Decimal(readings[seq].value) == Decimal(record.value), seq
    again = await sync(radio, meter.address, kept)
    assert (again.announced, again.records) == (0, 0)
    assert patient.asked == 1


async def test_several_meters_are_read_at_once(radio: Radio, start_meter: StartMeter) -> None:
    meters = [start_meter(records=60) for _ in range(3)]
    heard = await scan(radio, 10, [meter.address for meter in meters])

    async def read(meter: Meter) -> list[int]:
        kept = Kept()
        async with connected(radio, heard[meter.address].device) as link:
            await sync_link(link, kept)
        return kept.seqs

    assert await asyncio.gather(*map(read, meters)) == [list(range(1, 61))] * 3


async def test_a_link_dropped_in_the_middle_is_resumed_where_it_was(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=200, drop_after=120)
    kept = Kept()
    with pytest.raises(LinkLost):
        await sync(radio, meter.address, kept)
    assert kept.position is not None
    assert kept.position >= 50
    report = await sync(radio, meter.address, kept)
    assert report.announced is not None
    assert report.announced < 200
    assert sorted(set(kept.seqs)) == list(range(1, 201))


async def test_a_device_that_the_system_dropped_since_the_scan_is_heard_again(
    radio: Radio, bluetoothd: Daemon, start_meter: StartMeter
) -> None:
    bluetoothd.kill()
    bluetoothd.start(temporary_s=0.1)
    meter = start_meter(records=20)
    heard = await find(radio, meter.address, 10)
    await asyncio.sleep(0.4)
    kept = Kept()
    async with connected(radio, heard.device) as link:
        await sync_link(link, kept)
    assert kept.seqs == list(range(1, 21))


async def test_a_bluetoothd_killed_in_a_transfer_is_noticed_at_once_and_used_again_when_it_is_back(
    radio: Radio, bluetoothd: Daemon, start_meter: StartMeter, patient: Patient
) -> None:
    meter = start_meter(records=150, delay_s=0.005)
    kept = Kept()
    heard = await find(radio, meter.address, 10)
    async with connected(radio, heard.device) as link:
        syncing = asyncio.create_task(sync_link(link, kept))
        await until(lambda: len(kept.seqs) >= 50)
        bluetoothd.kill()
        killed = time.monotonic()
        with pytest.raises(LinkLost):
            await syncing
        assert time.monotonic() - killed < 1
    assert time.monotonic() - killed < 5
    with pytest.raises(RadioUnavailable):
        await scan(radio, 5)
    with pytest.raises(RadioUnavailable):
        async with connected(radio, heard.device):
            pass
    assert time.monotonic() - killed < 10
    bluetoothd.start()
    await sync(radio, meter.address, kept)
    assert sorted(set(kept.seqs)) == list(range(1, 151))
    assert patient.asked == 1


async def test_a_bus_that_dies_ends_the_links_and_the_next_one_is_joined(
    air: str, start_meter: StartMeter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = start_meter(records=120, delay_s=0.005)
    kept = Kept()
    with private_bus() as first, private_bus() as second:
        async with open_radio(None, tmp_path / "unused.json", Patient()) as radio:
            for bus in (first, second):
                monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
                daemon = Daemon(bus.address, air, tmp_path / "bluetoothd.json")
                daemon.start()
                syncing = asyncio.create_task(sync(radio, meter.address, kept))
                if bus is first:
                    await until(lambda: len(kept.seqs) >= 50)
                    bus.kill()
                    with pytest.raises(LinkLost):
                        await syncing
                else:
                    await syncing
                daemon.kill()
    assert sorted(set(kept.seqs)) == list(range(1, 121))


async def test_a_bluetoothd_that_dies_while_it_connects_ends_the_waiting(
    radio: Radio, bluetoothd: Daemon, start_meter: StartMeter, patient: Patient
) -> None:
    meter = start_meter()
    heard = await find(radio, meter.address, 10)
    patient.thinks_s = 60

    async def open_link() -> None:
        async with connected(radio, heard.device):
            pass

    opening = asyncio.create_task(open_link())
    await until(lambda: bool(patient.asked))
    bluetoothd.kill()
    started = time.monotonic()
    with pytest.raises(RadioUnavailable):
        await opening
    assert time.monotonic() - started < 3
