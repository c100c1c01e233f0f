"""Reading what another product's hub sends: it may need what came before it, and have no time of its own."""

from device_gateway.devices.topics import Topic
from device_gateway.ingest.arrival import RETAINED, is_timeless
from device_gateway.ingest.dialects import Dialect, RememberingDialect
from device_gateway.ingest.memory import Memory
from device_gateway.ingest.message import Message
from device_gateway.readings.model import Decoded, Rejected


def read_from_hub(message: Message, topic: Topic, dialect: Dialect, memory: Memory) -> tuple[Decoded | Rejected, bool]:
    """(what `dialect` makes of it, whether its readings have the time at which it came)."""
    if not isinstance(dialect, RememberingDialect):
        decoded = dialect.decode(topic.subtopic, message.payload, message.received_at)
        timeless = isinstance(decoded, Decoded) and is_timeless(decoded)
    else:
        decoded = dialect.decode_with(memory.of(topic), topic.subtopic, message.payload, message.received_at)
        timeless = isinstance(decoded, Rejected) or is_timeless(decoded)
    if not isinstance(decoded, Decoded):
        return decoded, timeless
    if message.retained and timeless:
        return RETAINED, timeless
    return memory.take(topic, decoded), timeless
