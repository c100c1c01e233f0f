"""Record Access Control Point (0x2A52), our side: asking for records, and understanding the answers.

Operations, operators and codes: GATT Specification Supplement, Record Access Control Point; procedures: Glucose Service
1.0.1, 4.4. Records are named by sequence number only; every device with the control point can do that.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from device_gateway.transports.ble.errors import LinkLost, NoAnswer, RecordAccessRefused
from device_gateway.transports.ble.link import AttributeRefused, Link

HIGHEST_SEQ: Final = 0xFFFF

NOTIFICATION_TIMEOUT_S: Final = 30.0  # Glucose Profile 1.0.1, 5.5: no notification for 30 s ends the procedure
TRANSFER_TIMEOUT_S: Final = 1800.0  # a full memory at 40 records a second; more is a device that never ends
ABORT_TIMEOUT_S: Final = 5.0
BUSY_ATTEMPTS: Final = 3
BUSY_WAIT_S: Final = 1.0
_SLACK_PACKETS: Final = 64  # records taken while the transfer runs

_REPORT, _DELETE, _ABORT, _NUMBER, _NUMBER_RESPONSE, _RESPONSE = 1, 2, 3, 4, 5, 6
_ALL, _AT_MOST, _AT_LEAST, _BETWEEN, _LAST = b"\x01", 2, 3, 4, b"\x06"
_BY_SEQ = 1  # of a meter the sequence number, of a glucose sensor the minutes since its session began
_BUSY_CODES = (0xFE, 0x80)  # "procedure already in progress"; 0x80 before the common codes were assigned

SUCCESS, NOT_SUPPORTED, OPERATOR_NOT_SUPPORTED, NO_RECORDS, OPERAND_NOT_SUPPORTED = 1, 2, 4, 6, 9
UNSUPPORTED: Final = (NOT_SUPPORTED, OPERATOR_NOT_SUPPORTED, OPERAND_NOT_SUPPORTED)

_REASONS = {
    2: "the operation is not supported",
    3: "the operator is invalid",
    4: "the operator is not supported",
    5: "the operand is invalid",
    6: "there are no such records",
    7: "the transfer could not be aborted",
    8: "the transfer was not completed",
    9: "the operand is not supported",
}

_log = structlog.get_logger(__name__)

Notified = Callable[[str, bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: all of them, the newest one, or those from, up to or between sequence numbers."""

    octets: bytes

    @classmethod
    def every(cls) -> "Selection":
        return cls(_ALL)

    @classmethod
    def newest(cls) -> "Selection":
        return cls(_LAST)

    @classmethod
    def starting_at(cls, seq: int) -> "Selection":
        """`seq` is 0 … 65535."""
        return cls(bytes([_AT_LEAST, _BY_SEQ]) + seq.to_bytes(2, "little"))

    @classmethod
    def up_to(cls, seq: int) -> "Selection":
        return cls(bytes([_AT_MOST, _BY_SEQ]) + seq.to_bytes(2, "little"))

    @classmethod
    def between(cls, first: int, last: int) -> "Selection":
        """Both included; `first` is not above `last`."""
        return cls(bytes([_BETWEEN, _BY_SEQ]) + first.to_bytes(2, "little") + last.to_bytes(2, "little"))


class RecordAccess:
    """Runs one procedure at a time over a link whose notifications are subscribed to."""

    def __init__(self, link: Link, uuid: str, *, notification_timeout_s: float = NOTIFICATION_TIMEOUT_S) -> None:
        self._link = link
        self._uuid = uuid
        self._timeout_s = notification_timeout_s

    async def count(self, selection: Selection) -> int:
        """How many records there are. RecordAccessRefused: its code tells an unsupported question. Or LinkLost."""
        await self._request(bytes([_NUMBER]) + selection.octets)
        while True:
            answer = await self._answer()
            if answer[:1] == bytes([_NUMBER_RESPONSE]) and len(answer) == 4:
                return int.from_bytes(answer[2:4], "little")
            code = _code(answer, _NUMBER)
            if code == NO_RECORDS:
                return 0
            if code is not None:
                raise _refused(code)

    async def report(self, selection: Selection, packet: Notified, expected: int | None) -> None:
        """Has the records sent, each notification given to `packet`. Returns when the device says that it is done.

        A device that sends far more than the `expected` records, or for more than half an hour, is stopped. Raises
        RecordAccessRefused, NoAnswer or LinkLost.
        """
        limit = 2 * (HIGHEST_SEQ if expected is None else expected) + _SLACK_PACKETS  # measurement and context
        deadline = time.monotonic() + TRANSFER_TIMEOUT_S
        await self._request(bytes([_REPORT]) + selection.octets)
        packets = 0
        while True:
            try:
                uuid, value = await self._link.notification(self._timeout_s)
            except NoAnswer:
                await self.abort()
                raise
            if uuid == self._uuid:
                code = _code(value, _REPORT)
                if code in (SUCCESS, NO_RECORDS):
                    return
                if code is not None:
                    raise _refused(code)
                continue
            packets += 1
            if packets > limit or time.monotonic() > deadline:
                await self.abort()
                raise RecordAccessRefused(f"the device did not stop sending: ended after {packets} notifications", 0)
            await packet(uuid, value)

    async def delete(self, selection: Selection) -> None:
        """Has the device forget the records. Raises RecordAccessRefused, NoAnswer or LinkLost."""
        await self._request(bytes([_DELETE]) + selection.octets)
        while True:
            code = _code(await self._answer(), _DELETE)
            if code in (SUCCESS, NO_RECORDS):
                return
            if code is not None:
                raise _refused(code)

    async def abort(self) -> None:
        """Ends what the device is doing; gives up waiting for its answer soon, and never raises for it."""
        try:
            await self._link.write(self._uuid, bytes([_ABORT, 0]))
            deadline = time.monotonic() + ABORT_TIMEOUT_S
            while time.monotonic() < deadline:
                uuid, value = await self._link.notification(ABORT_TIMEOUT_S)
                if uuid == self._uuid and _code(value, _ABORT) is not None:
                    return
        except (AttributeRefused, NoAnswer, LinkLost) as error:
            _log.info("ble.abort_unanswered", why=type(error).__name__)

    async def _request(self, value: bytes) -> None:
        """Writes a request; a device busy with an earlier one is told to stop that."""
        for attempt in range(1, BUSY_ATTEMPTS + 1):
            try:
                await self._link.write(self._uuid, value)
            except AttributeRefused as refused:
                if refused.code not in _BUSY_CODES or attempt == BUSY_ATTEMPTS:
                    raise
                await self.abort()
                await asyncio.sleep(BUSY_WAIT_S * attempt)
            else:
                return

    async def _answer(self) -> bytes:
        while True:
            uuid, value = await self._link.notification(self._timeout_s)
            if uuid == self._uuid:
                return value


def _code(value: bytes, operation: int) -> int | None:
    """The response code for our operation; None for an answer to something else, or no answer at all."""
    if len(value) == 4 and value[0] == _RESPONSE and value[2] == operation:
        return value[3]
    return None


def _refused(code: int) -> RecordAccessRefused:
    return RecordAccessRefused(f"the device answered: {_REASONS.get(code, f'code {code}')}", code)
