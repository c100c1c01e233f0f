"""What a batch leaves behind that is in no space: payloads for quarantine, names of devices that nobody registered."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from device_gateway.devices.topics import sender_named
from device_gateway.ingest.heard import Heard
from device_gateway.ingest.placing import NOWHERE
from device_gateway.ingest.quarantine import Misfit
from device_gateway.readings.model import Decoded, Reading, Rejected

if TYPE_CHECKING:  # it imports this module
    from device_gateway.ingest.delivery import Delivery

UNCLAIMED: Final = Rejected(
    "", "no dialect claims this topic: install its adapter, or set the topic that the pairing answer gave"
)


def misfit_of(delivery: "Delivery") -> Misfit | None:
    """What goes to quarantine: a payload that was not understood, or one of whose readings was rejected."""
    if not delivery.others and isinstance(delivery.decoded, Decoded):
        return None
    message, topic = delivery.message, delivery.topic
    sender = topic.sender if topic else sender_named(message.topic)
    dialect = topic.dialect if topic else ""
    misfit = Misfit(
        message.topic, str(sender or ""), dialect, message.payload, "", "",
        received_at=message.received_at, timeless=delivery.timeless,
    )  # fmt: skip
    if delivery.decoded is UNCLAIMED:  # whatever a sender calls its dialects, they are one kind of trouble
        return misfit._replace(dialect="", reason=UNCLAIMED.reason, most=1)
    if isinstance(delivery.decoded, Rejected):
        return misfit._replace(pointer=delivery.decoded.pointer, reason=delivery.decoded.reason)
    others = delivery.others or {}
    rejected = [(index, other) for index, other in others.items() if isinstance(other, Rejected)]
    if not rejected:
        return None
    index, first = rejected[0]
    name = _name(delivery.decoded.readings[index]) if first is NOWHERE else None
    return misfit._replace(
        pointer=pointer_of(index, first.pointer),
        reason=first.reason + (f" (and {len(rejected) - 1} more)" if len(rejected) > 1 else ""),
        kind=first.reason + (f" ({name})" if name else ""),
    )


def unregistered(deliveries: Iterable["Delivery"]) -> Iterator[Heard]:
    """Readings of devices that a hub speaks for and nobody has registered."""
    for delivery in deliveries:
        topic, decoded = delivery.topic, delivery.decoded
        if not delivery.others or topic is None or not topic.from_hub or not isinstance(decoded, Decoded):
            continue
        for index, other in delivery.others.items():
            reading = decoded.readings[index]
            if other is NOWHERE and isinstance(reading, Reading) and reading.device:
                yield Heard(topic.sender, topic.dialect, reading.device, reading.metric)


def pointer_of(index: int, pointer: str) -> str:
    """`pointer` inside reading number `index` of a message."""
    return pointer if pointer.startswith("/readings/") else f"/readings/{index}{pointer}"


def _name(reading: Reading | Rejected) -> str | None:
    return reading.device if isinstance(reading, Reading) else None
