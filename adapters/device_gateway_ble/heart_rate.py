"""Heart rate sensors of the Bluetooth SIG Heart Rate Service (0x180D): the adapter ``ble-heart-rate``.

Layout: Heart Rate Service 1.0; GATT Specification Supplement. Such a sensor has no clock: the time of receipt counts.

Context keys: ``sensor-contact`` (``detected`` or ``not-detected``, where the sensor can tell; without contact a reading
is preliminary), ``energy-kj`` (since the sensor was reset; 65535 stands for more, too), ``rr-1024ths-s`` (intervals
between beats in 1/1024 s, oldest first, separated by spaces), ``effective-time``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Status
from device_gateway_ble.measuring import (
    Context,
    FactParser,
    Facts,
    MeasurementParser,
    MeasuringDevice,
    Results,
    effective_time,
    reading,
)
from device_gateway_ble.octets import Octets, RefusedField, named
from device_gateway_ble.uuids import assigned

IN_TWO_OCTETS, CONTACT_DETECTED, CONTACT_SUPPORTED, ENERGY, RR_INTERVALS = 0x01, 0x02, 0x04, 0x08, 0x10
_FLAGS: Final = 0x1F

SENSOR_LOCATIONS: Final = {0: "other", 1: "chest", 2: "wrist", 3: "finger", 4: "hand", 5: "ear-lobe", 6: "foot"}


def parse_measurement(octets: Octets, received_at: datetime | None) -> Results:
    """Heart Rate Measurement (0x2A37). Raises RefusedField."""
    context: Context = {}
    status: Status = "final"
    flags = octets.flags(1, _FLAGS)
    rate = octets.unsigned(2 if flags & IN_TWO_OCTETS else 1, "/heart-rate")
    if flags & CONTACT_SUPPORTED:
        contact = bool(flags & CONTACT_DETECTED)
        context["sensor-contact"] = "detected" if contact else "not-detected"
        status = "final" if contact else "preliminary"
    if flags & ENERGY:
        context["energy-kj"] = octets.unsigned(2, "/energy-expended")
    if flags & RR_INTERVALS:
        intervals = [octets.unsigned(2, "/rr-intervals")]
        while octets.left:
            intervals.append(octets.unsigned(2, "/rr-intervals"))
        context["rr-1024ths-s"] = " ".join(map(str, intervals))
    octets.end()
    if rate == 0:
        raise RefusedField("/heart-rate", "the sensor found no pulse")
    at = effective_time(None, received_at, context)
    return [reading("heart-rate", str(rate), "/min", at, context, status=status)]


def parse_location(data: bytes) -> Facts:
    """Body Sensor Location (0x2A38). Raises RefusedField."""
    octets = Octets(data)
    location = named(octets.unsigned(1, "/sensor-location"), SENSOR_LOCATIONS, "/sensor-location")
    octets.end()
    return {"sensor-location": location}


class HeartRateSensor(MeasuringDevice):
    """What the gateway needs to know of such a sensor before it talks to one."""

    key: ClassVar[str] = "ble-heart-rate"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-heart-rate", "device", "Bluetooth heart rate sensor"),)
    service: ClassVar[str] = assigned(0x180D)
    notifies: ClassVar[tuple[str, ...]] = (assigned(0x2A37),)
    live: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("heart-rate",)
    parsers: ClassVar[Mapping[str, MeasurementParser]] = {"2A37": parse_measurement}
    fact_parsers: ClassVar[Mapping[str, FactParser]] = {"2A38": parse_location}
