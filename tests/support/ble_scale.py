"""A scale as a bare GATT server: it indicates what it is told to, to whoever is bonded and listens."""

import asyncio
import struct
from datetime import datetime

from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, Service
from bumble.transport.common import Transport

from device_simulators.ble.peripheral import BY_PASSKEY, battery, is_subscribed, peripheral, subscribable
from device_simulators.radio.bonds import Bonds

WEIGHT_SCALE, WEIGHT_MEASUREMENT = 0x181D, 0x2A9D
INDICATE = 2


def weighing(kilograms: float, at: datetime, user: int | None = None) -> bytes:
    """A Weight Measurement with its time."""
    flags = 0x02 | (0x04 if user is not None else 0)
    time = struct.pack("<HBBBBB", at.year, at.month, at.day, at.hour, at.minute, at.second)
    return struct.pack("<BH", flags, round(kilograms / 0.005)) + time + (b"" if user is None else bytes([user]))


class Scale:
    """`waiting` is indicated to the first who listens, and forgotten as soon as it is acknowledged."""

    def __init__(self, address: str, passkey: int, *, hangs_up: bool = False) -> None:
        self.waiting: list[bytes] = []
        self.bonds = Bonds({}, lambda: None)
        self._address = address
        self._passkey = passkey
        self._hangs_up = hangs_up
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, transport: Transport) -> None:
        device = self.device = peripheral(
            transport,
            name="Scale",
            address=self._address,
            passkey=self._passkey,
            bonds=self.bonds,
            service=WEIGHT_SCALE,
        )
        self.measurement: Characteristic[bytes] = subscribable(
            device,
            Characteristic(
                UUID.from_16_bits(WEIGHT_MEASUREMENT), Characteristic.Properties.INDICATE, Characteristic.Permissions(0)
            ),
            BY_PASSKEY,
        )
        device.add_services([Service(UUID.from_16_bits(WEIGHT_SCALE), [self.measurement]), battery(64)])
        device.on("connection", self._on_connection)
        await device.power_on()
        await device.start_advertising(auto_restart=True)

    def _on_connection(self, connection: Connection) -> None:
        task = asyncio.create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: Connection) -> None:
        alive = True

        def ended(_reason: int) -> None:
            nonlocal alive
            alive = False

        connection.on(Connection.EVENT_DISCONNECTION, ended)
        while alive:
            if self.waiting and is_subscribed(self.device, connection, self.measurement, INDICATE):
                await self.device.indicate_subscriber(connection, self.measurement, self.waiting[0])
                del self.waiting[0]
                if not self.waiting and self._hangs_up and alive:
                    await connection.disconnect()
            await asyncio.sleep(0.02)
