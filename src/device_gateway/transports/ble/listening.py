"""Listening without an end: each advertisement of a device of a known kind, the moment it is heard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from device_gateway.transports.ble.adapter import record_adapters
from device_gateway.transports.ble.errors import RadioUnavailable
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import START_TIMEOUT_S, Heard

_RADIO_ERRORS = (BleakError, TimeoutError, OSError, EOFError)


@asynccontextmanager
async def listening(radio: Radio, heard: Callable[[Heard], None]) -> AsyncIterator[asyncio.Future[None]]:
    """Calls `heard` until the end of the block. The future given is done once the radio is gone; do not cancel it.

    Raises RadioUnavailable.
    """
    adapters = record_adapters()

    def advertised(device: BLEDevice, advertisement: AdvertisementData) -> None:
        for key, adapter in adapters.items():
            if adapter.matches(advertisement.service_uuids):
                heard(Heard(device.address.upper(), device.name, key, advertisement.rssi, device))
                return

    scanner = BleakScanner(advertised, backend=radio.scanner_backend)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            lost = await radio.ready()
            await scanner.start()
    except _RADIO_ERRORS as error:
        raise RadioUnavailable(f"the radio cannot scan: {error}") from error
    try:
        yield lost
    finally:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await scanner.stop()
        except _RADIO_ERRORS as error:
            if not lost.done():
                raise RadioUnavailable(f"the radio cannot end its scan: {error}") from error
