"""``device-gateway simulate ble-scale``: a Weight Scale (0x181D)."""

import struct
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bumble.core import UUID
from bumble.gatt import Characteristic, Service

from device_simulators.ble.date_time import date_time
from device_simulators.ble.device_options import Address, Name, Records, device_command
from device_simulators.ble.measurement_memory import UNKNOWN_USER, Taken
from device_simulators.ble.measuring_device import Packets
from device_simulators.ble.peripheral import constant, silent, subscribable
from device_simulators.ble.scale import Scale, ScaleOptions
from device_simulators.ble.simulated_device import run_simulated
from device_simulators.patients.replay import Row
from device_simulators.patients.vitals import Vitals

WEIGHT_SCALE_SERVICE = 0x181D
_IMPERIAL, _TIME, _USER, _BMI_AND_HEIGHT = 0x01, 0x02, 0x04, 0x08
_FEATURE_TIME, _FEATURE_USERS, _FEATURE_BMI = 0x1, 0x2, 0x4
_FINEST = 7 << 3 | 3 << 7  # Weight Scale Feature: resolutions of 0.005 kg (0.01 lb) and 0.001 m (0.1 inch)


@dataclass(frozen=True, kw_only=True)
class WeightScaleOptions(ScaleOptions):
    address: Address = "C0:00:00:00:00:03"
    name: Name = "Simulated scale"
    records: Records = 3


def weight_measurement(scale: Scale, taken: Taken) -> bytes:
    """The value of 0x2A9D. BMI and height come for a user whom the scale knows."""
    flags = _TIME | (_IMPERIAL if scale.is_imperial else 0)
    fields = scale.mass(taken.values["weight"]) + date_time(taken.at)
    if taken.user is not None:
        flags |= _USER
        fields += bytes([taken.user])
        if taken.user != UNKNOWN_USER and "height" in taken.values:
            flags |= _BMI_AND_HEIGHT
            bmi = taken.values["weight"] / (taken.values["height"] / 100) ** 2
            fields += round(bmi * 10).to_bytes(2, "little") + scale.height(taken.values["height"])
    return bytes([flags]) + fields


def weight_scale_service(scale: Scale, measurement: Characteristic[bytes]) -> Service:
    """The service with its features."""
    features = _FEATURE_TIME | _FINEST | (_FEATURE_USERS | _FEATURE_BMI if scale.users else 0)
    return Service(
        UUID.from_16_bits(WEIGHT_SCALE_SERVICE), [measurement, constant(0x2A9E, struct.pack("<I", features))]
    )


class WeightScale(Scale):
    """A scale that shows weight alone."""

    kind = "scale"
    model = "Simulated scale"
    advertised = WEIGHT_SCALE_SERVICE

    def services(self) -> list[Service]:
        self._weight = subscribable(self.device, silent(0x2A9D, Characteristic.Properties.INDICATE), self.security)
        return [weight_scale_service(self, self._weight), *self.user_data()]

    def main(self) -> Characteristic[bytes]:
        return self._weight

    def values_of(self, vitals: Vitals, at: datetime) -> dict[str, Decimal]:
        return {"weight": vitals.weight_kg(at), "height": Decimal(vitals.height_cm)}

    def values_in(self, row: Row) -> dict[str, Decimal]:
        (weight,) = row.parts(1)
        return {"weight": self.kg(weight, row.unit)}

    def packets(self, taken: Taken, mtu: int) -> Packets:  # noqa: ARG002  20 octets at most: any MTU will do
        return [(self._weight, weight_measurement(self, taken))]


async def run_scale(radio: str, options: WeightScaleOptions) -> None:
    """One scale on the radio at `radio`, until SIGTERM. Prints ``scale ready ADDRESS NAME``."""
    await run_simulated(radio, WeightScale(options), options)


ble_scale = device_command(
    "ble-scale", WeightScaleOptions, run_scale, "A Bluetooth LE scale (Weight Scale); with --users, consent is needed."
)
