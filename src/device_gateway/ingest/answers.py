"""What senders are told of their messages, once they are committed."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from device_gateway.devices.topics import READINGS, outcome_topic
from device_gateway.ingest.delivery import FROM_EDGE, Delivery
from device_gateway.ingest.edge_report import message_id_of
from device_gateway.ingest.misfits import pointer_of
from device_gateway.readings.model import DUPLICATE, STORED, Corrected, Duplicate, Outcome, Rejected, Stored

ANSWERED: Final = (READINGS, FROM_EDGE)  # kinds of topic whose payloads have a message id: those of our own dialect
NAMES: dict[type[Outcome], str] = {
    Stored: "stored",
    Duplicate: "duplicate",
    Corrected: "corrected",
    Rejected: "rejected",
}


class Answer(NamedTuple):
    """What to publish after the commit. `slot`: by which session its message came."""

    topic: str
    payload: bytes
    slot: int = 0


class OutcomeLine(msgspec.Struct, omit_defaults=True):
    index: int
    outcome: str
    pointer: str | None = None
    reason: str | None = None


def answers_of(deliveries: Iterable[Delivery]) -> list[Answer]:
    """Outcome messages. What was not understood is answered where its message id can be read, or it comes again."""
    answers = []
    for delivery in deliveries:
        topic, decoded = delivery.topic, delivery.decoded
        if topic is None:
            continue
        if isinstance(decoded, Rejected):
            message_id = message_id_of(delivery.message.payload) if topic.kind in ANSWERED else None
            lines = msgspec.json.encode([OutcomeLine(0, "rejected", decoded.pointer, decoded.reason)])
        elif message_id := decoded.message_id:
            lines = _lines_of(delivery.outcomes)
        if message_id:
            payload = b'{"message_id":%b,"outcomes":%b}' % (msgspec.json.encode(message_id), lines)
            answers.append(Answer(outcome_topic(topic.sender), payload, delivery.message.slot))
    return answers


def _lines_of(outcomes: Sequence[Outcome]) -> bytes:
    """Nearly every message is all new or all known."""
    first = outcomes[0] if outcomes else STORED
    if (first is STORED or first is DUPLICATE) and outcomes.count(first) == len(outcomes):
        return _all(type(first), len(outcomes))
    return _lines(outcomes)


@lru_cache(maxsize=1024)  # senders have few message sizes
def _all(outcome: type[Stored | Duplicate], count: int) -> bytes:
    return _lines([outcome()] * count)


def _lines(outcomes: Sequence[Outcome]) -> bytes:
    return msgspec.json.encode([_line(index, outcome) for index, outcome in enumerate(outcomes)])


def _line(index: int, outcome: Outcome) -> OutcomeLine:
    if isinstance(outcome, Rejected):
        return OutcomeLine(index, "rejected", pointer_of(index, outcome.pointer), outcome.reason)
    return OutcomeLine(index, NAMES[type(outcome)])
