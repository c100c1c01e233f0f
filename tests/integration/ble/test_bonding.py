"""Finding and bonding with a meter over the virtual radio."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ble_world import PASSKEY, Meter, Person, Program
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakGATTProtocolError

from device_gateway.transports.ble.device_facts import read_battery_percent, read_clock, read_make
from device_gateway.transports.ble.errors import (
    BluetoothError,
    BondLost,
    BondRefused,
    DeviceNotHeard,
    LinkLost,
    RadioUnavailable,
)
from device_gateway.transports.ble.link import AttributeRefused, Link, connected
from device_gateway.transports.ble.radio import Radio, open_radio
from device_gateway.transports.ble.scan import find, scan
from device_gateway_ble.uuids import assigned
from device_simulators.radio.air import run_air
from device_simulators.radio.bleak_backend import VirtualRadio

StartMeter = Callable[..., Meter]


async def test_a_scan_hears_the_meters_that_are_wanted_and_no_longer_than_it_must(
    radio: Radio, start_meter: StartMeter
) -> None:
    near, other = start_meter(name="near"), start_meter(name="other")
    started = time.monotonic()
    heard = await scan(radio, 10, [near.address.lower()])
    assert list(heard) == [near.address]
    assert heard[near.address].name == "near"
    assert heard[near.address].adapter == "ble-glucose"
    assert time.monotonic() - started < 9
    assert {near.address, other.address} <= set(await scan(radio, 0.5))


async def test_a_bond_is_made_once_with_the_passkey_and_kept_over_restarts(
    air: str, start_meter: StartMeter, tmp_path: Path
) -> None:
    meter = start_meter(battery_percent=42, clock_skew_s=3600, state=tmp_path / "meter.json")
    person = Person()
    for _ in range(2):
        async with open_radio(air, tmp_path / "bonds.json", person) as radio:
            heard = await find(radio, meter.address, 10)
            async with connected(radio, heard.device) as link:
                make = await read_make(link)
                assert make.model == "Simulated glucose meter"
                assert make.serial == f"SIM-{meter.address.replace(':', '')}"
                assert await read_battery_percent(link) == 42
                clock = await read_clock(link)
        assert clock is not None
        assert (clock.raw - clock.measured_at.replace(tzinfo=None)).total_seconds() == pytest.approx(3600, abs=2)
        meter.program.stop()
        meter = start_meter(state=tmp_path / "meter.json", battery_percent=42, address=meter.address)
    assert person.asked == 1
    assert (tmp_path / "bonds.json").stat().st_mode & 0o077 == 0
    assert (tmp_path / "meter.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("digits", [PASSKEY + 1, None])
async def test_a_wrong_passkey_is_refused_and_the_right_one_still_works(
    radio: Radio, start_meter: StartMeter, person: Person, digits: int | None
) -> None:
    meter = start_meter()
    heard = await find(radio, meter.address, 10)
    person.digits = digits
    started = time.monotonic()
    with pytest.raises(BondRefused):
        async with connected(radio, heard.device):
            pass
    assert time.monotonic() - started < 25
    person.digits = PASSKEY
    async with connected(radio, (await find(radio, meter.address, 10)).device) as link:
        assert await read_battery_percent(link) == 87


async def test_a_meter_that_forgot_its_bond_is_told_apart_from_a_wrong_passkey(
    radio: Radio, start_meter: StartMeter
) -> None:
    meter = start_meter()
    async with connected(radio, (await find(radio, meter.address, 10)).device):
        pass
    meter.program.kill()
    start_meter(address=meter.address)
    with pytest.raises(BondLost):
        async with connected(radio, (await find(radio, meter.address, 10)).device):
            pass


async def test_records_are_shown_to_nobody_who_has_no_bond(air: str, start_meter: StartMeter, tmp_path: Path) -> None:
    meter = start_meter()
    radio = VirtualRadio(air, bonds=tmp_path / "bonds.json", agent=Person())
    device = await BleakScanner.find_device_by_address(meter.address, 10, backend=radio.scanner_backend)
    assert device is not None
    async with BleakClient(device, backend=radio.client_backend) as client:
        assert await client.read_gatt_char(assigned(0x2A51)) == b"\x00\x04"
        for attempt in (
            client.start_notify(assigned(0x2A18), lambda _characteristic, _value: None),
            client.write_gatt_char(assigned(0x2A52), b"\x01\x01", response=True),
            client.read_gatt_char(assigned(0x2A2B)),
        ):
            with pytest.raises(BleakGATTProtocolError) as refused:
                await attempt
            assert refused.value.code in (0x05, 0x0F)
    await radio.close()


async def test_an_absent_meter_is_said_to_be_absent(radio: Radio) -> None:
    with pytest.raises(DeviceNotHeard, match="C0:FF:EE:00:00:00"):
        await find(radio, "C0:FF:EE:00:00:00", 0.3)


async def test_no_radio_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    async with open_radio(f"unix:{tmp_path}/nothing.sock", tmp_path / "bonds.json", Person()) as radio:
        started = time.monotonic()
        with pytest.raises(RadioUnavailable):
            await scan(radio, 10)
        assert time.monotonic() - started < 9


@pytest.mark.skipif(sys.platform != "linux", reason="names the system bus of Linux")
async def test_a_host_without_bluetooth_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    async with open_radio(None, tmp_path / "bonds.json", Person()) as radio:
        with pytest.raises(RadioUnavailable):
            await scan(radio, 1)


async def test_a_host_that_speaks_nonsense_disturbs_nobody_else(
    air: str, radio: Radio, start_meter: StartMeter
) -> None:
    meter = start_meter()
    async with connected(radio, (await find(radio, meter.address, 10)).device) as link:
        _, writer = await asyncio.open_unix_connection(air.removeprefix("unix:"))
        writer.write(b"\x01\x03\x0c\x00" + b"\x04\xff\x05junk!" + b"\x01\x06\x04\x01\xff" + b"\x02\xff\xff\x01\x00x")
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        await writer.wait_closed()
        assert await read_battery_percent(link) == 87


async def test_a_radio_that_dies_ends_every_wait_with_an_error_and_can_be_joined_again(
    start_meter: StartMeter, tmp_path: Path
) -> None:
    spec = f"unix:{tmp_path}/air.sock"
    air = Program(run_air, spec)
    air.ready("radio ready ")
    meter = start_meter(delay_s=0.05, state=tmp_path / "meter.json", radio=spec)
    async with open_radio(spec, tmp_path / "bonds.json", Person()) as radio:
        heard = await find(radio, meter.address, 10)
        started = time.monotonic()
        async with connected(radio, heard.device) as link:
            await link.subscribe(assigned(0x2A18))
            await link.subscribe(assigned(0x2A52))
            await link.write(assigned(0x2A52), b"\x01\x01")
            await link.notification(5)
            air.kill()
            with pytest.raises(LinkLost):
                await drain(link)
        with pytest.raises(BluetoothError):
            async with connected(radio, heard.device):
                pass
        assert time.monotonic() - started < 25
        air = Program(run_air, spec)
        air.ready("radio ready ")
        async with connected(radio, (await find(radio, meter.address, 10)).device) as link:
            assert await read_battery_percent(link) == 87
    assert air.stop() == 0


async def drain(link: Link) -> None:
    while True:
        await link.notification(5)


async def test_the_device_says_no_with_its_own_code(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter()
    async with connected(radio, (await find(radio, meter.address, 10)).device) as link:
        with pytest.raises(AttributeRefused) as refused:
            await link.write(assigned(0x2A52), b"\x01\x01")
    assert refused.value.code == 0xFD
