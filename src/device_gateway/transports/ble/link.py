"""A connection to one device: bonded, a time-out on every wait, all notifications in one queue, in their order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from device_gateway.transports.ble.bluez import errors as bluez
from device_gateway.transports.ble.errors import (
    AccessRefused,
    BluetoothError,
    BondLost,
    BondRefused,
    DeviceNotHeard,
    LinkLost,
    NoAnswer,
    RadioUnavailable,
)
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import find

T = TypeVar("T")

CONNECT_TIMEOUT_S = 45.0  # longer than the 30 s that a person has to type a passkey
OPERATION_TIMEOUT_S = 35.0  # longer than the 30 s after which an ATT transaction is over
DISCONNECT_TIMEOUT_S = 10.0
RESCAN_S = 10.0  # for a device that was heard a moment ago, and that the system has dropped since
BUSY_ATTEMPTS = 3
BUSY_WAIT_S = 1.0
WAITING_LIMIT = 200_000  # notifications: three times the largest memory of 65,535 records; more is a device gone wild

# bleak has no exceptions of its own for these; the words are those of BlueZ, WinRT and the virtual radio.
_REFUSED_WORDS = ("authenticationfailed", "authenticationrejected", "authenticationcanceled", "confirm_value_failed",
                  "passkey_entry_failed", "authentication_requirements", "could not pair")  # fmt: skip
_FORGOTTEN_WORDS = ("pin_or_key_missing", "pin or key missing", "mic_failure")

_LOST = object()  # in the queue of notifications: none will follow


class Link:
    """An open connection. Every method raises BluetoothError: LinkLost, NoAnswer or AccessRefused."""

    def __init__(self, radio: Radio, device: BLEDevice, client: Callable[..., BleakClient] = BleakClient) -> None:
        self._radio = radio
        self._device = device
        self._radio_lost: asyncio.Future[None] | None = None
        self._lost = False
        self._subscribed: set[str] = set()
        self._notified: asyncio.Queue[tuple[str, bytes] | object] = asyncio.Queue()
        self._client = client(
            device,
            disconnected_callback=lambda _client: self._end(),
            pair=True,
            timeout=CONNECT_TIMEOUT_S,
            backend=radio.client_backend,
        )

    async def open(self) -> None:
        """Connects, and bonds where there is no bond yet. Raises what `connected` says."""
        refused_busy = doubts = 0
        while True:
            try:
                await self._connect()
            except (BleakError, TimeoutError, OSError, EOFError) as error:
                if bluez.busy(error) and refused_busy < BUSY_ATTEMPTS:
                    refused_busy += 1
                    await asyncio.sleep(BUSY_WAIT_S * refused_busy)
                elif not (bluez.bond_doubtful(error) and await self._radio.has_bond(self._device)):
                    raise connect_error(error) from error
                elif doubts:  # the same twice, with a bond on our side: there is none on the other
                    raise BondLost from error
                else:
                    doubts += 1
            else:
                return

    async def close(self) -> None:
        """Disconnects. A connection that is gone already is closed too."""
        if self._radio_lost is not None:
            self._radio_lost.remove_done_callback(self._radio_gone)
        with suppress(BleakError, TimeoutError, OSError, EOFError):
            await asyncio.wait_for(self._client.disconnect(), DISCONNECT_TIMEOUT_S)

    def has(self, uuid: str) -> bool:
        """Whether the device has this characteristic."""
        return self._client.services.get_characteristic(uuid) is not None

    async def read(self, uuid: str) -> bytes:
        """The value of a characteristic."""
        return bytes(await self._try(self._client.read_gatt_char(uuid), "read"))

    async def write(self, uuid: str, value: bytes) -> None:
        """Writes a characteristic, with a response. Raises AttributeRefused where the device says no."""
        await self._try(self._client.write_gatt_char(uuid, value, response=True), "write")

    async def subscribe(self, uuid: str) -> None:
        """From now on what the device notifies or indicates there is found by `notification`. Once is enough."""
        if uuid in self._subscribed:
            return

        def arrived(_characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
            if self._notified.qsize() < WAITING_LIMIT:
                self._notified.put_nowait((uuid, bytes(value)))
            else:
                self._end()

        await self._try(self._client.start_notify(uuid, arrived), "subscribe")
        self._subscribed.add(uuid)

    async def notification(self, timeout_s: float) -> tuple[str, bytes]:
        """The next (characteristic, value), in the order of arrival. Raises LinkLost after the last one."""
        try:
            arrived = await asyncio.wait_for(self._notified.get(), timeout_s)
        except TimeoutError as error:
            raise NoAnswer(f"the device sent nothing for {timeout_s:g} s") from error
        if isinstance(arrived, tuple):
            return arrived
        self._notified.put_nowait(_LOST)
        raise LinkLost

    def unread(self, packets: Sequence[tuple[str, bytes]]) -> None:
        """Puts back what was taken too early: it comes first again."""
        if packets:
            later = [self._notified.get_nowait() for _ in range(self._notified.qsize())]
            for packet in (*packets, *later):
                self._notified.put_nowait(packet)

    async def _connect(self) -> None:
        """One attempt, given up at once when the radio goes."""
        lost = await self._radio.ready()
        bonded = await self._radio.has_bond(self._device)
        began = asyncio.get_running_loop().time()
        connecting = asyncio.ensure_future(self._client.connect())
        try:
            longest_s = CONNECT_TIMEOUT_S + DISCONNECT_TIMEOUT_S
            await asyncio.wait({connecting, lost}, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
            elif lost.done():
                raise RadioUnavailable("the radio went away")
            else:
                raise TimeoutError(f"nothing within {longest_s:g} s")
        finally:
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=DISCONNECT_TIMEOUT_S)
        self._radio_lost = lost
        lost.add_done_callback(self._radio_gone)
        if bonded is False:
            await self._radio.accept_bond(self._device, began)

    def _radio_gone(self, _lost: asyncio.Future[None]) -> None:
        self._end()

    async def _try(self, work: Awaitable[T], doing: str) -> T:
        try:
            return await asyncio.wait_for(work, OPERATION_TIMEOUT_S)
        except BleakGATTProtocolError as error:
            raise AttributeRefused(f"the device refused to {doing}: {error.args[1]}", int(error.code)) from error
        except TimeoutError as error:
            raise NoAnswer(f"no answer to {doing}") from error
        except (BleakError, OSError, EOFError) as error:
            if self._lost or not self._client.is_connected or bluez.link_gone(error):
                raise LinkLost from error
            raise AccessRefused(f"cannot {doing}: {error}") from error

    def _end(self) -> None:
        """The connection is gone: whoever waits for a notification is told, after those that came before."""
        self._lost = True
        self._notified.put_nowait(_LOST)


class AttributeRefused(AccessRefused):
    """The device answered with an ATT error."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code  # Bluetooth Core, vol. 3, part F, 3.4.1.1; 0x80 and above: the profile's


