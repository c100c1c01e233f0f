"""`org.bluez.AgentManager1`: which program is asked, and asking it."""

import asyncio
from typing import Any

from bumble.pairing import PairingDelegate
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method

from bluez_facade.wire import SENDER, refusal

_ENCRYPTION_KEY_ONLY = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
_CAPABILITIES = {
    "": PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
    "KeyboardDisplay": PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
    "DisplayYesNo": PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
    "DisplayOnly": PairingDelegate.DISPLAY_OUTPUT_ONLY,
    "KeyboardOnly": PairingDelegate.KEYBOARD_INPUT_ONLY,
    "NoInputNoOutput": PairingDelegate.NO_OUTPUT_NO_INPUT,
}


class AgentManager(ServiceInterface):
    """Agents by the bus name of their program. The one that became default last is asked."""

    def __init__(self, bus: MessageBus) -> None:
        super().__init__("org.bluez.AgentManager1")
        self._bus = bus
        self._agents: dict[str, tuple[str, PairingDelegate.IoCapability]] = {}
        self._defaults: list[str] = []

    @dbus_method(name="RegisterAgent")
    def register_agent(self, path: DBusObjectPath, capability: DBusStr) -> None:
        if SENDER.get() in self._agents:
            raise refusal("AlreadyExists", "Already Exists")
        if capability not in _CAPABILITIES:
            raise refusal("InvalidArguments", "Invalid arguments in method call")
        self._agents[SENDER.get()] = (path, _CAPABILITIES[capability])

    @dbus_method(name="RequestDefaultAgent")
    def request_default_agent(self, path: DBusObjectPath) -> None:
        self._own(path)
        self._defaults.append(SENDER.get())

    @dbus_method(name="UnregisterAgent")
    def unregister_agent(self, path: DBusObjectPath) -> None:
        self._own(path)
        self.forget(SENDER.get())

    def forget(self, program: str) -> None:
        """The program has unregistered, or left the bus."""
        self._agents.pop(program, None)
        self._defaults = [other for other in self._defaults if other != program]

    def chosen(self) -> tuple[str, str, PairingDelegate.IoCapability] | None:
        """Program, path and capability of the agent that is asked now."""
        if not self._defaults:
            return None
        program = self._defaults[-1]
        return (program, *self._agents[program])

    async def ask(self, member: str, signature: str, body: list[Any]) -> Message:
        """The agent's answer, which may be an error. Cancelled, it tells the agent so."""
        chosen = self.chosen()
        assert chosen is not None, "nobody is asked where there is no agent"
        program, path, _ = chosen
        question = Message(program, path, "org.bluez.Agent1", member, signature=signature, body=body)
        try:
            return await self._bus.call(question)
        except asyncio.CancelledError:
            self._bus.send(Message(program, path, "org.bluez.Agent1", "Cancel"))
            raise

    def _own(self, path: str) -> None:
        if self._agents.get(SENDER.get(), ("",))[0] != path:
            raise refusal("DoesNotExist", "Does Not Exist")


class Asking(PairingDelegate):
    """One bond: passes Bumble's questions on. `refused` tells an agent that said no from a wrong answer."""

    def __init__(self, agents: AgentManager, device: str, *, ours: bool) -> None:
        chosen = agents.chosen()
        capability = PairingDelegate.NO_OUTPUT_NO_INPUT if chosen is None else chosen[2]
        super().__init__(capability, _ENCRYPTION_KEY_ONLY, _ENCRYPTION_KEY_ONLY)
        self._agents = agents
        self._device = device
        self._ours = ours
        self.refused = False

    async def get_number(self) -> int | None:
        answer = await self._asked("RequestPasskey", "o", self._device)
        return None if answer is None else int(answer.body[0])

    async def compare_numbers(self, number: int, digits: int) -> bool:  # noqa: ARG002  Bumble's signature
        return await self._asked("RequestConfirmation", "ou", self._device, number) is not None

    async def confirm(self, auto: bool = False) -> bool:  # noqa: ARG002  Bumble's signature
        """Just works. As BlueZ does: who asked for the bond is not asked whether it is wanted."""
        return self._ours or await self._asked("RequestAuthorization", "o", self._device) is not None

    async def display_number(self, number: int, digits: int) -> None:  # noqa: ARG002  Bumble's signature
        await self._asked("DisplayPasskey", "ouq", self._device, number, 0)

    async def _asked(self, member: str, signature: str, *body: Any) -> Message | None:
        answer = await self._agents.ask(member, signature, list(body))
        self.refused = answer.message_type is MessageType.ERROR
        return None if self.refused else answer
