"""Reading what another product's hub sends: it may need what came before it, and have no time of its own."""

from typing import TypeVar
from uuid import UUID

from msgspec import structs

from device_gateway.devices.local_names import qualified
from device_gateway.devices.topics import OWN_DIALECT, Topic
from device_gateway.ingest.arrival import RETAINED, is_timeless
from device_gateway.ingest.dialects import Dialect, remembering
from device_gateway.ingest.memory import Memory
from device_gateway.ingest.message import Message
from device_gateway.readings.model import ClockMeasurement, Decoded, Reading, Rejected

Named = TypeVar("Named", Reading | Rejected, ClockMeasurement)


def read_from_hub(message: Message, topic: Topic, dialect: Dialect, memory: Memory) -> tuple[Decoded | Rejected, bool]:
    """(what `dialect` makes of it, whether its readings have the time at which it came)."""
    with_memory = remembering().get(topic.dialect)
    if with_memory is None:
        decoded = dialect.decode(topic.subtopic, message.payload, message.received_at)
        timeless = isinstance(decoded, Decoded) and is_timeless(decoded)
    else:
        decoded = with_memory.decode_with(memory.of(topic), topic.subtopic, message.payload, message.received_at)
        timeless = isinstance(decoded, Rejected) or is_timeless(decoded)
    if not isinstance(decoded, Decoded):
        return decoded, timeless
    if message.retained and timeless:
        return RETAINED, timeless
    if topic.dialect != OWN_DIALECT:
        decoded = _qualified(topic.sender, decoded)
    return memory.take(topic, decoded), timeless


def _qualified(hub: UUID, decoded: Decoded) -> Decoded:
    """With the names that the registry has for what this hub calls so."""

    def named(item: Named) -> Named:
        if isinstance(item, Rejected) or item.device is None:
            return item
        return structs.replace(item, device=qualified(hub, item.device))

    return structs.replace(
        decoded,
        readings=[named(item) for item in decoded.readings],
        clocks=tuple(named(clock) for clock in decoded.clocks),
        battery_percent={qualified(hub, name): percent for name, percent in decoded.battery_percent.items()},
    )
