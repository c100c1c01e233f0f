"""What is true of every result of an adapter, whatever the bytes were; and what some packets mean, worked out apart.

The second part shares nothing with the decoders, and leaves out all that they check.
"""

import re
import struct
from collections.abc import Collection
from datetime import datetime, timedelta
from fractions import Fraction

import msgspec

from device_gateway.metrics import METRICS
from device_gateway.readings.model import Reading, Rejected

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")  # finite, and without an exponent
_SFLOAT_CODES = {0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802}
_FLOAT_CODES = {0x007FFFFE, 0x007FFFFF, 0x00800000, 0x00800001, 0x00800002}


def fault(result: Reading | Rejected, metrics: Collection[str] | None = None) -> str | None:
    """What is wrong with it, None where nothing is. `metrics`: those that the adapter says that it measures."""
    if isinstance(result, Rejected):
        if not result.pointer.startswith("/") and (result.pointer or metrics is not None):
            return "a refusal names no field"  # an empty pointer is a whole document; packets have fields
        return None if result.reason.strip() else "a refusal gives no reason"
    metric = METRICS.get(result.metric)
    if metric is None or (metrics is not None and result.metric not in metrics):
        return f"the adapter does not measure {result.metric}"
    if result.unit not in metric.accepts:
        return f"{result.unit} is no unit of {result.metric}"
    texts = [result.value] if result.components is None else list(result.components.values())
    if not texts or not all(text is not None and _DECIMAL.fullmatch(text) for text in texts):
        return f"no finite decimal: {texts}"
    if bool(metric.components) != (result.components is not None) or (result.components and result.value is not None):
        return "a value where components belong, or components where a value does"
    if result.components is not None and not set(result.components) <= {
        component.key for component in metric.components
    }:
        return f"components that {result.metric} has not got"
    if result.at.tzinfo is not None and result.at.utcoffset() is None:
        return "a time with half a zone"
    try:
        again = msgspec.json.decode(msgspec.json.encode(result), type=Reading)
    except msgspec.ValidationError as error:
        return f"its fields are not of the types that a reading has: {error}"
    return None if again == result else "it is another reading after it was sent"


def contradiction(characteristic: str, data: bytes, results: list[Reading | Rejected]) -> str | None:
    """Where the readings of a packet alone say something else than its octets do; None where they agree."""
    for result in results:
        if isinstance(result, Rejected):
            continue
        expected = _expected(characteristic, data, result.metric)
        said = result.value or (result.components or {}).get("systolic") or "x"
        if expected is not None and (not isinstance(expected, Fraction) or Fraction(said) != expected):
            return f"{result.metric} is {said}, and {expected} in {characteristic} {data.hex()}"
        if characteristic == "2A18" and result.at != _glucose_time(data):
            return f"{result.at} is not the time in {data.hex()}"
    return None


def _expected(characteristic: str, data: bytes, metric: str) -> Fraction | str | None:
    """The number in the octets, a word where there is none; None for what is not worked out here."""
    match characteristic, metric:
        case "2A18", _:
            place = 12 if data[0] & 1 else 10
            return _times(_sfloat(data[place : place + 2]), 10**3 if data[0] & 4 else 10**5)
        case "2A9D", "body-weight":
            return _steps(data[1:3], Fraction(1, 100) if data[0] & 1 else Fraction(5, 1000))
        case "2A9C", "body-fat":
            return _steps(data[2:4], Fraction(1, 10))
        case "2A1C", _:
            return _float(data[1:5])
        case ("2A35", "blood-pressure") | ("2A5E" | "2A5F", "oxygen-saturation"):
            return _sfloat(data[1:3])
        case "2A37", _:
            return Fraction(data[1] | data[2] << 8 if data[0] & 1 else data[1])
    return None


def _glucose_time(data: bytes) -> datetime:
    year, month, day, hour, minute, second = struct.unpack("<H5B", data[3:10])
    base = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
    return base + timedelta(minutes=struct.unpack("<h", data[10:12])[0] if data[0] & 1 else 0)


def _times(number: Fraction | str, factor: int) -> Fraction | str:
    return number if isinstance(number, str) else number * factor


def _steps(octets: bytes, step: Fraction) -> Fraction | str:
    count = int.from_bytes(octets, "little")
    return "unsuccessful" if count == 0xFFFF else count * step


def _sfloat(octets: bytes) -> Fraction | str:
    word = int.from_bytes(octets, "little")
    if word in _SFLOAT_CODES:
        return "no number"
    return _scaled(word % 4096, 4096, word // 4096, 16)


def _float(octets: bytes) -> Fraction | str:
    word = int.from_bytes(octets, "little")
    if word in _FLOAT_CODES:
        return "no number"
    return _scaled(word % 2**24, 2**24, word // 2**24, 256)


def _scaled(mantissa: int, mantissas: int, exponent: int, exponents: int) -> Fraction:
    if mantissa >= mantissas // 2:
        mantissa -= mantissas
    if exponent >= exponents // 2:
        exponent -= exponents
    return mantissa * Fraction(10) ** exponent
