"""From what was sent to what is stored: canonical value, kept precision, plausible range, sane time.

One `Scale` per metric and sent unit, made once; parsing a decimal string that was seen before is a dictionary look-up,
since devices print few different values.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from device_gateway.metrics import METRICS, UNIT_NUMBERS, Metric
from device_gateway.readings.model import Reading, Rejected
from device_gateway.readings.packed import number_of

DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,8})(?:\.([0-9]{1,6}))?", re.ASCII)  # 15 digits: a float8 keeps them all
# Bits 8-10 of the column flags; numbers are never reused. The database ranks them, see 0019_late_originals.sql.
STATUS_BITS = {"final": 0, "preliminary": 1 << 8, "corrected": 2 << 8}
REMEMBERED_VALUES = 4096  # decimal strings remembered per scale; a sensor prints some hundred
CLOCK_TOLERANCE_S = 300  # s a sender's clock may run ahead of ours before a time counts as in the future


class Value(NamedTuple):
    """Up to three components in the canonical unit; `decimals` has 4 bits per component, the first one lowest."""

    value: float
    value2: float | None
    value3: float | None
    decimals: int


class Scale:
    """One metric in one sent unit."""

    __slots__ = ("_factor", "_offset", "flags", "known", "metric", "packed")

    def __init__(self, metric: Metric, unit: str) -> None:
        conversion = metric.accepts[unit]
        self.metric = metric
        self.flags = UNIT_NUMBERS[unit]
        self._factor, self._offset = conversion.factor, conversion.offset
        self.known: dict[str, tuple[float, int]] = {}  # decimal string ▸ (canonical value, digits after the point)
        self.packed: dict[str, bytes] = {}  # the same as `packed.number_of` puts it

    def number(self, text: str) -> tuple[float, int] | str:
        """(canonical value, digits after the point), or the reason why not."""
        return self.known.get(text) or self._parse(text)

    def _parse(self, text: str) -> tuple[float, int] | str:
        match = DECIMAL.fullmatch(text)
        if match is None:
            return "a decimal number with at most 9 digits before and 6 after the point is needed, as a string"
        canonical = float(text) * self._factor + self._offset
        metric = self.metric
        if not metric.low <= canonical <= metric.high:
            return f"impossible for {metric.key}: {metric.low:g} to {metric.high:g} {metric.unit} can be"
        number = canonical, len(match[1] or "")
        if len(self.known) < REMEMBERED_VALUES:
            self.known[text] = number
            self.packed[text] = number_of(*number)
        return number


@lru_cache(maxsize=2048)  # bounded: names come from outside
def scale_of(metric: str, unit: str) -> Scale | Rejected:
    """The scale, or the rejection of an unknown metric or a unit that the metric does not have."""
    known = METRICS.get(metric)
    if known is None:
        return Rejected("/metric", "unknown metric; the metrics are those of the catalogue, for instance body-weight")
    if unit not in known.accepts:
        return Rejected("/unit", f"{known.key} is measured in {' or '.join(known.accepts)} (UCUM)")
    return Scale(known, unit)


def value_of(reading: Reading, scale: Scale) -> Value | Rejected:
    """The value or components of `reading` on `scale`."""
    if not scale.metric.components:
        if reading.value is None or reading.components is not None:
            return Rejected("/value", f"{scale.metric.key} needs a value and has no components")
        number = scale.number(reading.value)
        if isinstance(number, str):
            return Rejected("/value", number)
        return Value(number[0], None, None, number[1])
    return _components(reading, scale)


def _components(reading: Reading, scale: Scale) -> Value | Rejected:
    given = reading.components
    keys = [component.key for component in scale.metric.components]
    if given is None or reading.value is not None:
        return Rejected("/components", f"{scale.metric.key} has components {', '.join(keys)} and no value")
    if unknown := given.keys() - keys:
        return Rejected(f"/components/{_escaped(min(unknown))}", f"{scale.metric.key} has components {', '.join(keys)}")
    values: list[float | None] = [None, None, None]
    decimals = 0
    for place, component in enumerate(scale.metric.components):
        text = given.get(component.key)
        if text is None:
            if component.required:
                return Rejected(f"/components/{component.key}", "this component is required")
            continue
        number = scale.number(text)
        if isinstance(number, str):
            return Rejected(f"/components/{component.key}", number)
        values[place] = number[0]
        decimals |= number[1] << (4 * place)
    first, second, third = values
    if first is None:
        return Rejected("/components", f"{scale.metric.components[0].key} is required")
    if scale.metric.key == "blood-pressure" and second is not None and second >= first:
        return Rejected("/components/diastolic", "diastolic is not below systolic")
    return Value(first, second, third, decimals)


def _escaped(token: str) -> str:
    """A reference token of a JSON pointer (RFC 6901), shortened: it comes from outside."""
    return token[:40].replace("~", "~0").replace("/", "~1")
