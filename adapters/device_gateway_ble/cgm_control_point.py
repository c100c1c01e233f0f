"""CGM Specific Ops Control Point (0x2AAC): requests to write, and the monitor's answers.

Operations: Continuous Glucose Monitoring Service 1.0.2, 3.6; GATT Specification Supplement. A device with E2E-CRC wants
it behind each request and sends it behind each answer.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Final

from device_gateway.readings.model import ContextValue
from device_gateway_ble.cgm_session import TYPES
from device_gateway_ble.e2e_crc import OCTETS as CRC_OCTETS
from device_gateway_ble.e2e_crc import end_with_crc, with_crc
from device_gateway_ble.medfloat import Special, decimal_text
from device_gateway_ble.octets import Octets, RefusedField, bit_names, named


class Operation(IntEnum):
    """Op codes. An alert level is set, asked for and answered by three codes in a row."""

    SET_INTERVAL = 0x01
    GET_INTERVAL = 0x02
    INTERVAL = 0x03
    SET_CALIBRATION = 0x04
    GET_CALIBRATION = 0x05
    CALIBRATION = 0x06
    SET_PATIENT_HIGH = 0x07
    GET_PATIENT_HIGH = 0x08
    PATIENT_HIGH = 0x09
    SET_PATIENT_LOW = 0x0A
    GET_PATIENT_LOW = 0x0B
    PATIENT_LOW = 0x0C
    SET_HYPO = 0x0D
    GET_HYPO = 0x0E
    HYPO = 0x0F
    SET_HYPER = 0x10
    GET_HYPER = 0x11
    HYPER = 0x12
    SET_RATE_OF_DECREASE = 0x13
    GET_RATE_OF_DECREASE = 0x14
    RATE_OF_DECREASE = 0x15
    SET_RATE_OF_INCREASE = 0x16
    GET_RATE_OF_INCREASE = 0x17
    RATE_OF_INCREASE = 0x18
    RESET_DEVICE_ALERT = 0x19
    START_SESSION = 0x1A
    STOP_SESSION = 0x1B
    RESPONSE = 0x1C


_LEVELS: Final = frozenset(
    code
    for code in Operation
    if Operation.SET_PATIENT_HIGH <= code <= Operation.RATE_OF_INCREASE and code % 3 != Operation.GET_PATIENT_HIGH % 3
)  # those whose operand is a level; the ones that ask for it have none
_CALIBRATIONS: Final = (Operation.SET_CALIBRATION, Operation.CALIBRATION)
CALIBRATION_STATUS_NAMES: Final = ("data-rejected", "data-out-of-range", "process-pending")
RESPONSES: Final = {
    1: "success",
    2: "operation-not-supported",
    3: "invalid-operand",
    4: "not-completed",
    5: "parameter-out-of-range",
}


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer, its operand by name. `name` is that of the operation, in lower case."""

    operation: Operation
    operand: dict[str, ContextValue]

    @property
    def name(self) -> str:
        return self.operation.name.lower().replace("_", "-")

    def facts(self) -> dict[str, ContextValue]:
        """All of it in one mapping."""
        return {"operation": self.name, **self.operand}


def request(operation: Operation, operand: bytes = b"", *, has_crc: bool) -> bytes:
    """What to write. `operand` as the operation has it: `interval`, `level`, or nothing."""
    value = bytes([operation]) + operand
    return with_crc(value) if has_crc else value


def level(mantissa: int, exponent: int = 0) -> bytes:
    """The operand of an alert level: mantissa x 10^exponent in mg/dL, or mg/dL/min for a rate. Raises ValueError."""
    if not (-2045 <= mantissa <= 2045 and -8 <= exponent <= 7):  # the numbers beyond have special meanings
        raise ValueError("an SFLOAT has a mantissa of -2045 … 2045 and an exponent of -8 … 7")
    return ((exponent & 0xF) << 12 | mantissa & 0xFFF).to_bytes(2, "little")


def parse_control_point(data: bytes, has_crc: bool | None = None) -> Message:
    """A request or an answer. `has_crc` as in `end_with_crc`. Raises RefusedField."""
    octets = Octets(data)
    code = octets.unsigned(1, "/operation")
    try:
        operation = Operation(code)
    except ValueError as error:
        raise RefusedField("/operation", f"reserved operation {code}") from error
    operand = _operand(operation, octets)
    end_with_crc(octets, data, has_crc)
    return Message(operation, operand)


def _operand(operation: Operation, octets: Octets) -> dict[str, ContextValue]:
    if operation is Operation.SET_INTERVAL:
        return {"interval-min": octets.unsigned(1, "/interval")}
    if operation is Operation.INTERVAL:
        # One octet in the service, two in the supplement; with a CRC behind it, three or four.
        return {"interval-min": octets.unsigned(1 if octets.left in (1, 1 + CRC_OCTETS) else 2, "/interval")}
    if operation is Operation.GET_CALIBRATION:
        return {"calibration": octets.unsigned(2, "/calibration")}
    if operation in _CALIBRATIONS:
        return _calibration(octets)
    if operation in _LEVELS:
        return {"level": _text(octets.medfloat16("/level"), "/level")}
    if operation is Operation.RESPONSE:
        asked = octets.unsigned(1, "/request")
        answer = named(octets.unsigned(1, "/response"), RESPONSES, "/response")
        return {"request": asked, "response": answer}
    return {}


def _calibration(octets: Octets) -> dict[str, ContextValue]:
    operand: dict[str, ContextValue] = {
        "mg-dl": _text(octets.medfloat16("/concentration"), "/concentration"),
        "offset-min": octets.unsigned(2, "/time-offset"),
    }
    kinds = octets.unsigned(1, "/type-sample-location")
    operand["sample-type"] = named(kinds & 0x0F, TYPES, "/type-sample-location")
    operand["next-offset-min"] = octets.unsigned(2, "/next-calibration")
    operand["calibration"] = octets.unsigned(2, "/calibration")
    operand["status"] = bit_names(octets.unsigned(1, "/status"), CALIBRATION_STATUS_NAMES, "/status")
    return operand


def _text(number: Decimal | Special, pointer: str) -> str:
    if isinstance(number, Special):
        raise RefusedField(pointer, number.reason)
    return decimal_text(number)
