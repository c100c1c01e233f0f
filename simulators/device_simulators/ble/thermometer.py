"""``device-gateway simulate ble-thermometer``: a Health Thermometer (0x1809) for the ear."""

import asyncio
import struct
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import typer
from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service

from device_simulators.ble.date_time import date_time
from device_simulators.ble.device_options import Address, Name, Records, device_command
from device_simulators.ble.measurement_memory import Taken
from device_simulators.ble.measuring_device import MeasuringDevice, MeasuringOptions, Packets
from device_simulators.ble.medfloat import encode_float
from device_simulators.ble.peripheral import JUST_WORKS, READABLE, constant, silent, subscribable
from device_simulators.ble.simulated_device import run_simulated
from device_simulators.patients.replay import Row
from device_simulators.patients.vitals import Vitals

HEALTH_THERMOMETER_SERVICE = 0x1809
_FAHRENHEIT, _TIME, _TYPE = 0x1, 0x2, 0x4
_EAR = 3
_SHORTEST_INTERVAL_S, _LONGEST_INTERVAL_S = 1, 3600
_OUT_OF_RANGE = 0x80  # Health Thermometer Service 1.0, 1.6
_WARMING_BY = (Decimal("1.5"), Decimal("0.6"), Decimal("0.2"))  # Cel below the result, shown before it is there
_BETWEEN_SHOWN_S = 0.2


@dataclass(frozen=True, kw_only=True)
class ThermometerOptions(MeasuringOptions):
    """How one thermometer behaves."""

    address: Address = "C0:00:00:00:00:06"
    name: Name = "Simulated thermometer"
    records: Records = 2
    unit: Annotated[str, typer.Option(help="Cel or degF.")] = "Cel"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in ("Cel", "degF"):
            raise ValueError("--unit: Cel or degF is needed")


class Thermometer(MeasuringDevice):
    """Measures when somebody puts it into the ear."""

    kind = "thermometer"
    model = "Simulated thermometer"
    advertised = HEALTH_THERMOMETER_SERVICE
    security = JUST_WORKS
    usual_hours = (8, 19)

    def __init__(self, options: ThermometerOptions) -> None:
        self._is_fahrenheit = options.unit == "degF"
        self._asked_interval_s = 0
        super().__init__(options)

    def services(self) -> list[Service]:
        properties = Characteristic.Properties
        self._measurement = subscribable(self.device, silent(0x2A1C, properties.INDICATE), self.security)
        self._intermediate = subscribable(self.device, silent(0x2A1E, properties.NOTIFY), self.security)
        interval: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2A21),
            properties.READ | properties.WRITE,
            READABLE | self.security.write,
            CharacteristicValue(read=self._on_interval_read, write=self._on_interval_write),
        )
        interval.descriptors = [
            Descriptor(
                UUID.from_16_bits(0x2906), READABLE, struct.pack("<HH", _SHORTEST_INTERVAL_S, _LONGEST_INTERVAL_S)
            )
        ]
        return [
            Service(
                UUID.from_16_bits(HEALTH_THERMOMETER_SERVICE),
                [self._measurement, constant(0x2A1D, bytes([_EAR])), self._intermediate, interval],
            )
        ]

    def main(self) -> Characteristic[bytes]:
        return self._measurement

    def values_of(self, vitals: Vitals, at: datetime) -> dict[str, Decimal]:
        return {"temperature": vitals.temperature_cel(at)}

    def values_in(self, row: Row) -> dict[str, Decimal]:
        (temperature,) = row.parts(1)
        match row.unit or ("degF" if self._is_fahrenheit else "Cel"):
            case "Cel":
                return {"temperature": temperature}
            case "degF":
                return {"temperature": round((temperature - 32) * 5 / 9, 2)}
            case other:
                raise ValueError(f"{other} is no unit of temperature: Cel or degF is needed")

    def packets(self, taken: Taken, mtu: int) -> Packets:  # noqa: ARG002  13 octets: any MTU will do
        value = self._value(taken.values["temperature"], _TIME | _TYPE) + date_time(taken.at) + bytes([_EAR])
        return [(self._measurement, value)]

    async def while_measuring(self, connection: Connection, taken: Taken) -> None:
        """It gets warm."""
        for below in _WARMING_BY:
            if self.notifies(connection, self._intermediate):
                await self.notify(connection, self._intermediate, self._value(taken.values["temperature"] - below, 0))
            await asyncio.sleep(_BETWEEN_SHOWN_S)

    def _value(self, cel: Decimal, flags: int) -> bytes:
        if not self._is_fahrenheit:
            return bytes([flags]) + encode_float(cel)
        return bytes([flags | _FAHRENHEIT]) + encode_float(round(cel * 9 / 5 + 32, 1))

    def _on_interval_read(self, _connection: Connection) -> bytes:
        return struct.pack("<H", self._asked_interval_s)

    def _on_interval_write(self, _connection: Connection, value: bytes) -> None:
        """Kept, and no more: this thermometer measures when it is used."""
        if len(value) != 2:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        asked = int.from_bytes(value, "little")
        if asked and not _SHORTEST_INTERVAL_S <= asked <= _LONGEST_INTERVAL_S:
            raise att.ATT_Error(_OUT_OF_RANGE)
        self._asked_interval_s = asked


async def run_thermometer(radio: str, options: ThermometerOptions) -> None:
    """One thermometer on the radio at `radio`, until SIGTERM. Prints ``thermometer ready ADDRESS NAME``."""
    await run_simulated(radio, Thermometer(options), options)


ble_thermometer = device_command(
    "ble-thermometer", ThermometerOptions, run_thermometer, "A Bluetooth LE ear thermometer (Health Thermometer)."
)
