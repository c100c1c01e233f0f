"""What Xiaomi's scales broadcast, encoded: service data of 0x181D, 0x181B, and MiBeacon frames of 0xFE95.

Layouts: custom-components/ble_monitor ``miscale.py`` and ``xiaomi.py``, Bluetooth-Devices/xiaomi-ble ``parser.py``.
"""

import struct
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from device_simulators.ble.date_time import date_time

KG_PER_LB = Decimal("0.45359237")
_POUND, _SETTLED, _STEPPED_OFF = 0x01, 0x20, 0x80  # control octet of the Mi Smart Scale
_BODY_KILOGRAM, _BODY_POUND, _IMPEDANCE_THERE = 2, 3, 0x02  # Mi Body Composition Scale: its first octet; its second one

_VERSION, _ENCRYPTED, _WITH_ADDRESS, _WITH_OBJECTS, _AUTHENTICATED = 5 << 12, 0x0008, 0x0010, 0x0040, 0x0900
_S400_PRODUCT = 0x3BD5
_S400_WEIGHING = 0x6E16
_LOWEST_PULSE = 50  # what is sent is the rest


@dataclass(frozen=True, slots=True)
class Weighing:
    """Somebody on a scale. `at` is the scale's wall clock, `unix` its clock in seconds."""

    kg: Decimal
    at: datetime
    unix: int
    ohm: Decimal | None = None
    pulse: int | None = None
    user: int = 1


def smart_scale(weighing: Weighing, *, settled: bool, off: bool, pounds: bool) -> bytes:
    """Service data of 0x181D, 10 octets. Of a clock that was never set `at` has the year 1970."""
    control = (_POUND if pounds else 0) | (_SETTLED if settled else 0) | (_STEPPED_OFF if off else 0)
    return bytes([control]) + _mass(weighing.kg, pounds=pounds) + date_time(weighing.at)


def body_scale(weighing: Weighing, *, settled: bool, off: bool, pounds: bool) -> bytes:
    """Service data of 0x181B, 13 octets: the impedance is there once it was measured."""
    control = (_SETTLED if settled else 0) | (_STEPPED_OFF if off else 0)
    ohm = 0
    if weighing.ohm is not None:
        control, ohm = control | _IMPEDANCE_THERE, round(weighing.ohm)
    head = bytes([_BODY_POUND if pounds else _BODY_KILOGRAM, control])
    return head + date_time(weighing.at) + struct.pack("<H", ohm) + _mass(weighing.kg, pounds=pounds)


def _mass(kg: Decimal, *, pounds: bool) -> bytes:
    return round(kg / KG_PER_LB * 100 if pounds else kg * 200).to_bytes(2, "little")


class S400:
    """The MiBeacon side of one S400: its counter goes on with each frame."""

    def __init__(self, address: str, bind_key: bytes) -> None:
        self._sender = bytes.fromhex(address.replace(":", ""))[::-1]
        self._cipher = AESCCM(bind_key, tag_length=4)
        self._sent = 0

    def nobody(self) -> bytes:
        """A frame that says only which device it is."""
        return self._head(_VERSION | _WITH_ADDRESS) + self._sender

    def weight(self, weighing: Weighing) -> bytes:
        """Weight, heart rate and the impedance at 50 kHz."""
        pulse = 0 if weighing.pulse is None else weighing.pulse - _LOWEST_PULSE
        ohm = 0 if weighing.ohm is None else round(weighing.ohm * 10)
        return self._weighing(weighing, round(weighing.kg * 10) | pulse << 11 | ohm << 18)

    def second_impedance(self, weighing: Weighing) -> bytes:
        """The impedance at 250 kHz, which comes without the weight."""
        return self._weighing(weighing, round((weighing.ohm or Decimal(0)) * 9) << 18)

    def stepped_off(self, weighing: Weighing) -> bytes:
        """All 0."""
        return self._weighing(weighing, 0)

    def _weighing(self, weighing: Weighing, packed: int) -> bytes:
        value = struct.pack("<BII", weighing.user, packed, weighing.unix)
        clear = struct.pack("<HB", _S400_WEIGHING, len(value)) + value
        head = self._head(_VERSION | _AUTHENTICATED | _ENCRYPTED | _WITH_OBJECTS)
        later = (self._sent >> 8).to_bytes(3, "little")
        sealed = self._cipher.encrypt(self._sender + head[2:] + later, clear, b"\x11")
        return head + sealed[:-4] + later + sealed[-4:]

    def _head(self, control: int) -> bytes:
        self._sent += 1
        return struct.pack("<HHB", control, _S400_PRODUCT, self._sent & 0xFF)
