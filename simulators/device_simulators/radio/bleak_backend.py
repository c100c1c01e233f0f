"""bleak on a virtual radio: what the gateway finds under the entry point ``device_gateway.radios: virtual``."""

import asyncio
from pathlib import Path

from bleak.backends.device import BLEDevice

from device_simulators.radio.client import VirtualClient
from device_simulators.radio.host import Agent, Host
from device_simulators.radio.scanner import VirtualScanner


class VirtualRadio:
    """A radio at ``unix:PATH`` or ``tcp:HOST:PORT``.

    `scanner_backend` and `client_backend` go to bleak as ``backend=``. Bonds, and the address that they are bound to,
    are kept in the file `bonds`, as an operating system's Bluetooth stack keeps them for itself. `agent` is asked
    while a bond is made. Nothing is opened before the first scan or connection; a lost radio is joined again by the
    next one.
    """

    def __init__(self, spec: str, *, bonds: Path, agent: Agent) -> None:
        self._host = our_host = Host(spec, bonds, agent)

        class Scanner(VirtualScanner):
            host = our_host

        class Client(VirtualClient):
            host = our_host
            scanner = Scanner

        self.scanner_backend: type[VirtualScanner] = Scanner
        self.client_backend: type[VirtualClient] = Client

    async def ready(self) -> asyncio.Future[None]:
        """Joins the air where this was not done. The future is done when that stay on the air has ended."""
        return (await self._host.joined()).lost

    async def has_bond(self, device: BLEDevice) -> bool:
        """Whether there are keys of the device in `bonds`."""
        keys = (await self._host.joined()).device.keystore
        return keys is not None and await keys.get(str(device.details)) is not None

    async def accept_bond(self, device: BLEDevice, since: float) -> None:
        """Nothing to do: the agent was asked while the bond was made."""

    async def bond_of(self, device: BLEDevice) -> bytes | None:
        """Our keys of the device, and the address of ours that they are bound to, as JSON."""
        return await self._host.bond_of(str(device.details))

    async def take_bond(self, bond: bytes) -> str | None:
        """Goes on with a bond of another virtual host, under its address; why that cannot be, otherwise."""
        return await self._host.take_bond(bond)

    async def drop_bond(self, address: str) -> bool:
        """Forgets our keys of the device; there need not be any."""
        await self._host.drop_bond(address)
        return True

    async def close(self) -> None:
        """Leaves the air."""
        await self._host.close()
