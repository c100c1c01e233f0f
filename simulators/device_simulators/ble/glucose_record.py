"""One record of a glucose meter, and how the Glucose Service puts it on the air."""

import struct
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from device_simulators.ble.date_time import date_time
from device_simulators.ble.sfloat import encode_sfloat

Unit = Literal["mg/dL", "mmol/L"]

_OFFSET, _CONCENTRATION, _MOL_PER_L, _STATUS, _CONTEXT_FOLLOWS = 0x01, 0x02, 0x04, 0x08, 0x10
_CARBOHYDRATE, _MEAL = 0x01, 0x02

CAPILLARY_WHOLE_BLOOD, FINGER = 1, 1
BEFORE_MEAL, AFTER_MEAL, FASTING, CASUAL, BEDTIME = 1, 2, 3, 4, 5
BREAKFAST, LUNCH, DINNER = 1, 2, 3


@dataclass(frozen=True, slots=True)
class GlucoseRecord:
    """A measurement and, where `meal` is given, its context. `base_time` is the meter's wall clock; no zone."""

    seq: int
    base_time: datetime
    value: str
    unit: Unit = "mg/dL"
    offset_min: int = 0
    sample_type: int = CAPILLARY_WHOLE_BLOOD
    location: int = FINGER
    status: int = 0
    meal: int | None = None
    carbohydrate: int | None = None
    carbohydrate_g: int = 0

    def measurement(self, device_status: int = 0) -> bytes:
        """The value of 0x2A18: kg/L of a meter that shows mg/dL, mol/L of one that shows mmol/L.

        `device_status` has the bits of the sensor status that the device has now, beside those of the record.
        """
        flags = _OFFSET | _CONCENTRATION | _STATUS
        shown = Decimal(self.value)
        concentration = shown.scaleb(-5)
        if self.unit == "mmol/L":
            flags |= _MOL_PER_L
            concentration = shown.scaleb(-3)
        if self.meal is not None:
            flags |= _CONTEXT_FOLLOWS
        return (
            struct.pack("<BH", flags, self.seq)
            + date_time(self.base_time)
            + struct.pack("<h", self.offset_min)
            + encode_sfloat(concentration)
            + struct.pack("<BH", self.location << 4 | self.sample_type, self.status | device_status)
        )

    def context(self) -> bytes | None:
        """The value of 0x2A34 that follows, or None."""
        if self.meal is None:
            return None
        if self.carbohydrate is None:
            return struct.pack("<BHB", _MEAL, self.seq, self.meal)
        amount = encode_sfloat(Decimal(self.carbohydrate_g).scaleb(-3))
        return struct.pack("<BHB", _CARBOHYDRATE | _MEAL, self.seq, self.carbohydrate) + amount + bytes([self.meal])

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"base_time": self.base_time.isoformat()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "GlucoseRecord":
        return cls(**fields | {"base_time": datetime.fromisoformat(fields["base_time"])})
