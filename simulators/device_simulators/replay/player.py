"""A GATT peripheral that says again what a recorded device said, as long as it is asked the same."""

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial

import structlog
from bumble import att
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service
from bumble.transport.common import Transport

from device_simulators.ble.peripheral import (
    BY_PASSKEY,
    JUST_WORKS,
    READABLE,
    is_subscribed,
    peripheral,
    subscribable,
)
from device_simulators.radio.bonds import Bonds
from device_simulators.replay.recording import Exchange, RecordedCharacteristic, RecordedDevice, Said

UNKNOWN_REQUEST = 0x0E  # Bluetooth Core 5.4, vol. 3, part F, 3.4.1.1: unlikely error
_NOT_READ = 0x02  # read not permitted
_OF_BUMBLE = ("1800", "1801")  # generic access and generic attribute: every Bumble device has its own
_PROPERTIES = {
    "read": Characteristic.Properties.READ,
    "write": Characteristic.Properties.WRITE,
    "write-without-response": Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    "notify": Characteristic.Properties.NOTIFY,
    "indicate": Characteristic.Properties.INDICATE,
}
_NOTIFY, _INDICATE = 1, 2

_log = structlog.get_logger(__name__)


class Player:
    """Plays `recorded`.

    `said` counts what it has sent by itself, `mismatches` what it was asked and is not in the recording.
    """

    def __init__(
        self, recorded: RecordedDevice, *, address: str, passkey: int | None = None, pace: float = 0.0
    ) -> None:
        self._recorded = recorded
        self._address = address
        self._passkey = passkey
        self._pace = pace
        self._bonds: Bonds = Bonds({}, lambda: None)
        self._sides: dict[Connection, _Side] = {}
        self.said = self.mismatches = 0

    async def start(self, transport: Transport) -> None:
        """Switches the device on. May be called again after the radio was lost."""
        for side in self._sides.values():
            side.end()
        self._sides.clear()
        device = self.device = peripheral(
            transport,
            name=self.name,
            address=self._address,
            passkey=self._passkey,
            bonds=self._bonds,
            service=0x1800,
        )
        device.advertising_data = bytes(self._advertising_data())
        self._characteristics: dict[int, Characteristic[bytes]] = {}
        device.add_services(
            [
                Service(UUID(service.uuid), [self._made(device, found) for found in service.characteristics])
                for service in self._recorded.services
                if service.uuid not in _OF_BUMBLE
            ]
        )
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        await device.power_on()
        await device.start_advertising(auto_restart=True)

    @property
    def name(self) -> str:
        """As it advertised itself, where that was recorded."""
        return self._recorded.name or "Recorded device"

    def characteristic(self, handle: int) -> Characteristic[bytes]:
        """Ours that stands for the recorded one."""
        return self._characteristics[handle]

    def listens(self, connection: Connection, handle: int) -> bool:
        """Whether the peer subscribed to the characteristic."""
        characteristic = self._characteristics.get(handle)
        return characteristic is not None and is_subscribed(
            self.device, connection, characteristic, _NOTIFY | _INDICATE
        )

    async def say(self, connection: Connection, said: Said) -> None:
        """Sends what the device sent."""
        await asyncio.sleep(said.after_s * self._pace)
        characteristic = self._characteristics.get(said.handle)
        if characteristic is None:
            return
        if characteristic.properties & Characteristic.Properties.NOTIFY:
            await self.device.notify_subscriber(connection, characteristic, said.value)
        else:
            await self.device.indicate_subscriber(connection, characteristic, said.value)
        self.said += 1

    def _advertising_data(self) -> AdvertisingData:
        recorded = self._recorded
        flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
        parts: list[tuple[int, bytes]] = [(AdvertisingData.FLAGS, bytes([flags]))]
        for octets, kind in (
            (2, AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS),
            (16, AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS),
        ):
            of_kind = [uuid for uuid in (UUID(text).to_bytes() for text in recorded.advertised) if len(uuid) == octets]
            if of_kind:
                parts.append((kind, b"".join(of_kind)))
        parts += [
            (AdvertisingData.MANUFACTURER_SPECIFIC_DATA, company.to_bytes(2, "little") + value)
            for company, value in recorded.manufacturer_data.items()
        ]
        parts += [
            (AdvertisingData.SERVICE_DATA_16_BIT_UUID, UUID(uuid).to_bytes() + value)
            for uuid, value in recorded.service_data.items()
            if len(uuid) == 4
        ]
        parts.append((AdvertisingData.COMPLETE_LOCAL_NAME, self.name.encode()))
        return AdvertisingData(parts)

    def _made(self, device: Device, recorded: RecordedCharacteristic) -> Characteristic[bytes]:
        security = JUST_WORKS if self._passkey is None else BY_PASSKEY
        properties = Characteristic.Properties(0)
        for name in recorded.properties:
            properties |= _PROPERTIES.get(name, Characteristic.Properties(0))
        permissions = att.Attribute.Permissions(0)
        if properties & Characteristic.Properties.READ:
            permissions |= READABLE
        if properties & (Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE):
            permissions |= security.write
        characteristic: Characteristic[bytes] = Characteristic(
            UUID(recorded.uuid),
            properties,
            permissions,
            CharacteristicValue(read=partial(self._on_read, recorded), write=partial(self._on_write, recorded)),
        )
        if properties & (Characteristic.Properties.NOTIFY | Characteristic.Properties.INDICATE):
            subscribable(device, characteristic, security)
            characteristic.on(Characteristic.EVENT_SUBSCRIPTION, lambda *_subscription: self._on_subscription())
        characteristic.descriptors = [
            *characteristic.descriptors,
            *(
                Descriptor(UUID(uuid), READABLE, value)
                for uuid, value in recorded.descriptors.items()
                if uuid != "2902"
            ),
        ]
        self._characteristics[recorded.handle] = characteristic
        return characteristic

    def _on_connection(self, connection: Connection) -> None:
        self._sides[connection] = _Side(self, self._recorded, connection)
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._on_disconnection(connection))

    def _on_disconnection(self, connection: Connection) -> None:
        if (side := self._sides.pop(connection, None)) is not None:
            side.end()

    def _on_subscription(self) -> None:
        for side in self._sides.values():
            side.subscribed()

    def _on_read(self, recorded: RecordedCharacteristic, connection: Connection) -> bytes:
        value = self._sides[connection].next_read(recorded.handle)
        if value is None:
            self._tell(recorded, "it was never read in the recording")
            raise att.ATT_Error(_NOT_READ)
        if isinstance(value, int):
            raise att.ATT_Error(value)
        return value

    def _on_write(self, recorded: RecordedCharacteristic, connection: Connection, value: bytes) -> None:
        exchange = self._sides[connection].next_exchange(recorded.handle, bytes(value))
        if exchange is None:
            self._tell(recorded, f"{bytes(value).hex()} was never written in the recording")
            raise att.ATT_Error(UNKNOWN_REQUEST)
        if exchange.error is not None:
            raise att.ATT_Error(exchange.error)
        self._sides[connection].answer(exchange)

    def _tell(self, recorded: RecordedCharacteristic, why: str) -> None:
        self.mismatches += 1
        _log.warning("replay.not_recorded", characteristic=recorded.uuid, why=why)


