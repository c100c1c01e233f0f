"""The part of ``/devices`` about hubs of other products: their base topics, and what they speak for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from device_gateway.devices.heard import HeardDevice
from device_gateway.devices.holdings import HeldDevice
from device_gateway.devices.models import known_models
from device_gateway.devices.topics import hub_topic
from device_gateway.portal.words import Words


@dataclass(frozen=True)
class Offered:
    """A device that a hub speaks for. `what` it says that it measures; `link` leads to the form that adds it."""

    device: HeardDevice
    what: str
    link: str


def offers(heard: Iterable[HeardDevice], words: Words) -> Sequence[Offered]:
    return [Offered(one, ", ".join(map(words.metric, one.metrics)), _link(one, words)) for one in heard]


def base_topics(held: Iterable[HeldDevice]) -> Mapping[UUID, str]:
    """What is set in the product, for each hub whose dialect is installed."""
    known = known_models()
    return {
        device.id: hub_topic(device.id, known[device.model].dialect)
        for device in held
        if device.kind == "hub" and device.model in known
    }


def _link(heard: HeardDevice, words: Words) -> str:
    fields = {
        "hub": str(heard.hub),
        "hardware_id": heard.name,
        "since": heard.first_at.astimezone(words.zone).date().isoformat(),
    }
    if len(heard.models) == 1:
        fields["model"] = heard.models[0].model.key
    return f"/devices/new?{urlencode(fields)}"
