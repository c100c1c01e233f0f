"""What every simulated device does: switch on, attend to who connects, keep or forget bonds, misbehave where told."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import ClassVar

from bumble.core import BaseBumbleError
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service
from bumble.hci import HCI_Error
from bumble.transport.common import Transport

from device_simulators.ble.clock_service import ClockService
from device_simulators.ble.device_memory import DeviceMemory
from device_simulators.ble.device_options import DeviceOptions
from device_simulators.ble.misbehaviour import Misbehaviour
from device_simulators.ble.peripheral import Security, battery, device_information, is_subscribed, peripheral
from device_simulators.ble.running import run_device

_NOTIFY, _INDICATE = 1, 2
_UNSENT_LIMIT = 32  # notifications handed to the radio and not sent yet: an abort stops the rest


class SimulatedDevice(ABC):
    """One device. `memory` outlives the radio: `start` may be called again after it was lost."""

    kind: ClassVar[str]  # said when it is ready
    model: ClassVar[str]
    advertised: ClassVar[int]  # 16-bit UUID of the service that it is found by
    security: ClassVar[Security]

    memory: DeviceMemory

    def __init__(self, options: DeviceOptions, *, passkey: int | None = None, bad_crc: bool = False) -> None:
        self._options = options
        self._passkey = passkey
        self._delay_s = 0.0
        self.misbehaviour = Misbehaviour(options.faults if not bad_crc else options.faults.with_bad_crc(), options.seed)
        self._bonds_to_forget = options.forget_bond
        self._attending: dict[Connection, asyncio.Task[None]] = {}

    async def start(self, transport: Transport) -> None:
        """Switches the device on: it advertises and can be connected to until the transport ends."""
        options = self._options
        for attending in self._attending.values():  # of a radio that was lost
            attending.cancel()
        self._attending.clear()
        device = self.device = peripheral(
            transport,
            name=options.name,
            address=options.address,
            passkey=self._passkey,
            compares=options.compare_numbers,
            bonds=self.memory.bonds,
            service=self.advertised,
        )
        device.gatt_server.max_mtu = options.mtu
        device.add_services(
            [
                *self.services(),
                device_information(self.model, options.serial, "1.0"),
                battery(options.battery),
                ClockService(self.memory, self.security).service,
            ]
        )
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        await device.power_on()
        await device.start_advertising(auto_restart=True)

    async def live(self) -> None:
        """Measures every `interval_s` while the device runs."""
        while self._options.interval_s > 0:
            await asyncio.sleep(self._options.interval_s)
            await self.measure()

    @abstractmethod
    def services(self) -> list[Service]:
        """The services of this kind of device, made anew for `self.device`."""

    @abstractmethod
    async def measure(self) -> None:
        """One more measurement, now."""

    @abstractmethod
    async def attend(self, connection: Connection) -> None:
        """What is done by itself for a peer, for as long as it is connected; cancelled when it goes."""

    @property
    def attended(self) -> list[Connection]:
        """Who is connected now."""
        return list(self._attending)

    async def notify(self, connection: Connection, characteristic: Characteristic[bytes], value: bytes) -> None:
        """One notification, faults included; waits while the radio is behind."""
        for _ in range(await self._copies(connection)):
            await self.device.notify_subscriber(connection, characteristic, value)
        queue = self.device.host.le_acl_packet_queue
        if queue is not None and queue.pending > _UNSENT_LIMIT:
            await queue.drain(connection.handle)
        await asyncio.sleep(self._delay_s)

    async def indicate(self, connection: Connection, characteristic: Characteristic[bytes], value: bytes) -> None:
        """One indication, faults included, and its confirmation. TimeoutError when that does not come."""
        for _ in range(await self._copies(connection)):
            await self.device.indicate_subscriber(connection, characteristic, value)
        await asyncio.sleep(self._delay_s)

    def notifies(self, connection: Connection, characteristic: Characteristic[bytes]) -> bool:
        """Whether the peer asked for notifications."""
        return is_subscribed(self.device, connection, characteristic, _NOTIFY)

    def indicates(self, connection: Connection, characteristic: Characteristic[bytes]) -> bool:
        """Whether the peer asked for indications."""
        return is_subscribed(self.device, connection, characteristic, _INDICATE)

    async def _copies(self, connection: Connection) -> int:
        if self.misbehaviour.drops_link():
            with suppress(BaseBumbleError, HCI_Error):  # it is gone already
                await connection.disconnect()
        return self.misbehaviour.copies()

    def _on_connection(self, connection: Connection) -> None:
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._on_disconnection(connection))
        self._attending[connection] = asyncio.create_task(self._attend(connection))

    async def _attend(self, connection: Connection) -> None:
        try:
            await self.attend(connection)
        except TimeoutError:  # what was indicated is not confirmed: Core 5.4, vol. 3, part F, 3.3.3 ends the link
            await connection.disconnect()

    def _on_disconnection(self, connection: Connection) -> None:
        attending = self._attending.pop(connection, None)
        if attending is not None:
            attending.cancel()
        if self._bonds_to_forget and connection.encryption:
            self._bonds_to_forget = False
            self.memory.forget_bonds()


async def run_simulated(radio: str, device: SimulatedDevice, options: DeviceOptions) -> None:
    """The device on the radio at `radio`, until SIGTERM. Prints ``KIND ready ADDRESS NAME``."""
    await run_device(radio, device.start, f"{device.kind} ready {options.address} {options.name}", device.live)
