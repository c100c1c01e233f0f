"""CGM Measurement (0x2AA7). Layout: Continuous Glucose Monitoring Service 1.0.2, 3.1; GATT Specification Supplement."""

from dataclasses import dataclass
from typing import Final

from device_gateway.readings.model import ContextValue
from device_gateway_ble.cgm_status import NO_MEASUREMENT, status_names
from device_gateway_ble.e2e_crc import OCTETS as CRC_OCTETS
from device_gateway_ble.e2e_crc import crc_fits
from device_gateway_ble.medfloat import Special, decimal_text
from device_gateway_ble.octets import Octets, RefusedField, amount

TREND, QUALITY, WARNING_OCTET, CALIBRATION_OCTET, STATUS_OCTET = 0x01, 0x02, 0x20, 0x40, 0x80
_FLAGS: Final = 0xE3
_SMALLEST: Final = 6  # size, flags, concentration, time offset


@dataclass(frozen=True, slots=True)
class CgmRecord:
    """One record. `value` in mg/dL, digits as sent; `offset_min` since the start of the session."""

    offset_min: int
    value: str
    context: dict[str, ContextValue]


def offset_of(data: bytes) -> int | None:
    """The time offset of the first record, whatever follows it; None where the packet is too short."""
    return int.from_bytes(data[4:6], "little") if len(data) >= _SMALLEST else None


def parse_records(data: bytes, has_crc: bool | None) -> list[CgmRecord | RefusedField]:
    """The records of one packet, each a record or why it is refused.

    `has_crc`: whether the device says that it sends E2E-CRC; None where it has not been asked. Then the size tells.
    """
    records: list[CgmRecord | RefusedField] = []
    left = data
    while left or not records:
        size = left[0] if left else 0
        if not _SMALLEST <= size <= len(left):
            return [*records, RefusedField("/size", "the size of the record contradicts the length of the packet")]
        try:
            records.append(_parse(left[:size], has_crc))
        except RefusedField as refused:
            records.append(refused)
        left = left[size:]
    return records


def _parse(data: bytes, has_crc: bool | None) -> CgmRecord:
    octets = Octets(_checked(data, has_crc))
    octets.take(1, "/size")
    flags = octets.flags(1, _FLAGS)
    concentration = octets.medfloat16("/concentration")
    offset_min = octets.unsigned(2, "/time-offset")
    bits = 0
    for flag, shift in ((STATUS_OCTET, 0), (CALIBRATION_OCTET, 8), (WARNING_OCTET, 16)):
        if flags & flag:
            bits |= octets.unsigned(1, "/sensor-status") << shift
    trend = octets.medfloat16("/trend") if flags & TREND else None
    quality = octets.medfloat16("/quality") if flags & QUALITY else None
    octets.end()
    context: dict[str, ContextValue] = {}
    if status := status_names(bits):
        context["sensor-status"] = status
        for name in status.split():
            if name in NO_MEASUREMENT:
                raise RefusedField("/sensor-status", f"the device says {name}: this is no measurement of a person")
    value = decimal_text(amount(concentration, "/concentration"))
    if isinstance(trend, Special):
        context["trend-absent"] = trend.data_absent_reason
    elif trend is not None:
        context["trend-mg-dl-min"] = decimal_text(trend)
    if isinstance(quality, Special):
        context["quality-absent"] = quality.data_absent_reason
    elif quality is not None:
        context["quality-percent"] = _percent(decimal_text(amount(quality, "/quality")))
    return CgmRecord(offset_min, value, context)


def _percent(text: str) -> str:
    if float(text) > 100:
        raise RefusedField("/quality", "more than 100 %")
    return text


def _checked(data: bytes, has_crc: bool | None) -> bytes:
    """The record without its CRC, if it has one. Raises RefusedField where that is wrong or its length is."""
    flags = data[1]
    fields = _SMALLEST + 2 * (flags & (TREND | QUALITY)).bit_count()
    fields += (flags & (STATUS_OCTET | CALIBRATION_OCTET | WARNING_OCTET)).bit_count()
    if has_crc is None:
        has_crc = len(data) == fields + CRC_OCTETS
    if not has_crc:
        return data
    if len(data) < fields + CRC_OCTETS:
        raise RefusedField("/crc", "the device says that it sends a CRC, and there is none")
    if not crc_fits(data):
        raise RefusedField("/crc", "the CRC is wrong: the record was damaged on its way")
    return data[:-CRC_OCTETS]
