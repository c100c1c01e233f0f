"""Reading a characteristic's value field by field, little endian, with the name of the field in every complaint."""

from datetime import datetime
from decimal import Decimal

from device_gateway_ble.sfloat import Special, parse_sfloat

_SPECIAL_REASONS = {
    Special.NOT_A_NUMBER: "the device sent NaN: it has no value",
    Special.NOT_AT_THIS_RESOLUTION: "the device sent NRes: the value does not fit its resolution",
    Special.POSITIVE_INFINITY: "the device sent +INFINITY: the value is above what it can measure",
    Special.NEGATIVE_INFINITY: "the device sent -INFINITY: the value is below what it can measure",
    Special.RESERVED: "the device sent a number that IEEE 11073-20601 reserves",
}
_FIRST_YEAR = 1582  # GATT Specification Supplement, Date Time: 1582 … 9999, 0 where the year is not known


class RefusedField(Exception):
    """A field cannot be used. `pointer` names it, `reason` says why and holds no measured value."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(pointer, reason)
        self.pointer = pointer
        self.reason = reason


class Octets:
    """A value being read from its first octet to its last. Every method raises RefusedField when octets are missing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, count: int, pointer: str) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise RefusedField(pointer, f"the value ends after {len(self._data)} octets; this field ends at {end}")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def unsigned(self, count: int, pointer: str) -> int:
        """An unsigned integer of `count` octets."""
        return int.from_bytes(self._take(count, pointer), "little")

    def signed(self, count: int, pointer: str) -> int:
        """A two's complement integer of `count` octets."""
        return int.from_bytes(self._take(count, pointer), "little", signed=True)

    def sfloat(self, pointer: str) -> Decimal:
        """An SFLOAT that is zero or more; special and negative values are refused: no such field is below 0."""
        number = parse_sfloat(self.unsigned(2, pointer))
        if isinstance(number, Special):
            raise RefusedField(pointer, _SPECIAL_REASONS[number])
        if number < 0:
            raise RefusedField(pointer, "a negative amount cannot be")
        return number

    def date_time(self, pointer: str) -> datetime:
        """Date Time (7 octets): year, month, day, hours, minutes, seconds. Naive: the device's own wall clock."""
        raw = self._take(7, pointer)
        year, month, day, hour, minute, second = int.from_bytes(raw[:2], "little"), *raw[2:]
        if 0 in (year, month, day):
            raise RefusedField(pointer, "the device does not know the date: its clock was not set")
        if year < _FIRST_YEAR:
            raise RefusedField(pointer, f"the year is before {_FIRST_YEAR}")
        try:
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
        except ValueError as error:
            raise RefusedField(pointer, f"no such date or time: {error}") from error

    def end(self) -> None:
        """Refuses octets after the last field that the flags announce."""
        if left := len(self._data) - self._at:
            raise RefusedField("/length", f"{left} octets follow the last field that the flags announce")
