"""Scales of the Bluetooth SIG Weight Scale Service (0x181D): the adapter ``ble-weight-scale``.

Layout: Weight Scale Service 1.0; GATT Specification Supplement. A measurement (0x2A9D) is a reading of the body weight,
and of body mass index and height where the scale knows them (0: it does not).

Context keys: ``user-index`` or ``user-unknown``, ``effective-time``.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Rejected
from device_gateway_ble.measuring import (
    Context,
    FactParser,
    Facts,
    MeasurementParser,
    MeasuringDevice,
    Results,
    effective_time,
    note_user,
    reading,
)
from device_gateway_ble.octets import Octets, RefusedField, bit_names
from device_gateway_ble.scale_units import (
    INCH,
    KILOGRAM,
    LENGTH_RESOLUTIONS,
    MASS_RESOLUTIONS,
    METRE,
    POUND,
    TENTH_BMI,
    UNSUCCESSFUL,
)
from device_gateway_ble.uuids import assigned, short

IMPERIAL, TIME_STAMP, USER_ID, BMI_AND_HEIGHT = 0x01, 0x02, 0x04, 0x08
_FLAGS: Final = 0x0F

FEATURE_NAMES: Final = ("time-stamp", "multiple-users", "bmi")


def parse_measurement(octets: Octets, received_at: datetime | None) -> Results:
    """Weight Measurement (0x2A9D). Raises RefusedField."""
    context: Context = {}
    flags = octets.flags(1, _FLAGS)
    imperial = bool(flags & IMPERIAL)
    weight = octets.unsigned(2, "/weight")
    stamp = octets.date_time("/time-stamp") if flags & TIME_STAMP else None
    if flags & USER_ID:
        note_user(octets.unsigned(1, "/user"), context)
    bmi = height = 0
    if flags & BMI_AND_HEIGHT:
        bmi = octets.unsigned(2, "/bmi")
        height = octets.unsigned(2, "/height")
    octets.end()
    if weight == UNSUCCESSFUL:
        raise RefusedField("/weight", "the measurement was unsuccessful")
    at = effective_time(stamp, received_at, context)
    mass = POUND if imperial else KILOGRAM
    results: Results = [reading("body-weight", mass.text(weight), mass.unit, at, context)]
    further = (("bmi", bmi, TENTH_BMI), ("body-height", height, INCH if imperial else METRE))
    for metric, count, step in further:
        if count == UNSUCCESSFUL:
            results.append(Rejected(f"/{metric.removeprefix('body-')}", "the device has no value"))
        elif count:
            results.append(reading(metric, step.text(count), step.unit, at, context))
    return results


def parse_feature(data: bytes) -> Facts:
    """Weight Scale Feature (0x2A9E). Raises RefusedField."""
    octets = Octets(data)
    bits = octets.unsigned(4, "/features")
    octets.end()
    mass, length = bits >> 3 & 0b1111, bits >> 7 & 0b111
    if bits >> 10 or mass >= len(MASS_RESOLUTIONS) or length >= len(LENGTH_RESOLUTIONS):
        raise RefusedField("/features", "a reserved bit or resolution")
    facts: Facts = {"features": bit_names(bits & 0b111, FEATURE_NAMES, "/features")}
    if mass:
        facts["weight-resolution"] = MASS_RESOLUTIONS[mass]
    if length:
        facts["height-resolution"] = LENGTH_RESOLUTIONS[length]
    return facts


class WeightScale(MeasuringDevice):
    """What the gateway needs to know of such a scale before it talks to one. One that measures body composition, too,
    is another adapter's."""

    key: ClassVar[str] = "ble-weight-scale"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-weight-scale", "device", "Bluetooth scale"),)
    service: ClassVar[str] = assigned(0x181D)
    notifies: ClassVar[tuple[str, ...]] = (assigned(0x2A9D),)
    metrics: ClassVar[tuple[str, ...]] = ("body-weight", "bmi", "body-height")
    parsers: ClassVar[Mapping[str, MeasurementParser]] = {"2A9D": parse_measurement}
    fact_parsers: ClassVar[Mapping[str, FactParser]] = {"2A9E": parse_feature}

    @classmethod
    def matches(cls, service_uuids: Collection[str]) -> bool:
        """Whether a device that advertises these services (16-bit or 128-bit UUIDs) is such a scale."""
        services = {short(uuid) for uuid in service_uuids}
        return "181D" in services and "181B" not in services
