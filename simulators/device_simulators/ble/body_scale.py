"""``device-gateway simulate ble-body-scale``: Body Composition (0x181B), and Weight Scale (0x181D) beside it."""

import struct
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bumble.core import UUID
from bumble.gatt import Characteristic, Service

from device_simulators.ble.date_time import date_time
from device_simulators.ble.device_options import Address, Name, Records, device_command
from device_simulators.ble.measurement_memory import Taken
from device_simulators.ble.measuring_device import Packets
from device_simulators.ble.peripheral import constant, silent, subscribable
from device_simulators.ble.scale import Scale, ScaleOptions
from device_simulators.ble.simulated_device import run_simulated
from device_simulators.ble.weight_scale import weight_measurement, weight_scale_service
from device_simulators.patients.replay import Row
from device_simulators.patients.vitals import Vitals

BODY_COMPOSITION_SERVICE = 0x181B
_IMPERIAL, _TIME, _USER, _BASAL, _MUSCLE_PERCENT, _MUSCLE, _FAT_FREE, _LEAN, _WATER, _IMPEDANCE, _WEIGHT, _HEIGHT = (
    1 << bit for bit in range(12)
)
_SEVERAL_PACKETS = 1 << 12
_FEATURES = 0x7FF | 7 << 11 | 3 << 15  # everything, resolutions of 0.005 kg (0.01 lb) and 0.001 m (0.1 inch)
_FEATURE_USERS = 0x2
_KJ_PER_KCAL = Decimal("4.184")
_ATT_HEADER = 3  # octets of an indication before its value


@dataclass(frozen=True, kw_only=True)
class BodyScaleOptions(ScaleOptions):
    address: Address = "C0:00:00:00:00:04"
    name: Name = "Simulated body scale"
    records: Records = 3


class BodyScale(Scale):
    """A scale that measures impedance as well."""

    kind = "body-scale"
    model = "Simulated body scale"
    advertised = BODY_COMPOSITION_SERVICE

    def services(self) -> list[Service]:
        indicate = Characteristic.Properties.INDICATE
        self._composition = subscribable(self.device, silent(0x2A9C, indicate), self.security)
        self._weight = subscribable(self.device, silent(0x2A9D, indicate), self.security)
        features = _FEATURES if self.users else _FEATURES & ~_FEATURE_USERS
        feature = constant(0x2A9B, struct.pack("<I", features))
        return [
            Service(UUID.from_16_bits(BODY_COMPOSITION_SERVICE), [self._composition, feature]),
            weight_scale_service(self, self._weight),
            *self.user_data(),
        ]

    def main(self) -> Characteristic[bytes]:
        return self._composition

    def values_of(self, vitals: Vitals, at: datetime) -> dict[str, Decimal]:
        weight = vitals.weight_kg(at)
        fat_free = weight * (100 - vitals.body_fat_percent(at)) / 100
        return {
            "weight": weight,
            "height": Decimal(vitals.height_cm),
            "fat_percent": vitals.body_fat_percent(at),
            "basal_kcal": vitals.basal_metabolism_kcal(at),
            "fat_free": fat_free,
            "lean": fat_free * Decimal("0.945"),  # less bone mineral
            "muscle": fat_free * Decimal("0.53"),  # of the skeleton
            "water": fat_free * Decimal("0.73"),
            "impedance": (Decimal(vitals.height_cm) ** 2 / (fat_free * Decimal("0.73") / Decimal("0.593"))),
        }

    def values_in(self, row: Row) -> dict[str, Decimal]:
        weight, fat = row.parts(2)
        return {"weight": self.kg(weight, row.unit), "fat_percent": fat}

    def packets(self, taken: Taken, mtu: int) -> Packets:
        """Composition in one packet where it fits, in two otherwise; then the weight for those who ask for it."""
        composition = [(self._composition, packet) for packet in self._composed(taken, mtu - _ATT_HEADER)]
        return [*composition, (self._weight, weight_measurement(self, taken))]

    def _composed(self, taken: Taken, room: int) -> list[bytes]:
        when = [(_TIME, date_time(taken.at))]
        if taken.user is not None:
            when.append((_USER, bytes([taken.user])))
        measured = self._measured(taken.values)
        whole = self._packet(taken, [*when, *measured], 0)
        if len(whole) <= room:
            return [whole]
        half = len(measured) // 3  # the first packet has the time as well
        return [
            self._packet(taken, [*when, *measured[:half]], _SEVERAL_PACKETS),
            self._packet(taken, measured[half:], _SEVERAL_PACKETS),
        ]

    def _packet(self, taken: Taken, fields: list[tuple[int, bytes]], flags: int) -> bytes:
        """The value of 0x2A9C: body fat, which no packet is without, and these fields in the order of their bits."""
        flags |= _IMPERIAL if self.is_imperial else 0
        fat = round(taken.values["fat_percent"] * 10)
        octets = b""
        for bit, field in fields:
            flags |= bit
            octets += field
        return struct.pack("<HH", flags, fat) + octets

    def _measured(self, values: dict[str, Decimal]) -> list[tuple[int, bytes]]:
        if "muscle" not in values:
            return [(_WEIGHT, self.mass(values["weight"]))]
        return [
            (_BASAL, struct.pack("<H", round(values["basal_kcal"] * _KJ_PER_KCAL))),
            (_MUSCLE_PERCENT, struct.pack("<H", round(values["muscle"] / values["weight"] * 1000))),
            (_MUSCLE, self.mass(values["muscle"])),
            (_FAT_FREE, self.mass(values["fat_free"])),
            (_LEAN, self.mass(values["lean"])),
            (_WATER, self.mass(values["water"])),
            (_IMPEDANCE, struct.pack("<H", round(values["impedance"] * 10))),
            (_WEIGHT, self.mass(values["weight"])),
            (_HEIGHT, self.height(values["height"])),
        ]


async def run_body_scale(radio: str, options: BodyScaleOptions) -> None:
    """One body scale on the radio at `radio`, until SIGTERM. Prints ``body-scale ready ADDRESS NAME``."""
    await run_simulated(radio, BodyScale(options), options)


ble_body_scale = device_command(
    "ble-body-scale",
    BodyScaleOptions,
    run_body_scale,
    "A Bluetooth LE body scale (Body Composition, Weight Scale); with --users, consent is needed.",
)
