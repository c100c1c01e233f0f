"""Scales of the Bluetooth SIG Body Composition Service (0x181B): the adapter ``ble-body-composition``.

Such scales send the weight as a measurement of its own, too, of the Weight Scale Service. One packet is several
readings; a measurement that does not fit into one comes in two, joined here.

Context keys of all readings of a measurement: ``user-index`` or ``user-unknown``, ``effective-time``; of the first one,
the body fat: ``impedance-ohm``, ``fat-free-mass-kg`` and ``soft-lean-mass-kg`` (or ``…-lb``).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Rejected
from device_gateway_ble import weight_scale
from device_gateway_ble.composition_measurement import Composition, parse_composition, readings_of
from device_gateway_ble.measuring import (
    FactParser,
    Facts,
    MeasurementDecoder,
    MeasurementParser,
    MeasuringDevice,
    Results,
)
from device_gateway_ble.octets import Octets, RefusedField, bit_names
from device_gateway_ble.scale_units import LENGTH_RESOLUTIONS, MASS_RESOLUTIONS
from device_gateway_ble.uuids import assigned, short

_MEASUREMENT: Final = "2A9C"
FEATURE_NAMES: Final = (
    "time-stamp",
    "multiple-users",
    "basal-metabolism",
    "muscle-percent",
    "muscle-mass",
    "fat-free-mass",
    "soft-lean-mass",
    "body-water-mass",
    "impedance",
    "weight",
    "height",
)


class CompositionDecoder(MeasurementDecoder):
    """Joins the packets of a measurement. Never raises, whatever the bytes are."""

    def __init__(self, key: str, parsers: Mapping[str, MeasurementParser], facts: Mapping[str, FactParser]) -> None:
        super().__init__(key, parsers, facts)
        self._held: Composition | None = None
        self._held_data = b""

    @property
    def waiting(self) -> Collection[int]:
        """These scales number nothing: 0 stands for the measurement whose second packet has not come yet."""
        return (0,) if self._held else ()

    def feed(self, characteristic: str, data: bytes, received_at: datetime | None = None) -> Results:
        """What this packet completes or refuses. `received_at` (aware): for scales without a clock."""
        if short(characteristic) != _MEASUREMENT:
            return super().feed(characteristic, data, received_at)
        self.packets = ((_MEASUREMENT, data),)
        try:
            came = parse_composition(data, received_at)
        except RefusedField as refused:
            return [Rejected(refused.pointer, refused.reason)]
        held, self._held = self._held, None
        if held and held.joins(came):
            self.packets = ((_MEASUREMENT, self._held_data), (_MEASUREMENT, data))
            return readings_of(held.joined(came))
        alone = readings_of(held) if held else []
        if alone:
            self.packets = ((_MEASUREMENT, self._held_data), (_MEASUREMENT, data))
        if came.goes_on:
            self._held, self._held_data = came, data
            return alone
        return [*alone, *readings_of(came)]

    def finish(self) -> Results:
        """At the end of the connection: a measurement whose second packet never came, as far as it came."""
        held, self._held = self._held, None
        self.packets = ((_MEASUREMENT, self._held_data),) if held else ()
        return readings_of(held) if held else []


def parse_feature(data: bytes) -> Facts:
    """Body Composition Feature (0x2A9B). Raises RefusedField."""
    octets = Octets(data)
    bits = octets.unsigned(4, "/features")
    octets.end()
    mass, length = bits >> 11 & 0b1111, bits >> 15 & 0b111
    if bits >> 18 or mass >= len(MASS_RESOLUTIONS) or length >= len(LENGTH_RESOLUTIONS):
        raise RefusedField("/features", "a reserved bit or resolution")
    facts: Facts = {"features": bit_names(bits & 0x7FF, FEATURE_NAMES, "/features")}
    if mass:
        facts["mass-resolution"] = MASS_RESOLUTIONS[mass]
    if length:
        facts["height-resolution"] = LENGTH_RESOLUTIONS[length]
    return facts


class BodyCompositionScale(MeasuringDevice):
    """What the gateway needs to know of such a scale before it talks to one."""

    key: ClassVar[str] = "ble-body-composition"
    models: ClassVar[tuple[Model, ...]] = (Model("ble-body-composition", "device", "Bluetooth body composition scale"),)
    service: ClassVar[str] = assigned(0x181B)
    notifies: ClassVar[tuple[str, ...]] = (assigned(0x2A9C), assigned(0x2A9D))
    metrics: ClassVar[tuple[str, ...]] = (
        "body-fat",
        "basal-metabolism",
        "muscle-percentage",
        "muscle-mass",
        "body-water-mass",
        "body-weight",
        "body-height",
        "bmi",
    )
    parsers: ClassVar[Mapping[str, MeasurementParser]] = weight_scale.WeightScale.parsers
    fact_parsers: ClassVar[Mapping[str, FactParser]] = {
        "2A9B": parse_feature,
        **weight_scale.WeightScale.fact_parsers,
    }

    @classmethod
    def characteristics(cls) -> Collection[str]:
        """The characteristics that the adapter decodes, 16 bits in hex."""
        return (_MEASUREMENT, *super().characteristics())

    @classmethod
    def decoder(cls) -> CompositionDecoder:
        """A fresh decoder, for one connection."""
        return CompositionDecoder(cls.key, cls.parsers, cls.fact_parsers)