@asynccontextmanager
async def connected(
    radio: Radio, device: BLEDevice, client: Callable[..., BleakClient] = BleakClient
) -> AsyncIterator[Link]:
    """Connects, bonds where there is no bond yet, and disconnects at the end. `client` makes bleak's client.

    Raises BondRefused, BondLost, DeviceNotHeard, LinkLost or NoAnswer.
    """
    link = Link(radio, device, client)
    try:
        try:
            await link.open()
        except DeviceNotHeard:  # BlueZ forgets a device without a bond half a minute after the scan
            link = Link(radio, (await find(radio, device.address, RESCAN_S)).device, client)
            await link.open()
        yield link
    finally:
        await link.close()


def connect_error(error: Exception) -> BluetoothError:
    """Why a connection could not be made, in our words."""
    if isinstance(error, BleakDeviceNotFoundError):
        return DeviceNotHeard()
    if (meaning := bluez.connect_error(error)) is not None:
        return meaning
    text = f"{error} {error.args}".lower()
    if any(word in text for word in _FORGOTTEN_WORDS):
        return BondLost()
    if any(word in text for word in _REFUSED_WORDS):
        return BondRefused()
    if isinstance(error, TimeoutError):
        return NoAnswer(f"the device did not accept a connection: {error}")
    return LinkLost(f"the connection could not be made: {error}")
