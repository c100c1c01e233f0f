"""`bluetoothd` as a process, people with more to say, and a meter that bonds in other ways."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ble_world import Person, Program, edge_process
from bluez_facade.stack import TEMPORARY_S, run_facade
from bumble.core import UUID, AdvertisingData
from bumble.data_types import CompleteLocalName, IncompleteListOf16BitServiceUUIDs
from bumble.device import Device, DeviceConfiguration
from bumble.gatt import Characteristic, Service
from bumble.hci import Address
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import Transport

from device_simulators.ble.running import join_air

BATTERY_PERCENT = 87
SPOOL_OCTETS = 64 * 1024 * 1024


async def edge_over_bluez(bus: str, data_dir: Path) -> None:
    """An edge in a hurry that is told of no radio, so takes the host's, on this system bus."""
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus
    await edge_process(data_dir, "", SPOOL_OCTETS)


class Daemon:
    """`bluetoothd`, whose bonds outlive it."""

    def __init__(self, bus: str, air: str, state: Path) -> None:
        self._arguments = (bus, air, state)
        self._program: Program | None = None
        self._temporary_s = TEMPORARY_S

    def ensure(self) -> None:
        """Running, as it was configured in the beginning."""
        if self._program is None or self._temporary_s != TEMPORARY_S:
            self.kill()
            self.start()

    def start(self, temporary_s: float = TEMPORARY_S) -> None:
        """`temporary_s`: for how long a device without a bond is known after a scan."""
        self._temporary_s = temporary_s
        self._program = Program(run_facade, *self._arguments, temporary_s)
        self._program.ready("bluez ready")

    def kill(self) -> None:
        """kill -9"""
        if self._program is not None:
            self._program.kill()
            self._program = None


class TouchMeter(PairingDelegate):
    """A meter in this process that shows and takes what `capability` says, and has nothing but a battery to read."""

    def __init__(self, transport: Transport, address: str, capability: PairingDelegate.IoCapability) -> None:
        keys = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
        super().__init__(capability, keys, keys)
        self.address = address
        self.shown: list[int] = []
        self.typed: asyncio.Queue[int] = asyncio.Queue()
        config = DeviceConfiguration(name="touch", address=Address(address))
        config.advertising_interval_min = config.advertising_interval_max = 100
        config.advertising_data = bytes(
            AdvertisingData(
                [IncompleteListOf16BitServiceUUIDs([UUID.from_16_bits(0x1808)]), CompleteLocalName("touch")]
            )
        )
        self._device = Device.from_config_with_hci(config, transport.source, transport.sink)
        self._device.keystore = MemoryKeyStore()
        self._device.pairing_config_factory = lambda _: PairingConfig(sc=True, mitm=True, bonding=True, delegate=self)
        level = Characteristic(
            UUID.from_16_bits(0x2A19), Characteristic.Properties.READ, Characteristic.READABLE, bytes([BATTERY_PERCENT])
        )
        self._device.add_service(Service(UUID.from_16_bits(0x180F), [level]))

    async def start(self) -> None:
        await self._device.power_on()
        await self._device.start_advertising(auto_restart=True)

    def ask_for_bond(self) -> None:
        """A Security Request, as of a device that wants a bond before anything else."""
        for connection in self._device.connections.values():
            connection.request_pairing()

    async def compare_numbers(self, number: int, digits: int) -> bool:  # noqa: ARG002  Bumble's signature
        self.shown.append(number)
        return True

    async def get_number(self) -> int | None:
        return await self.typed.get()


@asynccontextmanager
async def touch_meter(air: str, address: str, capability: PairingDelegate.IoCapability) -> AsyncIterator[TouchMeter]:
    """Such a meter, on the air."""
    transport = await join_air(air)
    try:
        meter = TouchMeter(transport, address, capability)
        await meter.start()
        yield meter
    finally:
        await transport.close()


@dataclass
class Patient(Person):
    """Does with a device whatever it asks for, after some thought."""

    thinks_s: float = 0
    interrupted: int = 0
    says_yes: bool = True
    compared: list[int] = field(default_factory=list)
    permitted: list[bool] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    keyboard: TouchMeter | None = None

    async def passkey(self, address: str) -> int | None:
        digits = await super().passkey(address)
        try:
            await asyncio.sleep(self.thinks_s)
        except asyncio.CancelledError:
            self.interrupted += 1
            raise
        return digits

    async def confirm(self, _address: str, number: int) -> bool:
        self.compared.append(number)
        return self.says_yes

    async def just_works(self, _address: str) -> bool:
        self.permitted.append(self.says_yes)
        return self.says_yes

    async def show(self, _address: str, passkey: int) -> bool:
        self.shown.append(passkey)
        if self.keyboard is not None:
            self.keyboard.typed.put_nowait(passkey)
        return self.keyboard is not None
