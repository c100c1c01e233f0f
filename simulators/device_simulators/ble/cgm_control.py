"""CGM Specific Ops Control Point (0x2AAC): what a monitor is asked beside its records. CGM Service 1.0.1, 3.10."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from device_simulators.ble.cgm_session import CgmSession
from device_simulators.ble.sfloat import decode_sfloat, encode_sfloat

_SET_INTERVAL, _GET_INTERVAL, _INTERVAL_RESPONSE = 1, 2, 3
_START, _STOP, _RESPONSE = 26, 27, 28
SUCCESS, NOT_SUPPORTED, INVALID_OPERAND, NOT_COMPLETED, OUT_OF_RANGE = 1, 2, 3, 4, 5
FASTEST = 0xFF  # minutes: as often as the device can


@dataclass
class AlertLevel:
    """A level that a peer may set, with what it may be, in mg/dL or mg/dL/min."""

    value: Decimal
    lowest: int
    highest: int


class CgmControl:
    """Keeps the levels and the interval between notifications; starts and stops the session.

    Calibration is not supported: the sensor comes calibrated from the factory.
    """

    def __init__(self, session: CgmSession) -> None:
        self._session = session
        self.interval_min = FASTEST
        self.high, self.low = AlertLevel(Decimal(180), 120, 400), AlertLevel(Decimal(70), 60, 100)
        self.hypo, self.hyper = AlertLevel(Decimal(54), 40, 70), AlertLevel(Decimal(250), 180, 400)
        self.fall, self.rise = AlertLevel(Decimal(-3), -10, -1), AlertLevel(Decimal(3), 1, 10)
        # The operation that sets each: getting it has the next number, the answer to that the one after.
        self._levels = {7: self.high, 10: self.low, 13: self.hypo, 16: self.hyper, 19: self.fall, 22: self.rise}
        self._operations: dict[int, Callable[[], int]] = {_START: self._start, _STOP: self._stop}

    def answer(self, request: bytes) -> bytes:
        """What is indicated in answer, without the checksum."""
        operation, operand = (request[0] if request else 0), request[1:]
        if operation == _GET_INTERVAL and not operand:
            return bytes([_INTERVAL_RESPONSE, self.interval_min])
        if (level := self._levels.get(operation - 1)) and not operand:
            return bytes([operation + 1]) + encode_sfloat(level.value)
        return bytes([_RESPONSE, operation, self._perform(operation, operand)])

    def warning(self, mg_dl: float, trend: float) -> int:
        """The warning octet of a value."""
        conditions = (
            mg_dl < self.low.value,
            mg_dl > self.high.value,
            mg_dl < self.hypo.value,
            mg_dl > self.hyper.value,
            trend < self.fall.value,
            trend > self.rise.value,
        )
        return sum(1 << bit for bit, holds in enumerate(conditions) if holds)

    def _perform(self, operation: int, operand: bytes) -> int:
        if operation == _SET_INTERVAL:
            if len(operand) != 1:
                return INVALID_OPERAND
            self.interval_min = operand[0]
            return SUCCESS
        if level := self._levels.get(operation):
            return _set(level, operand)
        if operation not in self._operations:
            return NOT_SUPPORTED if operation not in self._getters() else INVALID_OPERAND
        return INVALID_OPERAND if operand else self._operations[operation]()

    def _getters(self) -> set[int]:
        return {_GET_INTERVAL, *(operation + 1 for operation in self._levels)}

    def _start(self) -> int:
        if self._session.is_running:
            return NOT_COMPLETED
        self._session.start()
        return SUCCESS

    def _stop(self) -> int:
        self._session.stop()
        return SUCCESS


def _set(level: AlertLevel, operand: bytes) -> int:
    wanted = decode_sfloat(operand) if len(operand) == 2 else None
    if wanted is None:
        return INVALID_OPERAND
    if not level.lowest <= wanted <= level.highest:
        return OUT_OF_RANGE
    level.value = wanted
    return SUCCESS
