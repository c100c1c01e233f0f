"""`org.bluez.Device1`: a device that was heard, or that there is a bond with."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from bumble.core import BaseBumbleError, BaseError, ProtocolError
from bumble.device import Connection, Peer
from bumble.hci import Address, HCI_Error
from dbus_fast import DBusError, PropertyAccess, Variant
from dbus_fast.annotations import DBusBool, DBusInt16, DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from bluez_facade.gatt import GattObjects
from bluez_facade.wire import ADAPTER, SENDER, refusal

if TYPE_CHECKING:
    from bluez_facade.stack import Stack

READ = PropertyAccess.READ
CONNECT_TIMEOUT_S = 20.0
MTU = 517  # octets: the largest ATT MTU


class Device(ServiceInterface):
    """One device, its connection and what was found on it."""

    def __init__(self, stack: "Stack", address: Address, path: str, *, bonded: bool) -> None:
        super().__init__("org.bluez.Device1")
        self.path = path
        self.address = address
        self.connection: Connection | None = None
        self.peer: Peer | None = None
        self.wanted_bond = True  # by a program; or by the device
        self._stack = stack
        self._gatt = GattObjects(stack.bus, self)
        self._busy = asyncio.Lock()
        self._attempted: tuple[str, asyncio.Task[None]] | None = None  # program, and what runs for it
        self._resolving: asyncio.Task[None] | None = None
        self._bonding: asyncio.Future[None] | None = None
        self._values: dict[str, Any] = {
            "Name": "",
            "UUIDs": [],
            "ServiceData": {},
            "RSSI": -127,
            "Paired": bonded,
            "Bonded": bonded,
            "Trusted": bonded,
            "Connected": False,
            "ServicesResolved": False,
        }

    def change(self, **values: Any) -> None:
        """New values of properties, told to everybody."""
        self._values.update(values)
        self.emit_properties_changed(values)

    def heard(self, name: str, uuids: list[str], rssi: int, service_data: dict[str, bytes]) -> None:
        """An advertisement."""
        told: dict[str, Any] = {"RSSI": rssi}
        if name and name != self._values["Name"]:
            told["Name"] = told["Alias"] = name
        if uuids and uuids != self._values["UUIDs"]:
            told["UUIDs"] = uuids
        if service_data:
            told["ServiceData"] = {uuid: Variant("ay", content) for uuid, content in service_data.items()}
        self.change(**told)

    @property
    def temporary(self) -> bool:
        """Whether BlueZ would drop it when nobody discovers any more."""
        return not self._values["Paired"] and self.connection is None and not self._busy.locked()

    @dbus_method(name="Connect")
    async def connect(self) -> None:
        if self._busy.locked():
            raise refusal("InProgress", "In Progress")
        async with self._busy:
            if self.connection is None:
                await self._attempt(self._open_and_encrypt(), refusal("Failed", "br-connection-canceled"))
                self._resolve()

    @dbus_method(name="Pair")
    async def pair(self) -> None:
        if self._busy.locked():
            raise refusal("InProgress", "In Progress")
        async with self._busy:
            if self._values["Paired"]:
                raise refusal("AlreadyExists", "Already Exists")
            await self._attempt(self._open_and_bond(), refusal("AuthenticationCanceled", "Authentication Canceled"))
            self._resolve()

    @dbus_method(name="CancelPairing")
    def cancel_pairing(self) -> None:
        if self._attempted is None:
            raise refusal("DoesNotExist", "Does Not Exist")
        self._attempted[1].cancel()

    @dbus_method(name="Disconnect")
    async def disconnect(self) -> None:
        if self._attempted is not None:
            self._attempted[1].cancel()
        if self.connection is None:
            raise refusal("NotConnected", "Not Connected")
        await self.close()

    async def close(self) -> None:
        """Disconnects."""
        if self.connection is not None:
            await self.connection.disconnect()

    def forget(self, program: str) -> None:
        """The program has left the bus: nobody waits for its connection or its bond."""
        if self._attempted is not None and self._attempted[0] == program:
            self._attempted[1].cancel()

    def withdraw(self) -> None:
        """Takes the objects of the device off the bus."""
        self._gatt.withdraw()
        self._stack.bus.unexport(self.path, self)

    async def bond(self, *, ours: bool = True) -> None:
        """Bonds on the open connection, `ours`: because a program wants it. A failure ends the connection."""
        assert self.connection is not None
        self.wanted_bond = ours
        try:
            await self.connection.pair()
        except (ProtocolError, HCI_Error) as error:
            asking = self._stack.asking.pop(self.path, None)
            await self.close()
            if asking is not None and asking.refused:
                raise refusal("AuthenticationCanceled", "Authentication Canceled") from error
            raise refusal("AuthenticationFailed", "Authentication Failed") from error
        self.change(Paired=True, Bonded=True)

    async def _attempt(self, work: Coroutine[Any, Any, None], cancelled: DBusError) -> None:
        """What a program waits for. `Disconnect` ends it, and the program's leaving."""
        task = asyncio.create_task(work)
        self._attempted = (SENDER.get(), task)
        try:
            await task
        except asyncio.CancelledError:
            await self.close()
            raise cancelled from None
        finally:
            self._attempted = None

    async def _open_and_encrypt(self) -> None:
        await self._open()
        await self._encrypt()

    async def _open_and_bond(self) -> None:
        if self.connection is None:
            await self._open()
        await self.bond()

    async def _open(self) -> None:
        try:
            connection = await self._stack.connect(self.address, CONNECT_TIMEOUT_S)
        except (BaseBumbleError, BaseError, HCI_Error, TimeoutError) as error:
            raise refusal("ConnectionAttemptFailed", "Page Timeout") from error
        self.connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, self._down)
        connection.on(Connection.EVENT_SECURITY_REQUEST, self._bond_is_asked_for)
        self.change(Connected=True)

    async def _encrypt(self) -> None:
        """With the keys of the bond. A device that has forgotten them ends the connection."""
        if not self._values["Paired"]:
            return
        assert self.connection is not None
        try:
            await self.connection.encrypt()
        except (BaseBumbleError, BaseError, HCI_Error, asyncio.CancelledError) as error:
            await self.close()
            raise refusal("Failed", "br-connection-canceled") from error

    def _resolve(self) -> None:
        self._resolving = asyncio.create_task(self._discover())

    async def _discover(self) -> None:
        assert self.connection is not None
        peer = Peer(self.connection)
        try:
            await peer.request_mtu(MTU)
            await peer.discover_all()
        except (BaseBumbleError, BaseError, asyncio.CancelledError):
            return  # the connection went, and that was told
        self.peer = peer
        self._gatt.found(peer)
        self.change(ServicesResolved=True)

    def _bond_is_asked_for(self, _requirements: int) -> None:
        """By the device. While we bond anyway it says nothing new."""
        if self._attempted is None and not self._values["Paired"]:
            self._bonding = asyncio.ensure_future(self._bond_as_asked())

    async def _bond_as_asked(self) -> None:
        with suppress(DBusError):  # there is no program to tell
            await self.bond(ours=False)

    def _down(self, _reason: int) -> None:
        self.connection = self.peer = None
        self._gatt.disconnected()
        self.change(ServicesResolved=False)
        self.change(Connected=False)

    @dbus_property(READ, name="Address")
    def bluetooth_address(self) -> DBusStr:
        return self.address.to_string(False)

    @dbus_property(READ, name="AddressType")
    def address_type(self) -> DBusStr:
        return "random" if self.address.is_random else "public"

    @dbus_property(READ, name="Adapter")
    def adapter(self) -> DBusObjectPath:
        return ADAPTER

    @dbus_property(READ, name="Name")
    def device_name(self) -> DBusStr:
        return self._values["Name"]

    @dbus_property(READ, name="Alias")
    def alias(self) -> DBusStr:
        return self._values["Name"] or self.address.to_string(False).replace(":", "-")

    @dbus_property(READ, name="UUIDs")
    def uuids(self) -> Annotated[list[str], DBusSignature("as")]:
        return self._values["UUIDs"]

    @dbus_property(READ, name="ServiceData")
    def service_data(self) -> Annotated[dict[str, Variant], DBusSignature("a{sv}")]:
        return self._values["ServiceData"]

    @dbus_property(READ, name="RSSI")
    def rssi(self) -> DBusInt16:
        return self._values["RSSI"]

    @dbus_property(READ, name="Paired")
    def paired(self) -> DBusBool:
        return self._values["Paired"]

    @dbus_property(READ, name="Bonded")
    def bonded(self) -> DBusBool:
        return self._values["Bonded"]

    @dbus_property(READ, name="Connected")
    def connected(self) -> DBusBool:
        return self._values["Connected"]

    @dbus_property(READ, name="ServicesResolved")
    def services_resolved(self) -> DBusBool:
        return self._values["ServicesResolved"]

    @dbus_property(name="Trusted")
    def trusted(self) -> DBusBool:
        return self._values["Trusted"]

    @trusted.setter
    def trusted(self, value: DBusBool) -> None:
        self.change(Trusted=value)
