"""The radio of this host, or a virtual one. Everything else speaks bleak's public API and does not know which."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import BaseBleakScanner

from device_gateway.errors import PartMissing
from device_gateway.transports.ble.bluez.bond_files import BondFiles
from device_gateway.transports.ble.pairing_agent import PairingAgent

GROUP = "device_gateway.radios"
VIRTUAL = "virtual"
BLUEZ_DIRECTORY = Path("/var/lib/bluetooth")


class Radio(Protocol):
    """What bleak is given as ``backend=``; None is the platform's own."""

    @property
    def scanner_backend(self) -> type[BaseBleakScanner] | None: ...

    @property
    def client_backend(self) -> type[BaseBleakClient] | None: ...

    async def ready(self) -> asyncio.Future[None]:
        """Makes sure, before each scan and connection, that there is a radio and that it knows whom to ask.

        The future is done as soon as that radio has gone, and its links with it; do not cancel it. Raises
        RadioUnavailable or BleakError.
        """

    async def has_bond(self, device: BLEDevice) -> bool | None:
        """Whether this side has keys of the device; None where the operating system does not tell."""

    async def accept_bond(self, device: BLEDevice, since: float) -> None:
        """After a bond was made: asks whether it is wanted, where it proves nothing and nobody was asked meanwhile.

        `since` is the event loop's time when the connection began. Raises BondRefused; the bond is gone then.
        """

    async def bond_of(self, device: BLEDevice) -> bytes | None:
        """Our keys of the device, for another host to go on with; None where there are none, or the operating system
        does not give them away. What the octets mean is known to the same kind of radio only."""

    async def take_bond(self, bond: bytes) -> str | None:
        """Goes on with a bond of another host. None when it was taken; otherwise why not, a name of `not_taken`."""

    async def drop_bond(self, address: str) -> bool:
        """Forgets our keys of the device at `address`, there need not be any. False where that can only be done while
        the device is heard. Raises RadioUnavailable."""

    async def close(self) -> None:
        """Leaves the radio to others."""


class HostRadio:
    """The Bluetooth adapter of this host. Its bonds are the operating system's.

    On Linux BlueZ asks `agent` while it bonds. macOS asks the person at the screen and lets no program answer; through
    bleak Windows bonds without a passkey only, others are made in its settings. Where those lose their Bluetooth, bleak
    tells it to each connection.
    """

    scanner_backend: type[BaseBleakScanner] | None = None
    client_backend: type[BaseBleakClient] | None = None

    def __init__(self, agent: PairingAgent, bluez_directory: Path) -> None:
        self._bluez = None
        self._files = BondFiles(bluez_directory)
        if sys.platform == "linux":
            from device_gateway.transports.ble.bluez.host import BlueZ  # D-Bus is there on Linux only

            self._bluez = BlueZ(agent)

    async def ready(self) -> asyncio.Future[None]:
        return await self._bluez.ready() if self._bluez else asyncio.get_running_loop().create_future()

    async def has_bond(self, device: BLEDevice) -> bool | None:
        return await self._bluez.has_bond(device.details["path"]) if self._bluez else None

    async def accept_bond(self, device: BLEDevice, since: float) -> None:
        if self._bluez:
            await self._bluez.accept_bond(device.details["path"], since)

    async def bond_of(self, device: BLEDevice) -> bytes | None:
        return await asyncio.to_thread(self._files.read, device.address) if self._bluez else None

    async def take_bond(self, bond: bytes) -> str | None:
        return await asyncio.to_thread(self._files.write, bond) if self._bluez else "other_system"

    async def drop_bond(self, address: str) -> bool:
        if not self._bluez:
            return False
        await self._bluez.ready()
        return await self._bluez.remove(address)

    async def close(self) -> None:
        if self._bluez:
            await self._bluez.close()


@asynccontextmanager
async def open_radio(
    spec: str | None, bonds: Path, agent: PairingAgent, bluez_directory: Path = BLUEZ_DIRECTORY
) -> AsyncIterator[Radio]:
    """The virtual radio at `spec` (``unix:PATH`` or ``tcp:HOST:PORT``), or the host's when `spec` is empty.

    Whoever bonds asks `agent`. A virtual radio keeps its bonds in the file `bonds`, BlueZ those of this host under
    `bluez_directory`. Raises PartMissing when the package with the virtual radio is not installed.
    """
    radio = virtual_radio(spec, bonds, agent) if spec else HostRadio(agent, bluez_directory)
    try:
        yield radio
    finally:
        await radio.close()


def virtual_radio(spec: str, bonds: Path, agent: PairingAgent) -> Radio:
    """The radio behind the entry point ``device_gateway.radios: virtual``. Raises PartMissing."""
    found = entry_points(group=GROUP, name=VIRTUAL)
    if not found:
        raise PartMissing(
            f"a radio is set ({spec}), but no installed package offers the entry point {GROUP}: {VIRTUAL}"
        )
    make: Any = next(iter(found)).load()  # Any: found by name; `Radio` says what it must be
    radio: Radio = make(spec, bonds=bonds, agent=agent)
    return radio
