"""`org.bluez.Adapter1`: the one adapter, `hci0`."""

import asyncio
from typing import TYPE_CHECKING, Annotated

from dbus_fast import PropertyAccess
from dbus_fast.annotations import DBusBool, DBusDict, DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from bluez_facade.wire import SENDER, refusal

if TYPE_CHECKING:
    from bluez_facade.stack import Stack

READ = PropertyAccess.READ
_Strings = Annotated[list[str], DBusSignature("as")]


class Adapter(ServiceInterface):
    """Discovers while any program wants it to."""

    def __init__(self, stack: "Stack") -> None:
        super().__init__("org.bluez.Adapter1")
        self._stack = stack
        self._filters: dict[str, set[str]] = {}  # service UUIDs by program
        self._discovering: set[str] = set()  # programs
        self._changing = asyncio.Lock()

    def wants(self, uuids: set[str]) -> bool:
        """Whether a program that discovers now wants a device with these services."""
        wanted = [self._filters.get(program) for program in self._discovering]
        return any(not services or services & uuids for services in wanted)

    @dbus_method(name="SetDiscoveryFilter")
    def set_discovery_filter(self, properties: DBusDict) -> None:
        uuids = properties.get("UUIDs")
        self._filters[SENDER.get()] = set(uuids.value) if uuids else set()

    @dbus_method(name="StartDiscovery")
    async def start_discovery(self) -> None:
        async with self._changing:
            if SENDER.get() in self._discovering:
                raise refusal("InProgress", "Operation already in progress")
            self._discovering.add(SENDER.get())
            if len(self._discovering) == 1:
                await self._stack.device.start_scanning(active=True, filter_duplicates=False)
                self.emit_properties_changed({"Discovering": True})

    @dbus_method(name="StopDiscovery")
    async def stop_discovery(self) -> None:
        if SENDER.get() not in self._discovering:
            raise refusal("Failed", "No discovery started")
        await self.forget(SENDER.get())

    @dbus_method(name="RemoveDevice")
    async def remove_device(self, path: DBusObjectPath) -> None:
        if path not in self._stack.devices:
            raise refusal("DoesNotExist", "Does Not Exist")
        await self._stack.remove(path)

    async def forget(self, program: str) -> None:
        """The program discovers no more, or has left the bus."""
        self._filters.pop(program, None)
        async with self._changing:
            if program not in self._discovering:
                return
            self._discovering.discard(program)
            if not self._discovering:
                await self._stack.device.stop_scanning()
                self.emit_properties_changed({"Discovering": False})
                self._stack.discovery_ended()

    @dbus_property(READ, name="Address")
    def address(self) -> DBusStr:
        return str(self._stack.device.random_address).split("/")[0]

    @dbus_property(READ, name="Name")
    def adapter_name(self) -> DBusStr:
        return "facade"

    @dbus_property(READ, name="Alias")
    def alias(self) -> DBusStr:
        return "facade"

    @dbus_property(READ, name="Powered")
    def powered(self) -> DBusBool:
        return True

    @dbus_property(READ, name="Discovering")
    def discovering(self) -> DBusBool:
        return bool(self._discovering)

    @dbus_property(READ, name="Roles")
    def roles(self) -> _Strings:
        return ["central"]

    @dbus_property(READ, name="UUIDs")
    def uuids(self) -> _Strings:
        return []
