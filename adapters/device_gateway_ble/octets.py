"""Reading a characteristic's value field by field, little endian, with the name of the field in every complaint."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from device_gateway_ble.medfloat import Special, parse_float, parse_sfloat

FIRST_YEAR: Final = 1582  # GATT Specification Supplement, Date Time: 1582 … 9999, 0 where the year is not known


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

    @property
    def left(self) -> int:
        """How many octets have not been read yet."""
        return len(self._data) - self._at

    def take(self, count: int, pointer: str) -> bytes:
        """The next `count` octets as they are."""
        end = self._at + count
        if end > len(self._data):
            raise RefusedField(pointer, f"the value ends after {len(self._data)} octets; this field ends at {end}")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def unsigned(self, count: int, pointer: str) -> int:
        """An unsigned integer of `count` octets."""
        return int.from_bytes(self.take(count, pointer), "little")

    def signed(self, count: int, pointer: str) -> int:
        """A two's complement integer of `count` octets."""
        return int.from_bytes(self.take(count, pointer), "little", signed=True)

    def flags(self, count: int, known: int) -> int:
        """The flags of `count` octets; `known` are the bits that have a meaning."""
        flags = self.unsigned(count, "/flags")
        if flags & ~known:
            raise RefusedField("/flags", "a reserved flag is set: fields of a later version would be misread")
        return flags

    def medfloat16(self, pointer: str) -> Decimal | Special:
        """An SFLOAT of any sign, or its special value."""
        return parse_sfloat(self.unsigned(2, pointer))

    def sfloat(self, pointer: str) -> Decimal:
        """An SFLOAT that is zero or more; special and negative values are refused: no such field is below 0."""
        return amount(self.medfloat16(pointer), pointer)

    def medfloat32(self, pointer: str) -> Decimal | Special:
        """A FLOAT of any sign, or its special value."""
        return parse_float(self.unsigned(4, pointer))

    def date_time(self, pointer: str) -> datetime:
        """Date Time (7 octets): year, month, day, hours, minutes, seconds. Naive: the device's own wall clock."""
        raw = self.take(7, pointer)
        year, month, day, hour, minute, second = int.from_bytes(raw[:2], "little"), *raw[2:]
        if 0 in (year, month, day):
            raise RefusedField(pointer, "the device does not know the date: its clock was not set")
        if year < FIRST_YEAR:
            raise RefusedField(pointer, f"the year is before {FIRST_YEAR}")
        try:
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
        except ValueError as error:
            raise RefusedField(pointer, f"no such date or time: {error}") from error

    def end(self) -> None:
        """Refuses octets after the last field that the flags announce."""
        if self.left:
            raise RefusedField("/length", f"{self.left} octets follow the last field that the flags announce")


def amount(number: Decimal | Special, pointer: str) -> Decimal:
    """`number` where it is one and not below 0. Raises RefusedField."""
    if isinstance(number, Special):
        raise RefusedField(pointer, number.reason)
    if number < 0:
        raise RefusedField(pointer, "a negative amount cannot be")
    return number


def bit_names(bits: int, names: Sequence[str], pointer: str) -> str:
    """The names of the bits that are set, separated by spaces; `names` from bit 0 on, empty where it is reserved."""
    found = [name for bit, name in enumerate(names) if bits >> bit & 1]
    if bits >> len(names) or "" in found:
        raise RefusedField(pointer, "a reserved status bit is set")
    return " ".join(found)


def named(number: int, names: Mapping[int, str], pointer: str) -> str:
    """The name of `number`; a number without one is reserved and refused."""
    if name := names.get(number):
        return name
    raise RefusedField(pointer, f"reserved value {number}")
