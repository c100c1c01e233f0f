"""User Data (0x181C) of a device that tells people apart: nothing of anybody is shown without their consent code."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bumble import att
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from device_simulators.ble.measurement_memory import MeasurementMemory
from device_simulators.ble.peripheral import Security, is_subscribed, subscribable
from device_simulators.ble.record_server import CCCD_IMPROPERLY_CONFIGURED

USER_DATA_SERVICE = 0x181C
_REGISTER, _CONSENT, _DELETE, _RESPONSE = 1, 2, 3, 0x20
_SUCCESS, _NOT_SUPPORTED, _INVALID_PARAMETER, _FAILED, _NOT_AUTHORIZED = 1, 2, 3, 4, 5
_NOT_PERMITTED = 0x80  # User Data Service 1.0, 1.6: user data access not permitted
_HIGHEST_CODE = 9999
_MOST_USERS = 8
_INDICATE = 2


class UserData:
    """User Control Point, User Index and Database Change Increment. `consented` is told when a peer may see more."""

    def __init__(
        self, device: Device, security: Security, memory: MeasurementMemory, consented: Callable[[], None]
    ) -> None:
        self._device = device
        self._memory = memory
        self._consented = consented
        self._users: dict[Connection, int] = {}
        self._changes = 0
        self._answers: set[asyncio.Task[None]] = set()
        self._control = subscribable(
            device,
            Characteristic(
                UUID.from_16_bits(0x2A9F),
                Characteristic.Properties.WRITE | Characteristic.Properties.INDICATE,
                security.write,
                CharacteristicValue(write=self._on_request),
            ),
            security,
        )
        index: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2A9A),
            Characteristic.Properties.READ,
            security.read,
            CharacteristicValue(read=self._on_index),
        )
        increment: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2A99),
            Characteristic.Properties.READ | Characteristic.Properties.WRITE,
            security.read | security.write,
            CharacteristicValue(read=self._on_increment_read, write=self._on_increment_write),
        )
        self.service = Service(UUID.from_16_bits(USER_DATA_SERVICE), [self._control, index, increment])

    def user_of(self, connection: Connection) -> int | None:
        """Who gave consent on this connection."""
        return self._users.get(connection)

    def _on_index(self, connection: Connection) -> bytes:
        return bytes([self._users.get(connection, 0xFF)])

    def _on_increment_read(self, connection: Connection) -> bytes:
        if connection not in self._users:
            raise att.ATT_Error(_NOT_PERMITTED)
        return self._changes.to_bytes(4, "little")

    def _on_increment_write(self, connection: Connection, value: bytes) -> None:
        if connection not in self._users:
            raise att.ATT_Error(_NOT_PERMITTED)
        if len(value) != 4:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        self._changes = int.from_bytes(value, "little")

    def _on_request(self, connection: Connection, value: bytes) -> None:
        if not is_subscribed(self._device, connection, self._control, _INDICATE):
            raise att.ATT_Error(CCCD_IMPROPERLY_CONFIGURED)
        operation = value[0] if value else 0
        perform = {_REGISTER: self._register, _CONSENT: self._consent, _DELETE: self._delete}.get(operation)
        code, parameter = (_NOT_SUPPORTED, b"") if perform is None else perform(connection, bytes(value[1:]))
        task = asyncio.create_task(self._answer(connection, bytes([_RESPONSE, operation, code]) + parameter))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, connection: Connection, value: bytes) -> None:
        with suppress(TimeoutError):
            await self._device.indicate_subscriber(connection, self._control, value)
        self._consented()

    def _register(self, _connection: Connection, operand: bytes) -> tuple[int, bytes]:
        code = int.from_bytes(operand, "little")
        if len(operand) != 2 or code > _HIGHEST_CODE:
            return _INVALID_PARAMETER, b""
        free = [user for user in range(1, _MOST_USERS + 1) if user not in self._memory.consent_codes]
        if not free:
            return _FAILED, b""
        self._memory.consent_codes[free[0]] = code
        self._memory.save()
        return _SUCCESS, bytes([free[0]])

    def _consent(self, connection: Connection, operand: bytes) -> tuple[int, bytes]:
        if len(operand) != 3 or int.from_bytes(operand[1:], "little") > _HIGHEST_CODE:
            return _INVALID_PARAMETER, b""
        if self._memory.consent_codes.get(operand[0]) != int.from_bytes(operand[1:], "little"):
            return _NOT_AUTHORIZED, b""
        self._users[connection] = operand[0]
        return _SUCCESS, b""

    def _delete(self, connection: Connection, operand: bytes) -> tuple[int, bytes]:
        user = self._users.get(connection)
        if operand:
            return _INVALID_PARAMETER, b""
        if user is None:
            return _NOT_AUTHORIZED, b""
        del self._users[connection], self._memory.consent_codes[user]
        self._memory.waiting = [taken for taken in self._memory.waiting if taken.user != user]
        self._memory.save()
        return _SUCCESS, b""
