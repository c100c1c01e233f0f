"""The sessions of a continuous glucose monitor: what it is at, and what starts one.

Sources: Continuous Glucose Monitoring Service 1.0.2, 3.3 … 3.6; GATT Specification Supplement.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from device_gateway_ble.cgm_control_point import Operation, parse_control_point, request
from device_gateway_ble.cgm_session import parse_feature, parse_run_time, parse_start, parse_status, start_octets
from device_gateway_ble.octets import RefusedField
from device_gateway_ble.uuids import assigned

_FEATURE, _STATUS, _START, _RUN_TIME = (assigned(number) for number in (0x2AA8, 0x2AA9, 0x2AAA, 0x2AAB))
_STOPPED: Final = "session-stopped"
_QUARTER: Final = timedelta(minutes=15)


class CgmSessions:
    """Works on what the monitor showed, by characteristic. Nothing raises, whatever the bytes are."""

    reads: Final = (_FEATURE, _STATUS, _START, _RUN_TIME)
    control_point: Final = assigned(0x2AAC)
    start_time: Final = _START

    def state(self, shown: Mapping[str, bytes]) -> str | None:
        """ "waiting" for its first start, "running", "expired" or "ended"; None where the monitor does not say."""
        try:
            status = parse_status(shown.get(_STATUS, b""), self._has_crc(shown))
        except RefusedField:
            return None
        if _STOPPED in status.status.split():
            return "ended" if self.has_start(shown) else "waiting"
        try:
            run_time_h = parse_run_time(shown.get(_RUN_TIME, b""), self._has_crc(shown))
        except RefusedField:
            return "running"
        return "expired" if status.offset_min > run_time_h * 60 else "running"

    def has_start(self, shown: Mapping[str, bytes]) -> bool:
        """Whether the monitor knows when its session began."""
        try:
            parse_start(shown.get(_START, b""), self._has_crc(shown))
        except RefusedField:
            return False
        return True

    def start_time_value(self, shown: Mapping[str, bytes], now: datetime) -> bytes:
        """What to write to Session Start Time (0x2AAA): the time `now` (aware), in UTC where its zone is no quarter."""
        offset = now.utcoffset() or timedelta()
        zone = timezone(offset) if not offset % _QUARTER else UTC
        return start_octets(now.astimezone(zone), self._has_crc(shown))

    def start_request(self, shown: Mapping[str, bytes]) -> bytes:
        """What to write to the control point."""
        return request(Operation.START_SESSION, has_crc=self._has_crc(shown))

    def answer(self, data: bytes) -> str | None:
        """ "success", or why no session starts; None for an answer to something else."""
        try:
            message = parse_control_point(data)
        except RefusedField:
            return None
        if message.operation is not Operation.RESPONSE or message.operand["request"] != Operation.START_SESSION:
            return None
        return str(message.operand["response"])

    @staticmethod
    def _has_crc(shown: Mapping[str, bytes]) -> bool:
        try:
            return parse_feature(shown.get(_FEATURE, b"")).has_crc
        except RefusedField:
            return False
