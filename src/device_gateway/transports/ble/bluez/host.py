"""Our place beside `bluetoothd` on the system bus: our agent known to it, and its going noticed."""

import asyncio
from contextlib import suppress
from typing import Any, Final

import structlog
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError

from device_gateway.transports.ble.bluez.agent import ANSWER_TIMEOUT_S as PERSON_TIMEOUT_S
from device_gateway.transports.ble.bluez.agent import CAPABILITY, Agent, address_of
from device_gateway.transports.ble.bluez.watch import BLUEZ, DBUS, DBUS_PATH, Watch
from device_gateway.transports.ble.errors import BondRefused, RadioUnavailable
from device_gateway.transports.ble.pairing_agent import PairingAgent

AGENT_PATH: Final = "/device_gateway/agent"
ANSWER_TIMEOUT_S: Final = 10.0  # bluetoothd answers in milliseconds, unless systemd has to start it first
LEAVE_TIMEOUT_S: Final = 2.0

_AGENTS = "org.bluez.AgentManager1"
_ALREADY = "org.bluez.Error.AlreadyExists"
_AGENT_REFUSED = "BlueZ does not take our agent"

_log = structlog.get_logger(__name__)


class BlueZ:
    """The system's BlueZ with `person` as its agent: before each connection `ready`, at the end `close`.

    BlueZ takes the questions of a bond to the agent of the program that asked for the bond, and bleak opens a
    connection to the bus for each device. So ours has to be the default agent; whose it was before has that place again
    after `close`.
    """

    def __init__(self, person: PairingAgent) -> None:
        self._person = person
        self._agent = Agent(person)
        self._bus: MessageBus | None = None
        self._watch: Watch | None = None
        self._bluez = ""  # the bus name that may ask
        self._starting = asyncio.Lock()

    @property
    def bus_name(self) -> str | None:
        """Under which name BlueZ finds our agent; None while we are not on the bus."""
        return self._bus.unique_name if self._bus else None

    async def ready(self) -> asyncio.Future[None]:
        """Has our agent registered; again where `bluetoothd` is another one than before. Raises RadioUnavailable.

        The future is done as soon as this `bluetoothd`, or the bus, has gone.
        """
        async with self._starting:
            if self._watch is None or self._watch.lost.done():
                self._leave()
                try:
                    async with asyncio.timeout(ANSWER_TIMEOUT_S):
                        self._watch = await self._register()
                except (OSError, EOFError, TimeoutError, AuthError) as error:
                    self._leave()
                    raise RadioUnavailable(f"the system bus does not answer: {error}") from error
                except BaseException:
                    self._leave()
                    raise
            return self._watch.lost

    async def has_bond(self, path: str) -> bool:
        """Whether BlueZ has keys of the device with this object path. False where it does not know the device."""
        if self._bus is None:
            return False
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reply = await self._call(
                    path, "org.freedesktop.DBus.Properties", "Get", "ss", ["org.bluez.Device1", "Paired"]
                )
        except (OSError, EOFError, TimeoutError):
            return False
        return reply.message_type is MessageType.METHOD_RETURN and bool(reply.body[0].value)

    async def accept_bond(self, path: str, since: float) -> None:
        """Has the person accept a bond for which BlueZ asked nobody `since` then (the event loop's time).

        It asks nobody about a bond without proof that a program of this host wants. Raises BondRefused.
        """
        address = address_of(path)
        if self._agent.asked_at(address) >= since or not await self.has_bond(path):
            return
        try:
            async with asyncio.timeout(PERSON_TIMEOUT_S):
                if await self._person.just_works(address):
                    return
        except Exception as error:  # a person who fails to answer is a person who refuses
            _log.warning("ble.agent_failed", asked="just_works", address=address, why=type(error).__name__)
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._call(path.rpartition("/")[0], "org.bluez.Adapter1", "RemoveDevice", "o", [path])
        raise BondRefused("a bond that proves nothing was not wanted")

    async def remove(self, address: str) -> bool:
        """Has BlueZ forget the device, where it knows it. Whether BlueZ has no keys of it any more."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                known = await self._call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", [])
                if known.message_type is not MessageType.METHOD_RETURN:
                    return False
                for path in [path for path in known.body[0] if address_of(path) == address]:
                    reply = await self._call(path.rpartition("/")[0], "org.bluez.Adapter1", "RemoveDevice", "o", [path])
                    if reply.message_type is not MessageType.METHOD_RETURN:
                        return False
        except (OSError, EOFError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Gives the place of the default agent back."""
        async with self._starting:
            if self._watch is not None and not self._watch.lost.done():
                with suppress(OSError, EOFError, TimeoutError):
                    async with asyncio.timeout(LEAVE_TIMEOUT_S):
                        await self._call("/org/bluez", _AGENTS, "UnregisterAgent", "o", [AGENT_PATH])
            self._leave()

    async def _register(self) -> Watch:
        bus = self._bus = MessageBus(bus_type=BusType.SYSTEM)
        await bus.connect()
        bus.add_message_handler(self._only_bluez)
        bus.export(AGENT_PATH, self._agent)
        watch = self._watch = Watch(bus)
        await watch.start()
        for member, signature, body in (
            ("RegisterAgent", "os", [AGENT_PATH, CAPABILITY]),
            ("RequestDefaultAgent", "o", [AGENT_PATH]),
        ):
            reply = await self._call("/org/bluez", _AGENTS, member, signature, body)
            if reply.message_type is MessageType.ERROR and reply.error_name != _ALREADY:
                raise RadioUnavailable(f"{_AGENT_REFUSED}: {reply.error_name} {' '.join(map(str, reply.body))}")
        self._bluez = await self._owner()
        _log.debug("ble.agent_registered")
        return watch

    async def _owner(self) -> str:
        """The bus name of the `bluetoothd` that took our agent."""
        if self._bus is None:
            raise EOFError("the system bus was left")
        question = Message(DBUS, DBUS_PATH, DBUS, "GetNameOwner", signature="s", body=[BLUEZ])
        reply = await self._bus.call(question)
        return str(reply.body[0]) if reply.message_type is MessageType.METHOD_RETURN else ""

    def _only_bluez(self, message: Message) -> Message | None:
        """Passkeys are given to BlueZ only, whoever else the policy of this bus lets in."""
        if message.message_type is not MessageType.METHOD_CALL or message.sender == self._bluez:
            return None
        return Message.new_error(message, "org.freedesktop.DBus.Error.AccessDenied", "only BlueZ may ask")

    async def _call(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> Message:
        if self._bus is None:
            raise EOFError("the system bus was left")
        return await self._bus.call(Message(BLUEZ, path, interface, member, signature=signature, body=body))

    def _leave(self) -> None:
        self._agent.give_up()
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None
