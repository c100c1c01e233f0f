"""``device-gateway simulate ble-oximeter``: a Pulse Oximeter (0x1822) for the finger, spot-check and continuous."""

import asyncio
import struct
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import typer
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from device_simulators.ble.date_time import date_time
from device_simulators.ble.device_options import Address, Name, Records, device_command
from device_simulators.ble.measurement_memory import Taken
from device_simulators.ble.measuring_device import MeasuringDevice, MeasuringOptions, Packets
from device_simulators.ble.peripheral import JUST_WORKS, constant, silent, subscribable
from device_simulators.ble.sfloat import encode_sfloat
from device_simulators.ble.simulated_device import run_simulated
from device_simulators.patients.replay import Row
from device_simulators.patients.vitals import Vitals

PULSE_OXIMETER_SERVICE = 0x1822
_TIME, _STATUS, _DEVICE_STATUS, _AMPLITUDE = 0x01, 0x02, 0x04, 0x08  # flags of a spot-check
_C_FAST, _C_SLOW, _C_STATUS, _C_DEVICE_STATUS, _C_AMPLITUDE = 0x01, 0x02, 0x04, 0x08, 0x10  # of continuous values
_ONGOING, _QUALIFIED, _FROM_STORAGE = 0x0020, 0x0100, 0x0200  # Measurement Status
_LOW_PERFUSION = 0x000020  # Device and Sensor Status
_LOW_PERFUSION_PERCENT = 1
_FEATURES = (
    0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40 | 0x80
)  # both statuses, storage, time, fast, slow, PAI, bonds


@dataclass(frozen=True, kw_only=True)
class OximeterOptions(MeasuringOptions):
    """How one oximeter behaves; `continuous_s` lies between the values that it streams to who listens."""

    address: Address = "C0:00:00:00:00:07"
    name: Name = "Simulated oximeter"
    records: Records = 3
    continuous_s: Annotated[
        float, typer.Option("--continuous", min=0, help="Seconds between continuous values; 0: none are sent.")
    ] = 1


class Oximeter(MeasuringDevice):
    """Keeps spot-checks until they are fetched; streams as long as somebody listens."""

    kind = "oximeter"
    model = "Simulated oximeter"
    advertised = PULSE_OXIMETER_SERVICE
    security = JUST_WORKS
    usual_hours = (8, 13, 21)

    def __init__(self, options: OximeterOptions) -> None:
        self._continuous_s = options.continuous_s
        super().__init__(options)

    def services(self) -> list[Service]:
        properties = Characteristic.Properties
        self._spot = subscribable(self.device, silent(0x2A5E, properties.INDICATE), self.security)
        self._continuous = subscribable(self.device, silent(0x2A5F, properties.NOTIFY), self.security)
        measurement_statuses, device_statuses = _ONGOING | _QUALIFIED | _FROM_STORAGE, _LOW_PERFUSION
        feature = struct.pack("<HH", _FEATURES, measurement_statuses) + device_statuses.to_bytes(3, "little")
        return [
            Service(
                UUID.from_16_bits(PULSE_OXIMETER_SERVICE), [self._spot, self._continuous, constant(0x2A60, feature)]
            )
        ]

    def main(self) -> Characteristic[bytes]:
        return self._spot

    def values_of(self, vitals: Vitals, at: datetime) -> dict[str, Decimal]:
        return {
            "saturation": vitals.saturation_percent(at),
            "pulse": vitals.heart_rate(at),
            "amplitude": vitals.perfusion_percent(at),
        }

    def values_in(self, row: Row) -> dict[str, Decimal]:
        saturation, pulse = row.parts(2)
        return {"saturation": saturation, "pulse": pulse}

    def packets(self, taken: Taken, mtu: int) -> Packets:  # noqa: ARG002  19 octets at most: any MTU will do
        flags = _TIME | _STATUS | _DEVICE_STATUS
        fields = _pair(taken.values) + date_time(taken.at)
        fields += struct.pack("<H", _QUALIFIED | _FROM_STORAGE) + _device_status(taken.values)
        if "amplitude" in taken.values:
            flags |= _AMPLITUDE
            fields += encode_sfloat(taken.values["amplitude"])
        return [(self._spot, bytes([flags]) + fields)]

    async def attend(self, connection: Connection) -> None:
        streaming = asyncio.create_task(self._stream(connection))
        try:
            await super().attend(connection)
        finally:
            streaming.cancel()

    async def _stream(self, connection: Connection) -> None:
        while self._continuous_s > 0:
            await asyncio.sleep(self._continuous_s)
            if self.notifies(connection, self._continuous):
                now = self.memory.clock()
                await self.notify(connection, self._continuous, _streamed(self.values_of(self.person(1), now)))


def _streamed(values: dict[str, Decimal]) -> bytes:
    """The value of 0x2A5F: normal, fast and slow averages, statuses, pulse amplitude."""
    flags = _C_FAST | _C_SLOW | _C_STATUS | _C_DEVICE_STATUS | _C_AMPLITUDE
    fast = {"saturation": values["saturation"], "pulse": values["pulse"] + 1}
    slow = {"saturation": values["saturation"], "pulse": values["pulse"] - 1}
    statuses = struct.pack("<H", _ONGOING) + _device_status(values)
    return bytes([flags]) + _pair(values) + _pair(fast) + _pair(slow) + statuses + encode_sfloat(values["amplitude"])


def _pair(values: dict[str, Decimal]) -> bytes:
    return encode_sfloat(values["saturation"]) + encode_sfloat(values["pulse"])


def _device_status(values: dict[str, Decimal]) -> bytes:
    weak = values.get("amplitude", Decimal(100)) < _LOW_PERFUSION_PERCENT
    return (_LOW_PERFUSION if weak else 0).to_bytes(3, "little")


async def run_oximeter(radio: str, options: OximeterOptions) -> None:
    """One oximeter on the radio at `radio`, until SIGTERM. Prints ``oximeter ready ADDRESS NAME``."""
    await run_simulated(radio, Oximeter(options), options)


ble_oximeter = device_command(
    "ble-oximeter", OximeterOptions, run_oximeter, "A Bluetooth LE pulse oximeter, spot-check and continuous."
)
