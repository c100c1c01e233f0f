"""One scan for everybody in a process, and what scales say in it, through `org.bluez` and bleak's own backend."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from ble_world import Kept, Meter, sync_link, until
from bleak import BleakScanner
from bleak.exc import BleakDBusError
from bluez_world import Daemon

from device_gateway.readings.model import Reading
from device_gateway.transports.ble.adapter import broadcast_adapters
from device_gateway.transports.ble.heard import Heard
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.listening import listening
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import find, scan
from device_simulators.ble.running import join_air
from device_simulators.ble.xiaomi_scale import DEFAULT_KEY, XiaomiOptions, XiaomiScale

StartMeter = Callable[..., Meter]


async def test_a_device_is_looked_for_and_connected_to_while_somebody_listens(
    radio: Radio, start_meter: StartMeter
) -> None:
    meter = start_meter(records=3)
    heard: list[str] = []
    async with listening(radio, lambda device: heard.append(device.address)) as lost:
        await until(lambda: meter.address in heard)
        with pytest.raises(BleakDBusError, match="InProgress"):  # a scan of its own is refused
            await BleakScanner().start()
        found = await find(radio, meter.address, 5)
        kept = Kept()
        async with connected(radio, found.device) as link:
            await sync_link(link, kept)
        assert kept.seqs == [1, 2, 3]
        assert not lost.done()
        before = len(heard)
        await until(lambda: len(heard) > before)  # whoever listened goes on listening


async def test_a_scan_waits_for_one_that_somebody_else_in_this_process_runs(
    bluetoothd: Daemon, radio: Radio, start_meter: StartMeter
) -> None:
    meter = start_meter()
    other = BleakScanner()
    await other.start()
    scanning = asyncio.create_task(scan(radio, 10, [meter.address]))
    await asyncio.sleep(0.2)
    assert not scanning.done()
    await other.stop()
    assert list(await scanning) == [meter.address]


async def test_what_a_scale_broadcasts_arrives_as_it_was_sent(radio: Radio, air: str, new_address: str) -> None:
    scale = XiaomiScale(XiaomiOptions(address=new_address, kind="s400", interval_s=0, phase_s=0.3))
    transport = await join_air(air)
    await scale.start(transport)
    readings: list[Reading] = []

    def heard(device: Heard) -> None:
        if device.address == new_address:
            decoded = broadcast_adapters()[device.adapter].decode_advertisement(
                device.said.services, {}, datetime.now().astimezone(), bytes.fromhex(DEFAULT_KEY), new_address
            )
            readings.extend(one for one in decoded if isinstance(one, Reading))

    async with listening(radio, heard):
        await scale.weigh(Decimal("81.3"))
        await until(lambda: bool(readings))
    await transport.close()
    assert (readings[0].metric, readings[0].value) == ("body-weight", "81.3")
