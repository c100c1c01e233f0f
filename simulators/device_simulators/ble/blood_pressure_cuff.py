"""``device-gateway simulate ble-cuff``: a Blood Pressure monitor (0x1810) for the upper arm."""

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

BLOOD_PRESSURE_SERVICE = 0x1810
_KPA, _TIME, _PULSE, _USER, _STATUS = 0x01, 0x02, 0x04, 0x08, 0x10
_FEATURES = 0x1 | 0x2 | 0x4 | 0x20  # body movement, cuff fit, irregular pulse, several bonds
_IRREGULAR_PULSE = 0x4
_NAN = (0x07FF).to_bytes(2, "little")
_KPA_PER_MMHG = Decimal("0.133322")
_INFLATED_TO = (60, 120, 170, 130, 90)  # mmHg of the cuff, shown while it measures
_BETWEEN_SHOWN_S = 0.2  # a real one takes half a minute


@dataclass(frozen=True, kw_only=True)
class CuffOptions(MeasuringOptions):
    """How one cuff behaves."""

    address: Address = "C0:00:00:00:00:05"
    name: Name = "Simulated cuff"
    records: Records = 6
    unit: Annotated[str, typer.Option(help="mmHg or kPa.")] = "mmHg"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in ("mmHg", "kPa"):
            raise ValueError("--unit: mmHg or kPa is needed")


class BloodPressureCuff(MeasuringDevice):
    """Measures morning and evening; its user is a switch, not a consent."""

    kind = "cuff"
    model = "Simulated cuff"
    advertised = BLOOD_PRESSURE_SERVICE
    security = JUST_WORKS
    usual_hours = (7, 20)

    def __init__(self, options: CuffOptions) -> None:
        self._unit = options.unit
        super().__init__(options)

    def services(self) -> list[Service]:
        properties = Characteristic.Properties
        self._measurement = subscribable(self.device, silent(0x2A35, properties.INDICATE), self.security)
        self._cuff = subscribable(self.device, silent(0x2A36, properties.NOTIFY), self.security)
        feature = constant(0x2A49, struct.pack("<H", _FEATURES))
        return [Service(UUID.from_16_bits(BLOOD_PRESSURE_SERVICE), [self._measurement, self._cuff, feature])]

    def main(self) -> Characteristic[bytes]:
        return self._measurement

    def values_of(self, vitals: Vitals, at: datetime) -> dict[str, Decimal]:
        found = vitals.blood_pressure(at)
        return {"systolic": found.systolic, "diastolic": found.diastolic, "mean": found.mean, "pulse": found.pulse}

    def values_in(self, row: Row) -> dict[str, Decimal]:
        systolic, diastolic, *pulse = row.parts(2, 3)
        if row.unit not in (None, self._unit):
            raise ValueError(f"this cuff shows {self._unit}, not {row.unit}")
        mean = (diastolic + (systolic - diastolic) / 3).quantize(systolic)
        pressures = {"systolic": systolic, "diastolic": diastolic, "mean": mean}
        if self._unit == "kPa":
            pressures = {name: round(value / _KPA_PER_MMHG, 1) for name, value in pressures.items()}
        return pressures | ({"pulse": pulse[0]} if pulse else {})

    def packets(self, taken: Taken, mtu: int) -> Packets:  # noqa: ARG002  19 octets at most: any MTU will do
        flags, fields = self._unit_flag() | _TIME | _STATUS, date_time(taken.at)
        if "pulse" in taken.values:
            flags |= _PULSE
            fields += encode_sfloat(taken.values["pulse"])
        if taken.user is not None:
            flags |= _USER
            fields += bytes([taken.user])
        status = _IRREGULAR_PULSE if self._is_irregular(taken) else 0
        pressures = b"".join(self._pressure(taken.values[name]) for name in ("systolic", "diastolic", "mean"))
        return [(self._measurement, bytes([flags]) + pressures + fields + struct.pack("<H", status))]

    async def while_measuring(self, connection: Connection, taken: Taken) -> None:  # noqa: ARG002  of a cuff
        """The pressure in the cuff goes up and down."""
        for mmhg in _INFLATED_TO:
            if self.notifies(connection, self._cuff):
                value = bytes([self._unit_flag()]) + self._pressure(Decimal(mmhg)) + _NAN + _NAN
                await self.notify(connection, self._cuff, value)
            await asyncio.sleep(_BETWEEN_SHOWN_S)

    def _pressure(self, mmhg: Decimal) -> bytes:
        return encode_sfloat(mmhg if self._unit == "mmHg" else round(mmhg * _KPA_PER_MMHG, 1))

    def _unit_flag(self) -> int:
        return _KPA if self._unit == "kPa" else 0

    @staticmethod
    def _is_irregular(taken: Taken) -> bool:
        """One measurement in sixteen, always the same ones."""
        return taken.at.second % 16 == 0


async def run_cuff(radio: str, options: CuffOptions) -> None:
    """One cuff on the radio at `radio`, until SIGTERM. Prints ``cuff ready ADDRESS NAME``."""
    await run_simulated(radio, BloodPressureCuff(options), options)


ble_cuff = device_command("ble-cuff", CuffOptions, run_cuff, "A Bluetooth LE blood pressure cuff (Blood Pressure).")
