"""The gateway's side of the virtual radio: one Bluetooth host that all scanners and clients of a process share."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from bumble import hci
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport import open_transport
from bumble.transport.common import Transport

from device_simulators.radio.address import BadRadioAddress, UnixAddress, parse_radio_address
from device_simulators.radio.bonds import Bonds, bond_of, drop_bond, take_bond
from device_simulators.radio.json_file import read_json, write_json
from device_simulators.radio.waiting import bounded

T = TypeVar("T")

OPEN_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 10.0  # a command to our own controller, in a process on the same host
PASSKEY_TIMEOUT_S = 30.0  # Security Manager time-out, Bluetooth Core 5.4, vol. 3, part H, 3.4

_ENCRYPTION_KEY_ONLY = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY

_log = structlog.get_logger(__name__)


class Agent(Protocol):
    """Whoever holds the device."""

    async def passkey(self, address: str) -> int | None:
        """The six digits that the device shows, None to refuse."""

    async def confirm(self, address: str, number: int) -> bool:
        """Whether the device shows `number` too."""

    async def just_works(self, address: str) -> bool:
        """Whether a bond without any proof is wanted."""

    async def show(self, address: str, passkey: int) -> bool:
        """Six digits to be typed on the device; whether there is anybody to do it."""


class _Pairing(PairingDelegate):
    """Answers what the agent answers.

    Only the encryption key is distributed: with an identity key Bumble waits for an advertisement before each
    connection, and devices with a static address have no use for one.
    """

    def __init__(self, address: str, agent: Agent) -> None:
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT, _ENCRYPTION_KEY_ONLY, _ENCRYPTION_KEY_ONLY)
        self._address = address
        self._agent = agent

    async def get_number(self) -> int | None:
        return await self._answer(self._agent.passkey(self._address), None)

    async def compare_numbers(self, number: int, digits: int) -> bool:  # noqa: ARG002  Bumble's signature
        return await self._answer(self._agent.confirm(self._address, number), False)

    async def confirm(self, auto: bool = False) -> bool:  # noqa: ARG002  Bumble's signature
        return await self._answer(self._agent.just_works(self._address), False)

    async def display_number(self, number: int, digits: int) -> None:  # noqa: ARG002  Bumble's signature
        await self._answer(self._agent.show(self._address, number), False)

    async def _answer(self, question: Awaitable[T], refusal: T) -> T:
        try:
            return await asyncio.wait_for(question, PASSKEY_TIMEOUT_S)
        except Exception as error:  # an agent that fails is an agent that refuses
            _log.warning("radio.agent_failed", address=self._address, why=type(error).__name__)
            return refusal


class Joined:
    """One stay on the air, from joining it until it is lost or left."""

    def __init__(self, transport: Transport, device: Device, kept: dict[str, Any]) -> None:
        self.transport = transport
        self.device = device
        self.kept = kept  # our address and our bonds, as they are in the file
        self.lost: asyncio.Future[None] = transport.source.terminated
        self.connecting = asyncio.Lock()  # a controller has one pending connection at a time
        self.scanning = asyncio.Lock()
        self.listeners: set[Callable[[Advertisement], None]] = set()


class Host:
    """Joins the air when it is first needed, and again when it was lost."""

    def __init__(self, spec: str, bonds: Path, agent: Agent) -> None:
        self._spec = spec
        self._bonds_file = bonds
        self._agent = agent
        self._joined: Joined | None = None
        self._joining = asyncio.Lock()

    async def joined(self) -> Joined:
        """The present stay on the air. Raises BleakBluetoothNotAvailableError when there is no air to join."""
        async with self._joining:
            if self._joined is None or self._joined.lost.done():
                self._joined = await self._join()
            return self._joined

    async def bond_of(self, peer: str) -> bytes | None:
        """Our bond with `peer` (as Bumble writes its address), for another host."""
        async with self._joining:
            return bond_of(read_json(self._bonds_file), peer)

    async def take_bond(self, bond: bytes) -> str | None:
        """Takes a bond of another host; why it cannot, otherwise. Whoever is on the air leaves it before."""
        await self.close()
        async with self._joining:
            kept = read_json(self._bonds_file)
            refused = take_bond(kept, bond)
            if refused is None:
                write_json(self._bonds_file, kept)
            return refused

    async def drop_bond(self, address: str) -> None:
        """Forgets the peer at `address`, on the air or not."""
        async with self._joining:
            kept = self._joined.kept if self._joined is not None else read_json(self._bonds_file)
            if drop_bond(kept, address):
                write_json(self._bonds_file, kept)

    async def close(self) -> None:
        """Leaves the air: links end, peers see it at once."""
        async with self._joining:
            if self._joined is not None:
                await self._joined.transport.close()
                self._joined = None

    async def _join(self) -> Joined:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                transport = await open_transport(_bumble_transport(self._spec))
                try:
                    return await self._power_on(transport)
                except BaseException:
                    await transport.close()
                    raise
        except (OSError, ValueError, TimeoutError, BadRadioAddress) as error:
            raise BleakBluetoothNotAvailableError(
                f"no virtual radio at {self._spec}: {error or 'no answer'}",
                BleakBluetoothNotAvailableReason.NO_BLUETOOTH,
            ) from error

    async def _power_on(self, transport: Transport) -> Joined:
        kept = read_json(self._bonds_file)
        if "address" not in kept:  # ours must stay the same, or no device would find its bond with us again
            kept = {"address": hci.Address.generate_static_address().to_string(False), "bonds": {}}
            write_json(self._bonds_file, kept)
        config = DeviceConfiguration(name="Device Gateway", address=hci.Address(kept["address"]))
        device = Device.from_config_with_hci(config, transport.source, transport.sink)
        device.keystore = Bonds(kept["bonds"], lambda: write_json(self._bonds_file, kept))
        device.pairing_config_factory = self._pairing_config
        joined = Joined(transport, device, kept)
        device.on(Device.EVENT_ADVERTISEMENT, lambda heard: _tell(joined, heard))
        await bounded(device.power_on(), joined.lost, COMMAND_TIMEOUT_S, "power on")
        return joined

    def _pairing_config(self, connection: Connection) -> PairingConfig:
        address = connection.peer_address.to_string(False)
        return PairingConfig(sc=True, mitm=True, bonding=True, delegate=_Pairing(address, self._agent))


async def listen(joined: Joined, listener: Callable[[Advertisement], None]) -> None:
    """Calls `listener` for each advertisement heard, until `stop_listening`."""
    async with joined.scanning:
        if not joined.listeners:
            await bounded(joined.device.start_scanning(), joined.lost, COMMAND_TIMEOUT_S, "start scanning")
        joined.listeners.add(listener)


async def stop_listening(joined: Joined, listener: Callable[[Advertisement], None]) -> None:
    """No more advertisements for `listener`; the last to go ends the scan. A lost radio has none to end."""
    async with joined.scanning:
        joined.listeners.discard(listener)
        if not joined.listeners and not joined.lost.done():
            await bounded(joined.device.stop_scanning(), joined.lost, COMMAND_TIMEOUT_S, "stop scanning")


def _tell(joined: Joined, heard: Advertisement) -> None:
    for listener in tuple(joined.listeners):
        listener(heard)


def _bumble_transport(spec: str) -> str:
    """Bumble's name of the same address."""
    address = parse_radio_address(spec)
    if isinstance(address, UnixAddress):
        return f"unix:{address.path}"
    return f"tcp-client:{address.host}:{address.port}"