class _Side:
    """One connection, and how far into the recording it is."""

    def __init__(self, player: Player, recorded: RecordedDevice, connection: Connection) -> None:
        self._player = player
        self._recorded = recorded
        self._connection = connection
        self._reads: Counter[int] = Counter()
        self._done: set[int] = set()  # places in `exchanges`
        self._told_unasked = not recorded.unasked
        self._saying: asyncio.Task[None] | None = None

    def next_read(self, handle: int) -> bytes | int | None:
        """What the next reading gave; the last one again when there were no more."""
        values = self._recorded.reads.get(handle)
        if not values:
            return None
        place = min(self._reads[handle], len(values) - 1)
        self._reads[handle] += 1
        return values[place]

    def next_exchange(self, handle: int, value: bytes) -> Exchange | None:
        """The next one with this request; the last one again when there were no more."""
        same = [
            (place, exchange)
            for place, exchange in enumerate(self._recorded.exchanges)
            if (exchange.handle, exchange.value) == (handle, value)
        ]
        for place, exchange in same:
            if place not in self._done:
                self._done.add(place)
                return exchange
        return same[-1][1] if same else None

    def answer(self, exchange: Exchange) -> None:
        """Says what followed, after what is still being said."""
        self._say(exchange.followed)

    def subscribed(self) -> None:
        """The peer listens to something more: what the device sent unasked comes once all of it will be heard."""
        if self._told_unasked:
            return
        if all(self._player.listens(self._connection, said.handle) for said in self._recorded.unasked):
            self._told_unasked = True
            self._say(self._recorded.unasked)

    def end(self) -> None:
        """The connection is gone."""
        if self._saying is not None:
            self._saying.cancel()

    def _say(self, what: list[Said]) -> None:
        self._saying = asyncio.create_task(self._all(self._saying, what))

    async def _all(self, before: "asyncio.Task[None] | None", what: list[Said]) -> None:
        if before is not None:
            with suppress(TimeoutError, BaseBumbleError):
                await before
        with suppress(TimeoutError):  # the peer is gone or does not confirm: there is nobody to tell
            for said in what:
                await self._player.say(self._connection, said)
