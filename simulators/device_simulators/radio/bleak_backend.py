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

    async def close(self) -> None:
        """Leaves the air."""
        await self._host.close()
