"""The checksum of Continuous Glucose Monitoring: CRC-16/MCRF4XX, least significant octet first, over all before it."""

_POLYNOMIAL = 0x8408  # 0x1021, reflected


def e2e_crc(octets: bytes) -> bytes:
    """The two octets to append."""
    crc = 0xFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc.to_bytes(2, "little")
