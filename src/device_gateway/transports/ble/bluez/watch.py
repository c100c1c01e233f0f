"""Whether `bluetoothd` is there, as the bus tells it.

bleak 3.1 notices when the bus itself goes, not when the daemon behind it does: a connection then stays "connected"
until somebody uses it. The bus announces each change of a name's owner the moment it happens.
"""

import asyncio
from contextlib import suppress
from typing import Final

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

BLUEZ: Final = "org.bluez"
DBUS: Final = "org.freedesktop.DBus"
DBUS_PATH: Final = "/org/freedesktop/DBus"
_RULE = f"type='signal',sender='{DBUS}',interface='{DBUS}',member='NameOwnerChanged',arg0='{BLUEZ}'"


class Watch:
    """One owner of the name `org.bluez`, watched until it goes. `lost` is done then, and when the bus goes."""

    def __init__(self, bus: MessageBus) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bus = bus
        self._bus_end = asyncio.create_task(self._until_bus_ends())

    async def start(self) -> None:
        """Watches from now on. Raises nothing; a bus that is gone is a loss."""
        self._bus.add_message_handler(self._heard)
        await self._bus.call(Message(DBUS, DBUS_PATH, DBUS, "AddMatch", signature="s", body=[_RULE]))

    def stop(self) -> None:
        """No more watching; what is watched is left behind, so it counts as lost."""
        self._bus.remove_message_handler(self._heard)
        self._bus_end.cancel()
        self._end()

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL or message.sender != DBUS:
            return
        if message.member != "NameOwnerChanged":
            return
        name, before, _after = message.body
        if name == BLUEZ and before:
            self._end()

    async def _until_bus_ends(self) -> None:
        with suppress(Exception):  # why it ended does not matter, and dbus-fast raises what the socket did
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast annotates nothing there
        self._end()

    def _end(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
