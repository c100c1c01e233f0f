"""Thermometers of the Bluetooth SIG Health Thermometer Service (0x1809): the adapter ``ble-thermometer``.

Layout: Health Thermometer Service 1.0; GATT Specification Supplement. What the thermometer shows while it still
measures (0x2A1E) is checked and not kept.

Context keys: ``body-site``, ``effective-time``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from device_gateway.readings.model import Model
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
from device_gateway_ble.medfloat import Special, decimal_text
from device_gateway_ble.octets import Octets, RefusedField, named
from device_gateway_ble.uuids import assigned

IN_FAHRENHEIT, TIME_STAMP, TEMPERATURE_TYPE = 0x01, 0x02, 0x04
_FLAGS: Final = 0x07

BODY_SITES: Final = {
    1: "armpit",
    2: "body",
    3: "ear",
    4: "finger",
    5: "gastro-intestinal-tract",
    6: "mouth",
    7: "rectum",
    8: "toe",
    9: "tympanum",
}


def parse_measurement(octets: Octets, received_at: datetime | None) -> Results:
    """Temperature Measurement (0x2A1C). Raises RefusedField."""
    context: Context = {}
    flags = octets.flags(1, _FLAGS)
    temperature = octets.medfloat32("/temperature")
    if isinstance(temperature, Special):
        raise RefusedField("/temperature", temperature.reason)
    stamp = octets.date_time("/time-stamp") if flags & TIME_STAMP else None
    if flags & TEMPERATURE_TYPE:
        context["body-site"] = named(octets.unsigned(1, "/temperature-type"), BODY_SITES, "/temperature-type")
    octets.end()
    at = effective_time(stamp, received_at, context)
    unit = "[degF]" if flags & IN_FAHRENHEIT else "Cel"
    return [reading("body-temperature", decimal_text(temperature), unit, at, context)]


def parse_intermediate(octets: Octets, received_at: datetime | None) -> Results:
    """Intermediate Temperature (0x2A1E): nothing to keep. Raises RefusedField."""
    parse_measurement(octets, received_at)
    return []


def parse_type(data: bytes) -> Facts:
    """Temperature Type (0x2A1D), where the device measures at one site only. Raises RefusedField."""
    octets = Octets(data)
    site = named(octets.unsigned(1, "/temperature-type"), BODY_SITES, "/temperature-type")
    octets.end()
    return {"body-site": site}


def parse_interval(data: bytes) -> Facts:
    """Measurement Interval (0x2A21) in seconds, 0 where it measures on demand only. Raises RefusedField."""
    octets = Octets(data)
    interval_s = octets.unsigned(2, "/measurement-interval")
    octets.end()
    return {"measurement-interval-s": interval_s}


class Thermometer(MeasuringDevice):
    """What the gateway needs to know of such a thermometer before it talks to one."""

    key: ClassVar[str] = "ble-thermometer"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-thermometer", "device", "Bluetooth thermometer"),)
    service: ClassVar[str] = assigned(0x1809)
    notifies: ClassVar[tuple[str, ...]] = (assigned(0x2A1C),)
    metrics: ClassVar[tuple[str, ...]] = ("body-temperature",)
    parsers: ClassVar[Mapping[str, MeasurementParser]] = {"2A1C": parse_measurement, "2A1E": parse_intermediate}
    fact_parsers: ClassVar[Mapping[str, FactParser]] = {"2A1D": parse_type, "2A21": parse_interval}
