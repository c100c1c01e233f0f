"""One record of a continuous glucose monitor, and how it goes on the air (0x2AA7)."""

import struct
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from device_simulators.ble.e2e_crc import e2e_crc
from device_simulators.ble.sfloat import encode_sfloat

_TREND, _QUALITY, _WARNING, _CALIBRATION, _STATUS = 0x01, 0x02, 0x20, 0x40, 0x80


@dataclass(frozen=True, slots=True)
class CgmRecord:
    """A value in mg/dL, `seq` minutes after the session began; trend in mg/dL/min; the octets of its status."""

    seq: int
    mg_dl: str
    trend: str | None = None
    quality_percent: int | None = None
    status: int = 0
    calibration: int = 0
    warning: int = 0

    def measurement(self, *, with_crc: bool) -> bytes:
        """One record of a CGM Measurement; several may follow each other in one notification."""
        flags, fields = 0, b""
        for bit, octet in ((_STATUS, self.status), (_CALIBRATION, self.calibration), (_WARNING, self.warning)):
            if octet:
                flags |= bit
                fields += bytes([octet])
        if self.trend is not None:
            flags |= _TREND
            fields += encode_sfloat(Decimal(self.trend))
        if self.quality_percent is not None:
            flags |= _QUALITY
            fields += encode_sfloat(Decimal(self.quality_percent))
        body = encode_sfloat(Decimal(self.mg_dl)) + struct.pack("<H", self.seq) + fields
        record = bytes([2 + len(body) + (2 if with_crc else 0), flags]) + body
        return record + e2e_crc(record) if with_crc else record

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "CgmRecord":
        return cls(**fields)
