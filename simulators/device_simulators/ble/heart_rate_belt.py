"""``device-gateway simulate ble-heart-rate``: a chest belt of the Heart Rate service (0x180D)."""

import asyncio
import random
import struct
from dataclasses import dataclass
from decimal import Decimal

from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service

from device_simulators.ble.device_memory import DeviceMemory
from device_simulators.ble.device_options import Address, DeviceOptions, Interval, Name, device_command
from device_simulators.ble.peripheral import OPEN, constant, silent, subscribable
from device_simulators.ble.simulated_device import SimulatedDevice, run_simulated
from device_simulators.patients.replay import Row, read_replay
from device_simulators.patients.vitals import Vitals

HEART_RATE_SERVICE = 0x180D
_WIDE, _CONTACT, _CONTACT_SUPPORTED, _ENERGY, _INTERVALS = 0x01, 0x02, 0x04, 0x08, 0x10
_CHEST = 1
_RESET_ENERGY = b"\x01"
_NOT_SUPPORTED = 0x80  # Heart Rate Service 1.0, 1.6: control point value not supported
_KJ_PER_BEAT = 0.03  # of light exercise
_TICKS_PER_S = 1024  # of an interval between beats
_MOST_INTERVALS = 7  # in 20 octets beside all other fields


@dataclass(frozen=True, kw_only=True)
class BeltOptions(DeviceOptions):
    """How one belt behaves: it streams every `interval_s` to whoever listens, and keeps nothing."""

    address: Address = "C0:00:00:00:00:08"
    name: Name = "Simulated belt"
    interval_s: Interval = 1


class HeartRateBelt(SimulatedDevice):
    """Asks for no bond, as most of its kind."""

    kind = "heart-rate"
    model = "Simulated heart rate belt"
    advertised = HEART_RATE_SERVICE
    security = OPEN

    def __init__(self, options: BeltOptions) -> None:
        super().__init__(options)
        self.memory = DeviceMemory(skew_s=options.clock_skew_s, file=options.state)
        self._vitals = Vitals(options.person, options.seed)
        self._chance = random.Random(f"beats {options.seed}")
        self._rows: list[Row] | None = read_replay(options.replay) if options.replay else None
        self._energy_kj = 0.0

    def services(self) -> list[Service]:
        properties = Characteristic.Properties
        self._measurement = subscribable(self.device, silent(0x2A37, properties.NOTIFY), self.security)
        control: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2A39),
            properties.WRITE,
            self.security.write,
            CharacteristicValue(write=self._on_control),
        )
        return [
            Service(
                UUID.from_16_bits(HEART_RATE_SERVICE), [self._measurement, constant(0x2A38, bytes([_CHEST])), control]
            )
        ]

    async def attend(self, connection: Connection) -> None:  # noqa: ARG002  `measure` serves all who listen
        await asyncio.get_running_loop().create_future()

    async def measure(self) -> None:
        rate = self._rate()
        if rate is None:
            return
        value = self._value(rate)
        for connection in self.attended:
            if self.notifies(connection, self._measurement):
                await self.notify(connection, self._measurement, value)

    def _rate(self) -> Decimal | None:
        if self._rows is None:
            return self._vitals.heart_rate(self.memory.clock())
        return self._rows.pop(0).parts(1)[0] if self._rows else None

    def _value(self, rate: Decimal) -> bytes:
        """The value of 0x2A37, with the beats since the last one."""
        bpm = round(rate)
        beats = max(round(bpm / 60 * self._options.interval_s), 1)
        self._energy_kj = min(self._energy_kj + _KJ_PER_BEAT * beats, 0xFFFF)
        flags = _CONTACT | _CONTACT_SUPPORTED | _ENERGY | _INTERVALS | (_WIDE if bpm > 0xFF else 0)
        value = struct.pack("<BH" if bpm > 0xFF else "<BB", flags, bpm) + struct.pack("<H", int(self._energy_kj))
        for _ in range(min(beats, _MOST_INTERVALS)):
            interval_s = 60 / max(bpm, 1) + self._chance.gauss(0, 0.02)
            value += struct.pack("<H", min(max(round(interval_s * _TICKS_PER_S), 0), 0xFFFF))
        return value

    def _on_control(self, _connection: Connection, value: bytes) -> None:
        if bytes(value) != _RESET_ENERGY:
            raise att.ATT_Error(_NOT_SUPPORTED)
        self._energy_kj = 0.0


async def run_belt(radio: str, options: BeltOptions) -> None:
    """One belt on the radio at `radio`, until SIGTERM. Prints ``heart-rate ready ADDRESS NAME``."""
    await run_simulated(radio, HeartRateBelt(options), options)


ble_heart_rate = device_command(
    "ble-heart-rate", BeltOptions, run_belt, "A Bluetooth LE heart rate belt (Heart Rate), open to everybody."
)
