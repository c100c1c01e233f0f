"""Hearing devices that an adapter can talk to."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from device_gateway.transports.ble.adapter import record_adapters
from device_gateway.transports.ble.bluez import errors as bluez
from device_gateway.transports.ble.errors import DeviceNotHeard, RadioUnavailable
from device_gateway.transports.ble.radio import Radio

START_TIMEOUT_S = 15.0  # a scan that has not begun by then never will
BUSY_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Heard:
    """A device within reach. `rssi_dbm` is the signal strength of the last advertisement."""

    address: str
    name: str | None
    adapter: str
    rssi_dbm: int
    device: BLEDevice


async def scan(radio: Radio, timeout_s: float, wanted: Collection[str] | None = None) -> dict[str, Heard]:
    """Devices of known kinds, by address in upper case, heard within `timeout_s`.

    With `wanted` (addresses) only those, and no longer than until all of them were heard. Raises RadioUnavailable.
    """
    adapters = record_adapters()
    addresses = None if wanted is None else {address.upper() for address in wanted}
    found: dict[str, Heard] = {}
    complete = asyncio.Event()

    def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
        address = device.address.upper()
        if addresses is not None and address not in addresses:
            return
        for key, adapter in adapters.items():
            if adapter.matches(advertisement.service_uuids):
                found[address] = Heard(address, device.name, key, advertisement.rssi, device)
        if addresses is not None and addresses <= found.keys():
            complete.set()

    def gone(_lost: asyncio.Future[None]) -> None:
        complete.set()

    scanner = BleakScanner(heard, backend=radio.scanner_backend)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            lost = await radio.ready()
            await _start(scanner)
        lost.add_done_callback(gone)
        try:
            await asyncio.wait_for(complete.wait(), timeout_s)
        except TimeoutError:
            pass
        finally:
            lost.remove_done_callback(gone)
            async with asyncio.timeout(START_TIMEOUT_S):
                await scanner.stop()
    except (BleakError, TimeoutError, OSError, EOFError) as error:
        raise RadioUnavailable(f"the radio cannot scan: {error}") from error
    return found


async def _start(scanner: BleakScanner) -> None:
    """Starts a scan; where BlueZ is at one for us already, as soon as that has ended."""
    while True:
        try:
            await scanner.start()
        except BleakError as error:
            if not bluez.busy(error):
                raise
            await asyncio.sleep(BUSY_WAIT_S)
        else:
            return


async def find(radio: Radio, address: str | None, timeout_s: float) -> Heard:
    """The device at `address`, or the nearest one of a known kind. Raises DeviceNotHeard or RadioUnavailable."""
    found = await scan(radio, timeout_s, None if address is None else [address])
    if not found:
        raise DeviceNotHeard(
            f"{address or 'no device of a known kind'} was heard within {timeout_s:g} s"
            if address is None
            else f"{address} was not heard within {timeout_s:g} s: wake it up and bring it nearer"
        )
    return max(found.values(), key=lambda heard: heard.rssi_dbm)
