"""Models that can be paired: our own edge, and what the installed adapters support."""

from functools import cache

import msgspec

from device_gateway.devices.topics import OWN_DIALECT
from device_gateway.errors import UnknownModel
from device_gateway.ingest.dialects import adapters
from device_gateway.readings.model import Model

EDGE = Model("edge", "edge", "Device Gateway edge")


class KnownModel(msgspec.Struct, frozen=True):
    """A model, and how its readings travel.

    transport  "mqtt" or "ble"
    dialect    key of the adapter that understands it
    """

    model: Model
    transport: str
    dialect: str

    @property
    def stands_alone(self) -> bool:
        """Whether it connects to the broker by itself; otherwise a hub or an edge carries what it says."""
        return self.model.kind != "device" or (self.transport == "mqtt" and self.dialect == OWN_DIALECT)


@cache
def known_models() -> dict[str, KnownModel]:
    """By key, in the order of their names."""
    found = {EDGE.key: KnownModel(EDGE, "mqtt", OWN_DIALECT)}
    for adapter in adapters():
        for model in adapter.models:
            if model.key in found:
                raise ValueError(f"two adapters have a model {model.key}: {adapter.key} is one of them")
            found[model.key] = KnownModel(model, adapter.transport, adapter.key)
    return dict(sorted(found.items(), key=lambda item: item[1].model.name))


def known_model(key: str) -> KnownModel:
    """Raises UnknownModel."""
    try:
        return known_models()[key]
    except KeyError:
        raise UnknownModel from None


def model_name(key: str) -> str:
    """What people call it; the key itself once its adapter is no longer installed."""
    known = known_models().get(key)
    return known.model.name if known else key
