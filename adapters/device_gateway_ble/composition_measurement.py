"""Body Composition Measurement (0x2A9C). Layout: Body Composition Service 1.0, 3.2; GATT Specification Supplement."""

from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from typing import Final, NamedTuple

from device_gateway.readings.model import Rejected
from device_gateway_ble.measuring import Context, Results, effective_time, note_user, reading
from device_gateway_ble.octets import Octets, RefusedField
from device_gateway_ble.scale_units import (
    INCH,
    KILOGRAM,
    KILOJOULE,
    METRE,
    POUND,
    TENTH_OHM,
    TENTH_PERCENT,
    UNSUCCESSFUL,
    Step,
)

IMPERIAL, TIME_STAMP, USER_ID, MULTIPLE_PACKETS = 0x0001, 0x0002, 0x0004, 0x1000
_FLAGS: Final = 0x1FFF
FAT: Final = "body-fat"


class Quantity(NamedTuple):
    """An optional field of two octets. `metric` is None where the value belongs into the context."""

    flag: int
    name: str
    metric: str | None
    step: Step
    imperial: Step | None = None


QUANTITIES: Final = (
    Quantity(0x0008, "basal-metabolism", "basal-metabolism", KILOJOULE),
    Quantity(0x0010, "muscle-percent", "muscle-percentage", TENTH_PERCENT),
    Quantity(0x0020, "muscle-mass", "muscle-mass", KILOGRAM, POUND),
    Quantity(0x0040, "fat-free-mass", None, KILOGRAM, POUND),
    Quantity(0x0080, "soft-lean-mass", None, KILOGRAM, POUND),
    Quantity(0x0100, "body-water-mass", "body-water-mass", KILOGRAM, POUND),
    Quantity(0x0200, "impedance", None, TENTH_OHM),
    Quantity(0x0400, "weight", "body-weight", KILOGRAM, POUND),
    Quantity(0x0800, "height", "body-height", METRE, INCH),
)
_UNITS_IN_KEYS: Final = {"kg": "kg", "[lb_av]": "lb", "Ohm": "ohm"}


@dataclass(frozen=True, slots=True)
class Composition:
    """One packet, or two of them joined. `counts` by name of the quantity, `fat` among them."""

    imperial: bool
    stamp: datetime | None
    user: int | None
    counts: dict[str, int]
    goes_on: bool
    received_at: datetime | None

    def joins(self, later: "Composition") -> bool:
        """Whether `later` can be the second packet of the measurement that this one begins."""
        if not self.goes_on or not later.goes_on or self.imperial is not later.imperial:
            return False
        return (
            self.counts[FAT] == later.counts[FAT]
            and later.stamp in (None, self.stamp)
            and later.user in (None, self.user)
            and self.counts.keys() & later.counts.keys() == {FAT}
        )

    def joined(self, later: "Composition") -> "Composition":
        """Both packets as one measurement."""
        return Composition(self.imperial, self.stamp, self.user, self.counts | later.counts, False, self.received_at)


def parse_composition(data: bytes, received_at: datetime | None) -> Composition:
    """One packet. Raises RefusedField."""
    octets = Octets(data)
    flags = octets.flags(2, _FLAGS)
    counts = {FAT: octets.unsigned(2, "/body-fat")}
    stamp = octets.date_time("/time-stamp") if flags & TIME_STAMP else None
    user = octets.unsigned(1, "/user") if flags & USER_ID else None
    for quantity in QUANTITIES:
        if flags & quantity.flag:
            counts[quantity.name] = octets.unsigned(2, f"/{quantity.name}")
    octets.end()
    return Composition(bool(flags & IMPERIAL), stamp, user, counts, bool(flags & MULTIPLE_PACKETS), received_at)


def readings_of(measured: Composition) -> Results:
    """A reading of each quantity that is a metric; the others are in the context of the first one, the body fat.

    So the weight here is the same reading as the one that the scale sends by itself, and is stored once. A scale that
    measured nothing says 0xFFFF, and many say 0.
    """
    context: Context = {}
    if measured.user is not None:
        note_user(measured.user, context)
    try:
        at = effective_time(measured.stamp, measured.received_at, context)
    except RefusedField as refused:
        return [Rejected(refused.pointer, refused.reason)]
    values: list[tuple[str, str, str]] = []
    further: Context = {}
    refusals: list[Rejected] = []
    fat = Quantity(0, FAT, FAT, TENTH_PERCENT)
    for quantity in (fat, *QUANTITIES):
        count = measured.counts.get(quantity.name, 0)
        step = quantity.imperial if measured.imperial and quantity.imperial else quantity.step
        if count == UNSUCCESSFUL:
            refusals.append(Rejected(f"/{quantity.name}", "the measurement was unsuccessful"))
        elif step is TENTH_PERCENT and count > 1000:
            refusals.append(Rejected(f"/{quantity.name}", "more than 100 %"))
        elif count and quantity.metric:
            values.append((quantity.metric, step.text(count), step.unit))
        elif count:
            further[f"{quantity.name}-{_UNITS_IN_KEYS[step.unit]}"] = step.text(count)
    if not values and not refusals:
        refusals.append(Rejected("/body-fat", "the measurement was unsuccessful: all its values are 0"))
    contexts = chain([context | further], repeat(context))
    readings = (
        reading(metric, value, unit, at, own) for (metric, value, unit), own in zip(values, contexts, strict=False)
    )
    return [*readings, *refusals]
