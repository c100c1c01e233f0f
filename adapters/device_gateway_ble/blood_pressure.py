"""Blood pressure cuffs of the Bluetooth SIG Blood Pressure Service (0x1810): the adapter ``ble-blood-pressure``.

Layout: Blood Pressure Service 1.1.1; GATT Specification Supplement. A measurement (0x2A35) is one reading of
blood pressure, with the mean where the device knows it, and one of the heart rate where it took the pulse. The pressure
in the cuff while it is pumped up (0x2A36) is checked and not kept.

Context keys of both readings: ``user-index`` or ``user-unknown``, ``measurement-status`` (names separated by spaces),
``effective-time``; and of the blood pressure ``mean-absent``, ``pulse-absent`` (a data-absent-reason of FHIR).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Reading
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
from device_gateway_ble.medfloat import Special, decimal_text
from device_gateway_ble.octets import Octets, RefusedField, amount, bit_names
from device_gateway_ble.uuids import assigned

IN_KPA, TIME_STAMP, PULSE_RATE, USER_ID, MEASUREMENT_STATUS = 0x01, 0x02, 0x04, 0x08, 0x10
_FLAGS: Final = 0x1F

_PULSE_RANGE_AT: Final = 3  # a field of two bits among the status bits
PULSE_RANGES: Final = {0: "", 1: "pulse-above-range", 2: "pulse-below-range"}
STATUS_NAMES: Final = {0: "body-movement", 1: "cuff-loose", 2: "irregular-pulse", 5: "improper-position"}
FEATURE_NAMES: Final = (
    "body-movement-detection",
    "cuff-fit-detection",
    "irregular-pulse-detection",
    "pulse-rate-range-detection",
    "measurement-position-detection",
    "multiple-bonds",
    "e2e-crc",
    "user-data-service",
    "user-facing-time",
)


def parse_measurement(octets: Octets, received_at: datetime | None) -> Results:
    """Blood Pressure Measurement (0x2A35). Raises RefusedField."""
    context: Context = {}
    flags = octets.flags(1, _FLAGS)
    systolic = octets.sfloat("/systolic")
    diastolic = octets.sfloat("/diastolic")
    mean = octets.medfloat16("/mean")
    stamp, pulse = _tail(octets, flags, context)
    at = effective_time(stamp, received_at, context)
    components = {"systolic": decimal_text(systolic), "diastolic": decimal_text(diastolic)}
    of_pressure = dict(context)
    if isinstance(mean, Special):
        of_pressure["mean-absent"] = mean.data_absent_reason
    else:
        components["mean"] = decimal_text(amount(mean, "/mean"))
    if isinstance(pulse, Special):
        of_pressure["pulse-absent"] = pulse.data_absent_reason
    results: Results = [
        Reading(
            metric="blood-pressure",
            unit="kPa" if flags & IN_KPA else "mm[Hg]",
            at=at,
            components=components,
            context=of_pressure or None,
        )
    ]
    if isinstance(pulse, str):
        results.append(reading("heart-rate", pulse, "/min", at, context))
    return results


def parse_cuff_pressure(octets: Octets, received_at: datetime | None) -> Results:  # noqa: ARG001  the seam's form
    """Intermediate Cuff Pressure (0x2A36): nothing to keep. Raises RefusedField."""
    flags = octets.flags(1, _FLAGS)
    octets.medfloat16("/cuff-pressure")
    octets.take(4, "/unused")  # in the places of diastolic and mean
    _tail(octets, flags, {})
    return []


def parse_feature(data: bytes) -> Facts:
    """Blood Pressure Feature (0x2A49). Raises RefusedField."""
    octets = Octets(data)
    features = bit_names(octets.unsigned(2, "/features"), FEATURE_NAMES, "/features")
    octets.end()
    return {"features": features}


def _tail(octets: Octets, flags: int, context: Context) -> tuple[datetime | None, str | Special | None]:
    """(time stamp, pulse rate) of the optional fields; user and status go into the context."""
    stamp = octets.date_time("/time-stamp") if flags & TIME_STAMP else None
    pulse: str | Special | None = None
    if flags & PULSE_RATE:
        number = octets.medfloat16("/pulse-rate")
        pulse = number if isinstance(number, Special) else decimal_text(amount(number, "/pulse-rate"))
    if flags & USER_ID:
        note_user(octets.unsigned(1, "/user"), context)
    if flags & MEASUREMENT_STATUS and (status := _status(octets.unsigned(2, "/measurement-status"))):
        context["measurement-status"] = status
    octets.end()
    return stamp, pulse


def _status(bits: int) -> str:
    pulse_range = bits >> _PULSE_RANGE_AT & 0b11
    if bits >> 6 or pulse_range not in PULSE_RANGES:
        raise RefusedField("/measurement-status", "a reserved status bit is set")
    names = [name for bit, name in STATUS_NAMES.items() if bits >> bit & 1]
    return " ".join(filter(None, [*names, PULSE_RANGES[pulse_range]]))


class BloodPressureCuff(MeasuringDevice):
    """What the gateway needs to know of such a cuff before it talks to one."""

    key: ClassVar[str] = "ble-blood-pressure"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-blood-pressure", "device", "Bluetooth blood pressure cuff"),)
    service: ClassVar[str] = assigned(0x1810)
    notifies: ClassVar[tuple[str, ...]] = (assigned(0x2A35),)
    metrics: ClassVar[tuple[str, ...]] = ("blood-pressure", "heart-rate")
    parsers: ClassVar[Mapping[str, MeasurementParser]] = {"2A35": parse_measurement, "2A36": parse_cuff_pressure}
    fact_parsers: ClassVar[Mapping[str, FactParser]] = {"2A49": parse_feature}
