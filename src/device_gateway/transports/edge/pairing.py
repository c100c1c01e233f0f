"""Pairing that somebody drives from the portal: scan, choose, answer what the device asks, adopt.

One pairing at a time; another one takes its place. What happens is told as events that carry the pairing's id:

    heard {address, name, adapter, model, rssi_dbm}   scanned {devices}
    key_wanted {address}: a bind key    measurement_wanted {address}: of a device that broadcasts
    user_wanted {address}: a user of a scale and their code, since it registers no more
    passkey_wanted {address}    number {address, number}    risk {address}: the bond would prove nothing
    paired {address, adapter, model, name, proof}   proof: "passkey", "number" or "none"
    failed {reason}
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

import structlog

from device_gateway.devices.bind_keys import BadBindKey, parse_bind_key
from device_gateway.errors import GatewayError
from device_gateway.transports.ble.adapter import broadcast_adapters, check_adapter, record_adapter
from device_gateway.transports.ble.bond import forget_bond
from device_gateway.transports.ble.consent import User
from device_gateway.transports.ble.device_facts import read_battery_percent, read_make
from device_gateway.transports.ble.errors import BindKeyWrong, RadioUnavailable
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import Heard
from device_gateway.transports.edge.attending import Attendant
from device_gateway.transports.edge.broadcast_pairing import KEY_S, MEASUREMENT_S, first_measurement
from device_gateway.transports.edge.commands import Adopt, Confirm, Key, NamedUser, Pair, Passkey, Scan
from device_gateway.transports.edge.consenting import each_user
from device_gateway.transports.edge.messages import event_message
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.state import EdgeState, Meter

LONGEST_SCAN_S = 60.0
FIND_S = 20.0
USER_S = 60.0  # a scale that waits for a consent stays connected for about as long
ANSWER_S = 29.0  # a device waits 30 s (Bluetooth Core 5.4, vol. 3, part H, 3.4)
NAME_LENGTH = 60  # characters of what an unknown device calls itself

Proof = Literal["passkey", "number", "none"]

_log = structlog.get_logger(__name__)


class EdgeAgent(PairingAgent):
    """Answers for the person: from what the state knows of a meter, otherwise by asking whoever pairs now."""

    def __init__(self, state: EdgeState) -> None:
        self._state = state
        self.pairing: Pairing | None = None

    async def passkey(self, address: str) -> int | None:
        if self.pairing is not None:
            return await self.pairing.passkey(address)
        known = {meter.address: meter.passkey for meter in self._state.meters()}
        return known.get(address.upper())

    async def confirm(self, address: str, number: int) -> bool:
        return self.pairing is not None and await self.pairing.confirm(address, number)

    async def just_works(self, address: str) -> bool:
        return self.pairing is not None and await self.pairing.just_works(address)


class Pairing:
    """One pairing, from its scan to its end. `proof`: what the bond rests on, as far as somebody was asked."""

    def __init__(self, number: str, publisher: Publisher) -> None:
        self.id = number
        self.proof: Proof = "none"
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self.measured: Heard | None = None  # the broadcast by which it was paired
        self._publisher = publisher

    def tell(self, event: str, **details: str | int | bool | None) -> None:
        self._publisher.tell(event_message(event, datetime.now().astimezone(), pairing=self.id, **details))

    async def passkey(self, address: str) -> int | None:
        self.tell("passkey_wanted", address=address)
        answer = await self._answer()
        if answer is None or not (answer.isdecimal() and len(answer) <= 6):
            return None
        self.proof = "passkey"
        return int(answer)

    async def confirm(self, address: str, number: int) -> bool:
        self.tell("number", address=address, number=f"{number:06d}")
        accepted = await self._answer() == "yes"
        if accepted:
            self.proof = "number"
        return accepted

    async def just_works(self, address: str) -> bool:
        self.tell("risk", address=address)
        return await self._answer() == "yes"

    async def bind_key(self, address: str) -> bytes:
        """The key of a device that broadcasts. Raises BindKeyWrong for what is none, and where none was given."""
        self.tell("key_wanted", address=address)
        try:
            return parse_bind_key(await self._answer(KEY_S) or "")
        except BadBindKey:
            raise BindKeyWrong from None

    async def user(self, address: str) -> User | None:
        """Somebody whom the scale knows already, and the consent code that it shows for them."""
        self.tell("user_wanted", address=address)
        index, _, code = (await self._answer(USER_S) or "").partition(" ")
        return User(int(index), int(code)) if index.isdecimal() and code.isdecimal() else None

    async def _answer(self, wait_s: float = ANSWER_S) -> str | None:
        try:
            return await asyncio.wait_for(self.answers.get(), wait_s)
        except TimeoutError:
            return None


Work = Callable[[Radio, Pairing], Awaitable[None]]


class PairingDesk:
    """Takes the commands of a pairing. `radio` is the one in use, None while there is none."""

    def __init__(self, state: EdgeState, publisher: Publisher, attendant: Attendant, agent: EdgeAgent) -> None:
        self.radio: Radio | None = None
        self._state = state
        self._publisher = publisher
        self._attendant = attendant
        self._agent = agent
        self._work: asyncio.Task[None] | None = None
        self._pairing: Pairing | None = None
        self._to_forget: frozenset[str] = frozenset()  # addresses, once they are heard
        self._forgetting: set[asyncio.Task[None]] = set()

    def scan(self, command: Scan) -> None:
        """Tells for some seconds which devices are heard."""
        self._begin(command.pairing, lambda _radio, pairing: self._scan(pairing, command.seconds))

    def pair(self, command: Pair) -> None:
        """Bonds with a device, asking what it asks."""
        self._begin(command.pairing, lambda radio, pairing: self._pair(radio, pairing, command.address.upper()))

    def answer(self, command: Passkey | Key | NamedUser | Confirm) -> None:
        """What the person says. For a pairing that is not the present one it comes too late."""
        if self._pairing is not None and self._pairing.id == command.pairing:
            match command:
                case Passkey():
                    said = command.passkey
                case Key():
                    said = command.key
                case NamedUser():
                    said = f"{command.user_index} {command.code}"
                case Confirm():
                    said = "yes" if command.accept else "no"
            self._pairing.answers.put_nowait(said)

    def adopt(self, command: Adopt) -> None:
        """The gateway has registered the device: it is read from now on. Raises UnknownModel."""
        check_adapter(command.adapter)
        if command.bond_key is not None:
            self._state.learn_bond_key(command.bond_key)
        self._state.set_meter(
            Meter(command.device, command.address.upper(), command.adapter, None, None, pairing=command.pairing)
        )
        self._attendant.look_again(command.device)
        measured = self._pairing.measured if self._pairing is not None else None
        if measured is not None and measured.address == command.address.upper():
            self._attendant.take_broadcast(measured)

    async def forget(self, device_id: str) -> None:
        """Reads it no more and removes our side of the bond: now, or once there is a radio or the device is heard."""
        if self._state.meter(device_id) is None:
            return
        self._state.forget_meter(device_id)
        if self.radio is not None:
            async with self._attendant.paused():
                await self.forget_left()

    async def forget_left(self) -> None:
        """Removes the bonds that are still to be forgotten, as far as that can be without their devices."""
        for address in self._state.to_forget():
            if self.radio is not None and await self.radio.drop_bond(address):
                self._state.forgotten(address)
                _log.info("edge.bond_forgotten", address=address)
        self._to_forget = frozenset(self._state.to_forget())

    def heard(self, device: Heard) -> None:
        """Takes the bond of a device that is to be forgotten and had to be heard for that."""
        if device.address in self._to_forget and self.radio is not None:
            self._to_forget -= {device.address}
            task = asyncio.create_task(self._forget_heard(self.radio, device))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def _forget_heard(self, radio: Radio, device: Heard) -> None:
        try:
            async with self._attendant.paused():
                if device.address in self._state.to_forget():
                    await forget_bond(radio, device.device)
                    self._state.forgotten(device.address)
        except GatewayError as error:
            _log.warning("edge.bond_not_forgotten", error=type(error).__name__, why=error.message)

    async def close(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        for task in (*self._forgetting,):
            task.cancel()
        await asyncio.gather(*self._forgetting, return_exceptions=True)

    def _begin(self, number: str, work: Work) -> None:
        earlier = self._work
        if self._pairing is None or self._pairing.id != number:
            self._pairing = Pairing(number, self._publisher)
        self._work = asyncio.create_task(self._run(earlier, self._pairing, work))

    async def _run(self, earlier: asyncio.Task[None] | None, pairing: Pairing, work: Work) -> None:
        if earlier is not None:
            earlier.cancel()
            await asyncio.gather(earlier, return_exceptions=True)
        try:
            if self.radio is None:
                raise RadioUnavailable
            await work(self.radio, pairing)
        except GatewayError as error:
            pairing.tell("failed", reason=type(error).__name__)
            _log.warning("edge.pairing_failed", error=type(error).__name__, why=error.message)

    async def _scan(self, pairing: Pairing, seconds: float) -> None:
        told: set[tuple[str, str]] = set()

        def heard(device: Heard) -> None:
            if (device.address, device.model) not in told:
                told.add((device.address, device.model))
                pairing.tell(
                    "heard",
                    address=device.address,
                    name=_name(device),
                    adapter=device.adapter,
                    model=device.model,
                    rssi_dbm=device.rssi_dbm,
                )

        async with self._attendant.paused():
            with self._attendant.overhearing(heard):
                await asyncio.sleep(min(seconds, LONGEST_SCAN_S))
        pairing.tell("scanned", devices=len(told))

    async def _pair(self, radio: Radio, pairing: Pairing, address: str) -> None:
        """The meters wait meanwhile, but not for somebody who looks up a key and walks to a scale."""
        while not pairing.answers.empty():
            pairing.answers.get_nowait()
        pairing.proof = "none"
        async with self._attendant.paused():
            heard = await self._attendant.hear(address, FIND_S)
            if not heard.broadcasts:
                await self._bond(radio, pairing, heard)
        if heard.broadcasts:
            await self._pair_by_broadcast(pairing, heard)

    async def _bond(self, radio: Radio, pairing: Pairing, heard: Heard) -> None:
        """A bond made now: an older one proves nothing of who holds the device today."""
        address = heard.address
        await forget_bond(radio, heard.device)
        self._state.forgotten(address)
        self._agent.pairing = pairing
        try:
            async with connected(radio, (await self._attendant.hear(address, FIND_S)).device) as link:
                make = await read_make(link)
                battery_percent = await read_battery_percent(link)
                adapter, consents = record_adapter(heard.adapter), self._state.consents
                users = [
                    user async for user in each_user(link, adapter, consents, address, lambda: pairing.user(address))
                ]
        finally:
            self._agent.pairing = None
        pairing.tell(
            "paired",
            address=address,
            adapter=heard.adapter,
            model=heard.model,
            name=_name(heard),
            serial=make.serial or None,
            battery_percent=battery_percent,
            proof=pairing.proof,
            user_index=next((user.index for user in users if user is not None), None),
        )

    async def _pair_by_broadcast(self, pairing: Pairing, heard: Heard) -> None:
        """There is no bond: a key where the broadcasts are encrypted, and a measurement made now."""
        key = None
        if broadcast_adapters()[heard.adapter].is_encrypted(heard.said.services):
            key = await pairing.bind_key(heard.address)
        pairing.tell("measurement_wanted", address=heard.address)
        coming: asyncio.Queue[Heard] = asyncio.Queue()
        with self._attendant.overhearing(coming.put_nowait):
            pairing.measured = await first_measurement(coming, heard.address, key, MEASUREMENT_S)
        with self._state.transaction():
            self._state.broadcasts.set_key(heard.address, key)
        pairing.tell(
            "paired", address=heard.address, adapter=heard.adapter, model=heard.model, name=_name(heard), proof="none"
        )


def _name(heard: Heard) -> str:
    """What the device calls itself, made fit to be shown."""
    text = "".join(character for character in heard.name or "" if character.isprintable())
    return text[:NAME_LENGTH].strip()
