"""Pulse oximeters of the Bluetooth SIG Pulse Oximeter Service (0x1822): the adapter ``ble-pulse-oximeter``.

Layout: Pulse Oximeter Service 1.0.1; field by field as StanfordSpezi/SpeziBluetooth encodes it. A spot-check (0x2A5E)
and each packet of a continuous measurement (0x2A5F, preliminary, without a time of its own) gives one reading of oxygen
saturation and one of the pulse, each where it is a number.

Context keys of both: ``measurement-status``, ``sensor-status`` (names separated by spaces),
``pulse-amplitude-percent``, ``effective-time``; ``fast``, ``slow`` (the same quantity averaged over a shorter or longer
time, where that is a number); on the other one ``pulse-absent`` or ``saturation-absent`` (data-absent-reason of FHIR).
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Rejected, Status
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
from device_gateway_ble.octets import Octets, RefusedField, amount, bit_names
from device_gateway_ble.uuids import assigned

SPOT_TIME_STAMP, SPOT_STATUS, SPOT_SENSOR_STATUS, SPOT_AMPLITUDE, SPOT_CLOCK_NOT_SET = 0x01, 0x02, 0x04, 0x08, 0x10
FAST, SLOW, STATUS, SENSOR_STATUS, AMPLITUDE = 0x01, 0x02, 0x04, 0x08, 0x10
_FLAGS: Final = 0x1F

MEASUREMENT_STATUS_NAMES: Final = (
    *("",) * 5,  # reserved
    "ongoing",
    "early-estimate",
    "validated",
    "fully-qualified",
    "from-storage",
    "demonstration",
    "testing",
    "calibration-ongoing",
    "unavailable",
    "questionable",
    "invalid",
)
SENSOR_STATUS_NAMES: Final = (
    "extended-display-update",
    "equipment-malfunction",
    "signal-processing-irregularity",
    "inadequate-signal",
    "poor-signal",
    "low-perfusion",
    "erratic-signal",
    "non-pulsatile-signal",
    "questionable-pulse",
    "signal-analysis-ongoing",
    "sensor-interference",
    "sensor-off-user",
    "unknown-sensor",
    "sensor-displaced",
    "sensor-malfunction",
    "sensor-disconnected",
)
NO_MEASUREMENT: Final = ("demonstration", "testing", "unavailable", "invalid", "sensor-off-user", "sensor-disconnected")
NOT_SETTLED: Final = ("ongoing", "early-estimate", "calibration-ongoing", "questionable")
FEATURE_NAMES: Final = (
    "measurement-status",
    "sensor-status",
    "spot-check-storage",
    "spot-check-time-stamp",
    "fast",
    "slow",
    "pulse-amplitude",
    "multiple-bonds",
)

Pair = tuple[Decimal | Special, Decimal | Special]  # (oxygen saturation in %, pulse in /min)


def parse_spot_check(octets: Octets, received_at: datetime | None) -> Results:
    """PLX Spot-check Measurement (0x2A5E). Raises RefusedField."""
    flags = octets.flags(1, _FLAGS)
    normal = _pair(octets)
    context: Context = {}
    stamp = octets.date_time("/time-stamp") if flags & SPOT_TIME_STAMP else None
    if stamp and flags & SPOT_CLOCK_NOT_SET:
        raise RefusedField("/time-stamp", "the device does not know the time: its clock was not set")
    _statuses(octets, flags & SPOT_STATUS, flags & SPOT_SENSOR_STATUS, flags & SPOT_AMPLITUDE, context)
    settled = not any(name in NOT_SETTLED for name in str(context.get("measurement-status", "")).split())
    at = effective_time(stamp, received_at, context)
    return _readings(normal, {}, context, at, "final" if settled else "preliminary")


def parse_continuous(octets: Octets, received_at: datetime | None) -> Results:
    """PLX Continuous Measurement (0x2A5F). Raises RefusedField."""
    flags = octets.flags(1, _FLAGS)
    normal = _pair(octets)
    averaged: dict[str, Pair] = {}
    if flags & FAST:
        averaged["fast"] = _pair(octets)
    if flags & SLOW:
        averaged["slow"] = _pair(octets)
    context: Context = {}
    _statuses(octets, flags & STATUS, flags & SENSOR_STATUS, flags & AMPLITUDE, context)
    at = effective_time(None, received_at, context)
    return _readings(normal, averaged, context, at, "preliminary")


def parse_features(data: bytes) -> Facts:
    """PLX Features (0x2A60). Raises RefusedField."""
    octets = Octets(data)
    bits = octets.unsigned(2, "/features")
    facts: Facts = {"features": bit_names(bits, FEATURE_NAMES, "/features")}
    if bits & 0x01:
        status = octets.unsigned(2, "/measurement-status")
        facts["measurement-status"] = bit_names(status, MEASUREMENT_STATUS_NAMES, "/measurement-status")
    if bits & 0x02:
        facts["sensor-status"] = bit_names(octets.unsigned(3, "/sensor-status"), SENSOR_STATUS_NAMES, "/sensor-status")
    octets.end()
    return facts


def _pair(octets: Octets) -> Pair:
    return octets.medfloat16("/oxygen-saturation"), octets.medfloat16("/pulse-rate")


def _statuses(octets: Octets, status: int, sensor: int, amplitude: int, context: Context) -> None:
    """The last fields of either packet, where their flags are set. Refuses what is no measurement of a person."""
    fields = (
        (status, 2, "measurement-status", MEASUREMENT_STATUS_NAMES),
        (sensor, 3, "sensor-status", SENSOR_STATUS_NAMES),
    )
    for present, count, key, names in fields:
        if present and (found := bit_names(octets.unsigned(count, f"/{key}"), names, f"/{key}")):
            context[key] = found
    if amplitude:
        number = octets.medfloat16("/pulse-amplitude")
        if not isinstance(number, Special):
            context["pulse-amplitude-percent"] = decimal_text(amount(number, "/pulse-amplitude"))
    octets.end()
    for _, _, key, _ in fields:
        for name in str(context.get(key, "")).split():
            if name in NO_MEASUREMENT:
                raise RefusedField(f"/{key}", f"the device says {name}: this is no measurement of a person")


def _readings(normal: Pair, averaged: Mapping[str, Pair], context: Context, at: datetime, status: Status) -> Results:
    results: Results = []
    kinds = (("oxygen-saturation", "%", "pulse-absent"), ("heart-rate", "/min", "saturation-absent"))
    pointers = ("/oxygen-saturation", "/pulse-rate")
    for place, (metric, unit, absent) in enumerate(kinds):
        value, other = normal[place], normal[1 - place]
        if isinstance(value, Special):
            results.append(Rejected(pointers[place], value.reason))
            continue
        own: Context = dict(context)
        for key, pair in averaged.items():
            number = pair[place]
            if not isinstance(number, Special):
                own[key] = decimal_text(amount(number, f"{pointers[place]}-{key}"))
        if isinstance(other, Special):
            own[absent] = other.data_absent_reason
        results.append(reading(metric, decimal_text(amount(value, pointers[place])), unit, at, own, status=status))
    return results


class PulseOximeter(MeasuringDevice):
    """What the gateway needs to know of such an oximeter before it talks to one."""

    key: ClassVar[str] = "ble-pulse-oximeter"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-pulse-oximeter", "device", "Bluetooth pulse oximeter"),)
    service: ClassVar[str] = assigned(0x1822)
    notifies: ClassVar[tuple[str, ...]] = (assigned(0x2A5E), assigned(0x2A5F))
    live: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("oxygen-saturation", "heart-rate")
    parsers: ClassVar[Mapping[str, MeasurementParser]] = {"2A5E": parse_spot_check, "2A5F": parse_continuous}
    fact_parsers: ClassVar[Mapping[str, FactParser]] = {"2A60": parse_features}
