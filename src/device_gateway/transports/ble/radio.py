"""The radio of this host, or a virtual one. Everything else speaks bleak's public API and does not know which."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from device_gateway.errors import PartMissing

GROUP = "device_gateway.radios"
VIRTUAL = "virtual"


class PairingAgent(Protocol):
    """Answers for the person who holds the device."""

    async def passkey(self, address: str) -> int | None:
        """The six digits that the device at `address` shows, None to refuse the bond."""


class Radio(Protocol):
    """What bleak is given as ``backend=``; None is the platform's own."""

    @property
    def scanner_backend(self) -> type[BaseBleakScanner] | None: ...

    @property
    def client_backend(self) -> type[BaseBleakClient] | None: ...

    async def close(self) -> None:
        """Leaves the radio to others."""


class HostRadio:
    """The Bluetooth adapter of this host. Its bonds are the operating system's, which also asks for the passkey."""

    scanner_backend: type[BaseBleakScanner] | None = None
    client_backend: type[BaseBleakClient] | None = None

    async def close(self) -> None:
        """Nothing is held between scans and connections."""


@asynccontextmanager
async def open_radio(spec: str | None, bonds: Path, agent: PairingAgent) -> AsyncIterator[Radio]:
    """The virtual radio at `spec` (``unix:PATH`` or ``tcp:HOST:PORT``), or the host's when `spec` is empty.

    A virtual radio keeps its bonds in the file `bonds` and asks `agent` for passkeys. Raises PartMissing when the
    package with the virtual radio is not installed.
    """
    radio = virtual_radio(spec, bonds, agent) if spec else HostRadio()
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
