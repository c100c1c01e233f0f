"""Listening: each advertisement of a device of a known kind, the moment it is heard.

A radio has one scan, which everybody in this process shares: BlueZ refuses a second one with ``InProgress`` for as long
as the first goes on, and an edge listens all the time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from device_gateway.transports.ble.bluez import errors as bluez
from device_gateway.transports.ble.errors import RadioUnavailable
from device_gateway.transports.ble.heard import Heard, recognise
from device_gateway.transports.ble.radio import Radio

START_TIMEOUT_S = 15.0  # a scan that has not begun by then never will
BUSY_WAIT_S = 0.5

_RADIO_ERRORS = (BleakError, TimeoutError, OSError, EOFError)
# BlueZ tells of an advertisement that says nothing new only when it is asked to; a scan without an end needs them all.
_EVERY_ADVERTISEMENT: Any = {"filters": {"DuplicateData": True}}  # Any: bleak keeps the type of it to itself

Listener = Callable[[Heard], None]


class _Ears:
    """The scan of one radio, running while anybody listens."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._changing = asyncio.Lock()
        self._scanner: BleakScanner | None = None
        self._lost: asyncio.Future[None] | None = None

    async def attach(self, radio: Radio, listener: Listener) -> asyncio.Future[None]:
        async with self._changing:
            if self._scanner is None or self._lost is None or self._lost.done():
                lost = await radio.ready()
                scanner = BleakScanner(self._advertised, backend=radio.scanner_backend, bluez=_EVERY_ADVERTISEMENT)
                await _start(scanner)
                self._scanner, self._lost = scanner, lost
            self._listeners.append(listener)
            return self._lost

    async def detach(self, listener: Listener) -> None:
        async with self._changing:
            self._listeners.remove(listener)
            if not self._listeners and self._scanner is not None:
                scanner, self._scanner = self._scanner, None
                await scanner.stop()

    def _advertised(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        heard = recognise(device, advertisement)
        if heard is not None:
            for listener in tuple(self._listeners):
                listener(heard)


_ears: WeakKeyDictionary[Radio, _Ears] = WeakKeyDictionary()


@asynccontextmanager
async def listening(radio: Radio, heard: Listener) -> AsyncIterator[asyncio.Future[None]]:
    """Calls `heard` until the end of the block. The future given is done once the radio is gone; do not cancel it.

    Raises RadioUnavailable.
    """
    ears = _ears.setdefault(radio, _Ears())

    def listener(device: Heard) -> None:  # of this block alone: the same `heard` may be listening elsewhere
        heard(device)

    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            lost = await ears.attach(radio, listener)
    except _RADIO_ERRORS as error:
        raise RadioUnavailable(f"the radio cannot scan: {error}") from error
    try:
        yield lost
    finally:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await ears.detach(listener)
        except _RADIO_ERRORS as error:
            if not lost.done():
                raise RadioUnavailable(f"the radio cannot end its scan: {error}") from error


async def _start(scanner: BleakScanner) -> None:
    """Starts a scan; where BlueZ is still at an earlier one of ours, as soon as that has ended."""
    while True:
        try:
            await scanner.start()
        except BleakError as error:
            if not bluez.busy(error):
                raise
            await asyncio.sleep(BUSY_WAIT_S)
        else:
            return
