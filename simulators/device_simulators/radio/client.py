"""bleak's client backend on a virtual radio."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bumble.device import Connection, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import HCI_LE_Create_Connection_Cancel_Command

from device_simulators.radio.host import COMMAND_TIMEOUT_S, PASSKEY_TIMEOUT_S, Host, Joined
from device_simulators.radio.scanner import VirtualScanner, uuid_text
from device_simulators.radio.waiting import bounded

T = TypeVar("T")

ATT_TIMEOUT_S = 30.0  # Bluetooth Core 5.4, vol. 3, part F, 3.3.3: a transaction without an answer is over then
ENCRYPT_TIMEOUT_S = 10.0
DISCONNECT_TIMEOUT_S = 5.0
MTU = 517  # octets: the largest ATT MTU


class Link:
    """One connection, from its first moment to its last."""

    def __init__(self, joined: Joined, connection: Connection) -> None:
        self.joined = joined
        self.connection = connection
        self.peer = Peer(connection)
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self.end())
        joined.lost.add_done_callback(lambda _lost: self.end())

    def end(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


class VirtualClient(BaseBleakClient):
    """What `BleakClient(backend=…)` drives. `VirtualRadio` makes the subclass that knows its host and its scanner.

    Every wait has a time-out and ends with BleakError when the link or the whole radio is lost.
    """

    host: ClassVar[Host]
    scanner: ClassVar[type[VirtualScanner]]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_platform_arguments: Any,  # Any: options of other platforms, by bleak's contract ignored
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._device = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._wanted = services
        self._link: Link | None = None
        self._callbacks: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        return (self._device and self._device.name) or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._link.connection.att_mtu if self._link else 23

    @property
    def is_connected(self) -> bool:
        return self._link is not None and not self._link.lost.done()

    async def connect(self, pair: bool, **_platform_arguments: Any) -> None:
        if self.is_connected:
            raise BleakError("already connected")
        device = self._device = self._device or await self._find()
        joined = await self.host.joined()
        self._callbacks.clear()
        link = self._link = Link(joined, await self._open(joined, device))
        try:
            if await self._bonded(link):
                await self._on_link(link.connection.encrypt(), "encrypt", ENCRYPT_TIMEOUT_S)
            elif pair:
                await self._on_link(link.connection.pair(), "pair", PASSKEY_TIMEOUT_S)
            await self._on_link(link.peer.request_mtu(MTU), "exchange MTU")
            await self._on_link(
                link.peer.discover_all(),  # type: ignore[no-untyped-call]  # Bumble annotates nothing there
                "discover services",
            )
        except BaseException:
            await self.disconnect()
            raise
        self.services = self._collection(link.peer)
        link.lost.add_done_callback(lambda _lost: self._ended(link))

    async def disconnect(self) -> None:
        link = self._link
        if link is None:
            return
        if not link.lost.done():
            with suppress(BleakError, TimeoutError):
                await bounded(link.connection.disconnect(), link.lost, DISCONNECT_TIMEOUT_S, "disconnect")
            link.end()
        self._link = None
        self.services = None

    async def pair(self, *_arguments: Any, **_platform_arguments: Any) -> None:
        link = self._connected()
        if not await self._bonded(link):
            await self._on_link(link.connection.pair(), "pair", PASSKEY_TIMEOUT_S)

    async def unpair(self) -> None:
        await self.disconnect()
        joined = await self.host.joined()
        keys = joined.device.keystore
        try:
            if keys is not None:
                await keys.delete(self.address)
        except KeyError as error:
            raise BleakDeviceNotFoundError(self.address, "there is no bond with this device") from error

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_options: Any) -> bytearray:
        return bytearray(await self._on_link(characteristic.obj.read_value(), "read"))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_options: Any) -> bytearray:
        return bytearray(await self._on_link(descriptor.obj.read_value(), "read"))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        await self._on_link(characteristic.obj.write_value(bytes(data), with_response=response), "write")

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._on_link(descriptor.obj.write_value(bytes(data), with_response=True), "write")

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_platform_arguments: Any
    ) -> None:
        if characteristic.handle in self._callbacks:
            raise BleakError("notifications are started already")

        def arrived(value: bytes) -> None:
            callback(bytearray(value))

        await self._on_link(characteristic.obj.subscribe(arrived), "subscribe")
        self._callbacks[characteristic.handle] = arrived

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        arrived = self._callbacks.pop(characteristic.handle, None)
        await self._on_link(characteristic.obj.unsubscribe(arrived), "unsubscribe")

    async def _find(self) -> BLEDevice:
        found = await BleakScanner.find_device_by_address(self.address, self._timeout, backend=self.scanner)
        if found is None:
            raise BleakDeviceNotFoundError(self.address, f"no device with the address {self.address} is heard")
        return found

    async def _open(self, joined: Joined, device: BLEDevice) -> Connection:
        longest_s = self._timeout + COMMAND_TIMEOUT_S  # Bumble's own comes first: it also stops the controller
        async with joined.connecting:
            opening = joined.device.connect(device.details, timeout=self._timeout)
            try:
                return await bounded(opening, joined.lost, longest_s, "connect")
            except asyncio.CancelledError:
                with suppress(BleakError, TimeoutError):
                    stopping = joined.device.send_sync_command(HCI_LE_Create_Connection_Cancel_Command())
                    await bounded(stopping, joined.lost, COMMAND_TIMEOUT_S, "stop connecting")
                raise

    async def _bonded(self, link: Link) -> bool:
        keys = link.joined.device.keystore
        return keys is not None and await keys.get(str(link.connection.peer_address)) is not None

    def _connected(self) -> Link:
        if self._link is None or self._link.lost.done():
            raise BleakError("not connected")
        return self._link

    async def _on_link(self, work: Any, doing: str, timeout_s: float = ATT_TIMEOUT_S) -> Any:
        """`work` (a Bumble coroutine; Bumble types few of them) on the link, or why it could not be done."""
        try:
            link = self._connected()
        except BleakError:
            work.close()
            raise
        return await bounded(work, link.lost, timeout_s, doing)

    def _ended(self, link: Link) -> None:
        if self._link is not link:
            return
        self._link = None
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    def _collection(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for service in peer.services:
            uuid = uuid_text(service.uuid)
            if self._wanted is not None and uuid not in self._wanted:
                continue
            found = BleakGATTService(service, service.handle, uuid)
            collection.add_service(found)
            for characteristic in service.characteristics:
                self._add_characteristic(collection, found, characteristic)
        return collection

    def _add_characteristic(
        self,
        collection: BleakGATTServiceCollection,
        service: BleakGATTService,
        proxy: CharacteristicProxy[bytes],
    ) -> None:
        found = BleakGATTCharacteristic(
            proxy,
            proxy.handle,
            uuid_text(proxy.uuid),
            list(gatt_char_props_to_strs(int(proxy.properties))),
            lambda: self.mtu_size - 3,
            service,
        )
        collection.add_characteristic(found)
        for descriptor in proxy.descriptors:
            collection.add_descriptor(
                BleakGATTDescriptor(descriptor, descriptor.handle, uuid_text(descriptor.type), found)
            )
