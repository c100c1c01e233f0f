"""E2E-CRC of the medical profiles: CRC-16/MCRF4XX (polynomial 0x1021 reflected, start 0xFFFF, nothing at the end).

Source: GATT Specification Supplement, CRC calculation; check value of the catalogue of parametrised CRC algorithms:
0x6F91 for "123456789". It stands last, little endian, and covers all before it.
"""

from typing import Final

from device_gateway_ble.octets import Octets, RefusedField

OCTETS: Final = 2
_REFLECTED_POLYNOMIAL: Final = 0x8408


def _row(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (_REFLECTED_POLYNOMIAL if octet & 1 else 0)
    return octet


_TABLE: Final = tuple(_row(octet) for octet in range(256))


def e2e_crc(data: bytes) -> int:
    """The CRC of `data`, 0 … 0xFFFF."""
    crc = 0xFFFF
    for octet in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ octet) & 0xFF]
    return crc


def with_crc(data: bytes) -> bytes:
    """`data` with its CRC behind it."""
    return data + e2e_crc(data).to_bytes(OCTETS, "little")


def crc_fits(data: bytes) -> bool:
    """Whether the last two octets are the CRC of those before them."""
    return len(data) > OCTETS and e2e_crc(data[:-OCTETS]) == int.from_bytes(data[-OCTETS:], "little")


def end_with_crc(octets: Octets, data: bytes, has_crc: bool | None) -> None:
    """Ends the reading of `data` behind its CRC, if it has one. Raises RefusedField where that is wrong or missing.

    `has_crc`: whether the device says that it sends it; None where it has not been asked. Then the length tells.
    """
    if octets.left == OCTETS and has_crc is not False:
        if not crc_fits(data):
            raise RefusedField("/crc", "the CRC is wrong: the value was damaged on its way")
        octets.take(OCTETS, "/crc")
    elif has_crc:
        raise RefusedField("/crc", "the device says that it sends a CRC, and there is none")
    octets.end()
