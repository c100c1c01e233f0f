"""Our own `org.bluez.Agent1`: what BlueZ asks while it bonds, passed on to the person at the device.

bleak has no part in this. Without an agent BlueZ refuses every device that wants more than a press of a button.
Methods, arguments and errors are those of BlueZ's agent interface.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

import structlog
from dbus_fast import DBusError
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

from device_gateway.transports.ble.pairing_agent import PairingAgent

T = TypeVar("T")

CAPABILITY: Final = "KeyboardDisplay"  # a person can type digits, read digits, and say yes or no
ANSWER_TIMEOUT_S: Final = (
    30.0  # Security Manager time-out, Bluetooth Core 5.4, vol. 3, part H, 3.4: too late after that
)

_log = structlog.get_logger(__name__)


class Agent(ServiceInterface):
    """Answers BlueZ in the name of `person`. A refusal is Rejected, an answer that comes too late is Canceled."""

    def __init__(self, person: PairingAgent) -> None:
        super().__init__("org.bluez.Agent1")
        self._person = person
        self._asking: set[asyncio.Task[object]] = set()
        self._asked_at: dict[str, float] = {}

    @dbus_method(name="RequestPasskey")
    async def request_passkey(self, device: DBusObjectPath) -> DBusUInt32:
        """The six digits that the device shows."""
        passkey = await self._ask("passkey", device, self._person.passkey(address_of(device)))
        if passkey is None or not 0 <= passkey <= 999_999:
            raise _rejected("no passkey was given")
        return passkey

    @dbus_method(name="DisplayPasskey")
    async def display_passkey(self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16) -> None:
        """Digits to be typed on the device; told once, not again for each key that was pressed there."""
        if entered == 0 and not await self._ask("show", device, self._person.show(address_of(device), passkey)):
            raise _rejected("there is nobody to type a passkey on the device")

    @dbus_method(name="RequestConfirmation")
    async def request_confirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:
        """Numeric comparison: whether the device shows the same six digits."""
        if not await self._ask("confirm", device, self._person.confirm(address_of(device), passkey)):
            raise _rejected("the numbers are not the same")

    @dbus_method(name="RequestAuthorization")
    async def request_authorization(self, device: DBusObjectPath) -> None:
        """A bond without any proof (just works) that the device asked for; where we ask for it BlueZ does not ask."""
        if not await self._ask("just_works", device, self._person.just_works(address_of(device))):
            raise _rejected("a bond without a passkey is not wanted")

    @dbus_method(name="AuthorizeService")
    def authorize_service(self, device: DBusObjectPath, uuid: DBusStr) -> None:  # noqa: ARG002  BlueZ's signature
        """A device wants to use a service of this host. The gateway offers none."""
        raise _rejected("the gateway offers no service to devices")

    @dbus_method(name="RequestPinCode")
    def request_pin_code(self, device: DBusObjectPath) -> DBusStr:  # noqa: ARG002  BlueZ's signature
        """Asked for by devices older than Bluetooth LE only."""
        raise _rejected("PIN codes are of Bluetooth classic")

    @dbus_method(name="DisplayPinCode")
    def display_pin_code(self, device: DBusObjectPath, pincode: DBusStr) -> None:  # noqa: ARG002  BlueZ's signature
        """Told by devices older than Bluetooth LE only."""
        raise _rejected("PIN codes are of Bluetooth classic")

    @dbus_method(name="Cancel")
    def cancel(self) -> None:
        """The device gave up waiting, or the connection went: nobody needs the answer any more."""
        self.give_up()

    @dbus_method(name="Release")
    def release(self) -> None:
        """BlueZ has forgotten this agent."""
        self.give_up()

    def asked_at(self, address: str) -> float:
        """When, by the event loop's time, BlueZ last asked something about this device; -inf where it never did."""
        return self._asked_at.get(address, float("-inf"))

    def give_up(self) -> None:
        """Ends every question that is still open."""
        for task in self._asking:
            task.cancel()

    async def _ask(self, what: str, device: str, question: Awaitable[T]) -> T:
        self._asked_at[address_of(device)] = asyncio.get_running_loop().time()
        task = asyncio.ensure_future(question)
        self._asking.add(task)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await task
        except (asyncio.CancelledError, TimeoutError) as error:
            _log.info("ble.agent_unanswered", asked=what, address=address_of(device))
            raise DBusError("org.bluez.Error.Canceled", "nobody answered in time") from error
        except Exception as error:  # a person who fails to answer is a person who refuses
            _log.warning("ble.agent_failed", asked=what, address=address_of(device), why=type(error).__name__)
            raise _rejected("the question could not be asked") from error
        finally:
            task.cancel()
            self._asking.discard(task)


def address_of(device: str) -> str:
    """The Bluetooth address in the path of a device object, …/dev_C0_00_00_00_00_01."""
    return device.rpartition("/dev_")[2].replace("_", ":").upper()


def _rejected(why: str) -> DBusError:
    return DBusError("org.bluez.Error.Rejected", why)
