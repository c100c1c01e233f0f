"""Encodes values of Bluetooth characteristics for tests. Shares nothing with the decoders, nor with the simulators."""

import struct
from datetime import datetime


def sfloat(mantissa: int, exponent: int = 0) -> bytes:
    return struct.pack("<H", (exponent % 16) * 4096 + mantissa % 4096)


def float32(mantissa: int, exponent: int = 0) -> bytes:
    return struct.pack("<I", (exponent % 256) * 2**24 + mantissa % 2**24)


def date_time(moment: datetime) -> bytes:
    return struct.pack("<H5B", *moment.timetuple()[:6])


def u8(number: int) -> bytes:
    return struct.pack("<B", number)


def s8(number: int) -> bytes:
    return struct.pack("<b", number)


def u16(number: int) -> bytes:
    return struct.pack("<H", number)


def u24(number: int) -> bytes:
    return struct.pack("<I", number)[:3]


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def crc16(data: bytes) -> bytes:
    """CRC-16/MCRF4XX bit by bit, most significant bit of the register first, on reflected octets."""
    register = 0xFFFF
    for octet in data:
        register ^= int(f"{octet:08b}"[::-1], 2) << 8
        for _ in range(8):
            register = (register << 1) ^ (0x1021 if register & 0x8000 else 0)
            register &= 0xFFFF
    return u16(int(f"{register:016b}"[::-1], 2))


def optional(present: dict[int, bytes | None]) -> tuple[int, bytes]:
    """(flags, fields in the order given) of what is there."""
    flags = sum(flag for flag, field in present.items() if field is not None)
    return flags, b"".join(field for field in present.values() if field is not None)
