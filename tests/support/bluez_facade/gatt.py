"""`org.bluez.GattService1`, `GattCharacteristic1` and `GattDescriptor1` of one device."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from bumble.att import ATT_Error
from bumble.core import BaseBumbleError, BaseError, ProtocolError
from bumble.device import Peer
from bumble.gatt_client import CharacteristicProxy, DescriptorProxy, ServiceProxy
from dbus_fast import DBusError, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusBytes, DBusDict, DBusObjectPath, DBusSignature, DBusStr, DBusUInt16
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from bluez_facade.wire import attribute_refusal, refusal, uuid_text

if TYPE_CHECKING:
    from bluez_facade.device import Device

T = TypeVar("T")
READ = PropertyAccess.READ
_CONFIGURATION = "00002902-0000-1000-8000-00805f9b34fb"  # BlueZ keeps this descriptor to itself
_BOND_WANTED = (0x05, 0x0F)
_FLAGS = (
    (0x01, "broadcast"),
    (0x02, "read"),
    (0x04, "write-without-response"),
    (0x08, "write"),
    (0x10, "notify"),
    (0x20, "indicate"),
    (0x40, "authenticated-signed-writes"),
    (0x80, "extended-properties"),
)


class GattObjects:
    """The tree of a device's attributes on the bus. It outlives a connection, as BlueZ's cache does."""

    def __init__(self, bus: MessageBus, device: "Device") -> None:
        self._bus = bus
        self._device = device
        self._exported: list[tuple[str, ServiceInterface]] = []
        self._characteristics: dict[int, GattCharacteristic] = {}

    def found(self, peer: Peer) -> None:
        """What a discovery found. The second time the objects are there and speak over the new connection."""
        known = bool(self._exported)
        for service in peer.services:
            path = f"{self._device.path}/service{service.handle:04x}"
            if not known:
                self._export(path, GattService(self._device.path, service))
            for characteristic in service.characteristics:
                if known:
                    self._characteristics[characteristic.handle].proxy = characteristic
                else:
                    self._add(path, characteristic)

    def disconnected(self) -> None:
        """Nothing is notified any more."""
        for characteristic in self._characteristics.values():
            characteristic.silent()

    def withdraw(self) -> None:
        for path, interface in reversed(self._exported):
            self._bus.unexport(path, interface)
        self._exported = []
        self._characteristics = {}

    def _add(self, service: str, characteristic: CharacteristicProxy[bytes]) -> None:
        path = f"{service}/char{characteristic.handle - 1:04x}"  # BlueZ names it by its declaration, one handle before
        found = self._characteristics[characteristic.handle] = GattCharacteristic(self._device, service, characteristic)
        self._export(path, found)
        for descriptor in characteristic.descriptors:
            if uuid_text(descriptor.type) != _CONFIGURATION:
                self._export(f"{path}/desc{descriptor.handle:04x}", GattDescriptor(self._device, path, descriptor))

    def _export(self, path: str, interface: ServiceInterface) -> None:
        self._bus.export(path, interface)
        self._exported.append((path, interface))


async def attempt(device: "Device", work: Callable[[Peer], Awaitable[T]]) -> T:
    """An operation on the attributes of a device, over a bond that is made when the device wants one."""
    if device.peer is None:
        raise refusal("Failed", "Not connected")
    try:
        try:
            return await work(device.peer)
        except (ATT_Error, ProtocolError) as error:
            if int(error.error_code) not in _BOND_WANTED or device.paired:
                raise attribute_refusal(error) from error
        await device.bond()
        return await work(device.peer)
    except DBusError:
        raise
    except (ATT_Error, ProtocolError) as error:
        raise attribute_refusal(error) from error
    except (BaseBumbleError, BaseError) as error:
        raise refusal("Failed", "Not connected") from error


class GattService(ServiceInterface):
    def __init__(self, device: str, proxy: ServiceProxy) -> None:
        super().__init__("org.bluez.GattService1")
        self._device = device
        self._uuid = uuid_text(proxy.uuid)

    @dbus_property(READ, name="UUID")
    def uuid(self) -> DBusStr:
        return self._uuid

    @dbus_property(READ, name="Primary")
    def primary(self) -> DBusBool:
        return True

    @dbus_property(READ, name="Device")
    def device(self) -> DBusObjectPath:
        return self._device


class GattCharacteristic(ServiceInterface):
    def __init__(self, device: "Device", service: str, proxy: CharacteristicProxy[bytes]) -> None:
        super().__init__("org.bluez.GattCharacteristic1")
        self.proxy = proxy
        self._device = device
        self._service = service
        self._value = b""
        self._listening: Callable[[bytes], None] | None = None

    def silent(self) -> None:
        """The connection is gone."""
        if self._listening is not None:
            self._listening = None
            self.emit_properties_changed({"Notifying": False})

    @dbus_method(name="ReadValue")
    async def read_value(self, _options: DBusDict) -> DBusBytes:
        self._value = bytes(await attempt(self._device, lambda peer: peer.read_value(self.proxy)))
        self.emit_properties_changed({"Value": self._value})
        return self._value

    @dbus_method(name="WriteValue")
    async def write_value(self, value: DBusBytes, options: DBusDict) -> None:
        answered = "type" not in options or options["type"].value != "command"
        await attempt(self._device, lambda peer: peer.write_value(self.proxy, bytes(value), with_response=answered))

    @dbus_method(name="StartNotify")
    async def start_notify(self) -> None:
        if self._listening is not None:
            raise refusal("InProgress", "In Progress")

        def arrived(value: Any) -> None:
            self._value = bytes(value)
            self.emit_properties_changed({"Value": self._value})

        self._listening = arrived
        try:
            await attempt(self._device, lambda peer: peer.subscribe(self.proxy, arrived))
        except BaseException:
            self._listening = None
            raise
        self.emit_properties_changed({"Notifying": True})

    @dbus_method(name="StopNotify")
    async def stop_notify(self) -> None:
        listening, self._listening = self._listening, None
        if listening is None:
            raise refusal("Failed", "No notify session started")
        await attempt(self._device, lambda peer: peer.unsubscribe(self.proxy, listening))
        self.emit_properties_changed({"Notifying": False})

    @dbus_property(READ, name="UUID")
    def uuid(self) -> DBusStr:
        return uuid_text(self.proxy.uuid)

    @dbus_property(READ, name="Service")
    def service(self) -> DBusObjectPath:
        return self._service

    @dbus_property(READ, name="Flags")
    def flags(self) -> Annotated[list[str], DBusSignature("as")]:
        return [name for bit, name in _FLAGS if int(self.proxy.properties) & bit]

    @dbus_property(READ, name="Notifying")
    def notifying(self) -> DBusBool:
        return self._listening is not None

    @dbus_property(READ, name="Value")
    def value(self) -> DBusBytes:
        return self._value

    @dbus_property(READ, name="MTU")
    def mtu(self) -> DBusUInt16:
        return self._device.connection.att_mtu if self._device.connection else 23


class GattDescriptor(ServiceInterface):
    def __init__(self, device: "Device", characteristic: str, proxy: DescriptorProxy) -> None:
        super().__init__("org.bluez.GattDescriptor1")
        self._device = device
        self._characteristic = characteristic
        self._proxy = proxy

    @dbus_method(name="ReadValue")
    async def read_value(self, _options: DBusDict) -> DBusBytes:
        return bytes(await attempt(self._device, lambda peer: peer.read_value(self._proxy)))

    @dbus_method(name="WriteValue")
    async def write_value(self, value: DBusBytes, _options: DBusDict) -> None:
        await attempt(self._device, lambda peer: peer.write_value(self._proxy, bytes(value), with_response=True))

    @dbus_property(READ, name="UUID")
    def uuid(self) -> DBusStr:
        return uuid_text(self._proxy.type)

    @dbus_property(READ, name="Characteristic")
    def characteristic(self) -> DBusObjectPath:
        return self._characteristic
