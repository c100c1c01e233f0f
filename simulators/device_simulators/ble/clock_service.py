"""Current Time (0x1805) of a device; those who bond may set it."""

import struct
from datetime import datetime

from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service

from device_simulators.ble.date_time import current_time
from device_simulators.ble.device_memory import DeviceMemory
from device_simulators.ble.peripheral import OPEN, Security

_ADJUSTED_BY_HAND = 0x01  # Current Time, adjust reason
_DATA_FIELD_IGNORED = 0x80  # Current Time Service 1.1, 3.1


class ClockService:
    """Shows the clock of `memory`, and sets it unless the device is open to everybody."""

    def __init__(self, memory: DeviceMemory, security: Security) -> None:
        properties, permissions = Characteristic.Properties.READ, security.read
        if security is not OPEN:
            properties, permissions = properties | Characteristic.Properties.WRITE, permissions | security.write
        self._memory = memory
        self._adjust_reason = 0
        time: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2A2B),
            properties,
            permissions,
            CharacteristicValue(read=self._on_read, write=self._on_write),
        )
        self.service = Service(UUID.from_16_bits(0x1805), [time])

    def _on_read(self, _connection: Connection) -> bytes:
        return current_time(self._memory.clock(), self._adjust_reason)

    def _on_write(self, _connection: Connection, value: bytes) -> None:
        if len(value) != 10:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        year, month, day, hour, minute, second = struct.unpack_from("<HBBBBB", value)
        try:
            shown = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
        except ValueError as error:
            raise att.ATT_Error(_DATA_FIELD_IGNORED) from error
        self._memory.set_clock(shown)
        self._adjust_reason = _ADJUSTED_BY_HAND
