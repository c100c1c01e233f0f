"""One message on its way through a batch, and its first step: bytes ▸ readings, by the dialect of the topic."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from device_gateway.devices.topics import OWN_DIALECT, READINGS, Topic, parse_topic
from device_gateway.ingest import edge_events
from device_gateway.ingest.dialects import dialects
from device_gateway.ingest.edge_events import EdgeEvent, Presence, parse_event, parse_presence
from device_gateway.ingest.edge_report import decode_report
from device_gateway.ingest.hub import read_from_hub
from device_gateway.ingest.memory import Memory
from device_gateway.ingest.message import Message
from device_gateway.ingest.misfits import UNCLAIMED
from device_gateway.ingest.placing import Kind, Others, Rows
from device_gateway.readings.model import Decoded, Outcome, Reading, Rejected

FROM_EDGE: Final = "raw"  # the kind of topic on which an edge reports what it could not decode
NOT_READ: Final = Rejected("", "not read yet")
PARTS: Final = attrgetter("device", "metric", "unit", "at.tzinfo", "context", "components", "status")


@dataclass(slots=True)
class Delivery:
    """One message.

    timeless     its readings have the time at which it came
    kinds        of its readings
    rows         those that were placed before any was written; None when they are placed on their way
    start, count where its rows are among those of the batch
    others       readings that became no row, by index; None where there is none
    """

    message: Message
    topic: Topic | None
    decoded: Decoded | Rejected = NOT_READ
    told: EdgeEvent | Presence | None = None
    timeless: bool = False
    kinds: Sequence[Kind] = ()
    rows: Rows | None = None
    start: int = 0
    count: int = 0
    others: Others | None = None
    outcomes: Sequence[Outcome] = ()

    def read(self, memory: Memory) -> None:
        """Never raises for what the bytes are."""
        topic, message = self.topic, self.message
        dialect = dialects().get(topic.dialect) if topic else None
        if topic is None or dialect is None:
            self.decoded = UNCLAIMED
            return
        try:
            if topic.kind == READINGS:
                self.decoded = dialect.decode(topic.subtopic, message.payload, message.received_at)
            elif topic.from_hub and topic.dialect == OWN_DIALECT and topic.subtopic != READINGS:
                self.decoded = UNCLAIMED
            elif topic.kind in (edge_events.EVENT, edge_events.STATUS):
                self._listen(topic.kind)
            elif topic.kind == FROM_EDGE:
                self.decoded = decode_report(message.payload)
            elif topic.from_hub:
                self.decoded, self.timeless = read_from_hub(message, topic, dialect, memory)
            else:
                self.decoded = dialect.decode(topic.subtopic, message.payload, message.received_at)
        except Exception as error:  # adapters come from anywhere: one that breaks its promise refuses this payload only
            self.decoded = Rejected("", f"the adapter broke on this payload: {type(error).__name__}")
        if isinstance(self.decoded, Decoded):
            self.kinds = kinds_of(self.decoded)

    def _listen(self, kind: str) -> None:
        """No readings: something happened, or a sender came or went."""
        if kind == edge_events.STATUS:
            self.decoded, self.told = Decoded([]), parse_presence(self.message.payload)
            return
        event = parse_event(self.message.payload, self.message.received_at)
        if isinstance(event, Rejected):
            self.decoded = event
        else:
            self.decoded, self.told = Decoded([], event.message_id), event


def delivery_of(message: Message) -> Delivery:
    """Not read yet."""
    return Delivery(message, parse_topic(message.topic))


def kinds_of(decoded: Decoded) -> Sequence[Kind]:
    """The distinct kinds in a message: few, whatever its length."""
    readings = decoded.readings
    if len(readings) == 1 and isinstance(one := readings[0], Reading):
        plain = one.context is None and one.components is None and one.status == "final"
        return (((one.device, one.metric, one.unit), one.at.tzinfo, plain),)
    try:
        parts = {*map(PARTS, readings)}
    except (AttributeError, TypeError):  # a Rejected is among them; a context has no hash
        found = [reading for reading in readings if isinstance(reading, Reading)]
        return tuple({((one.device, one.metric, one.unit), one.at.tzinfo, False) for one in found})
    return tuple(
        [
            ((device, metric, unit), zone, context is None and components is None and status == "final")
            for device, metric, unit, zone, context, components, status in parts
        ]
    )
