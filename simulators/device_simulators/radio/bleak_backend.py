"""bleak on a virtual radio: what the gateway finds under the entry point ``device_gateway.radios: virtual``."""

from pathlib import Path

from device_simulators.radio.client import VirtualClient
from device_simulators.radio.host import Host, PasskeyAgent
from device_simulators.radio.scanner import VirtualScanner


class VirtualRadio:
    """A radio at ``unix:PATH`` or ``tcp:HOST:PORT``.

    `scanner_backend` and `client_backend` go to bleak as ``backend=``. Bonds, and the address that they are bound to,
    are kept in the file `bonds`, as an operating system's Bluetooth stack keeps them for itself. `agent` is asked for
    the passkey. Nothing is opened before the first scan or connection; a lost radio is joined again by the next one.
    """

    def __init__(self, spec: str, *, bonds: Path, agent: PasskeyAgent) -> None:
        self._host = our_host = Host(spec, bonds, agent)

        class Scanner(VirtualScanner):
            host = our_host

        class Client(VirtualClient):
            host = our_host
            scanner = Scanner

        self.scanner_backend: type[VirtualScanner] = Scanner
        self.client_backend: type[VirtualClient] = Client

    async def close(self) -> None:
        """Leaves the air."""
        await self._host.close()
