"""What each client may publish and subscribe to: one table for every broker. What is not in it is denied."""

from typing import NamedTuple
from uuid import UUID

from device_gateway.devices.topics import DEVICE_SENDS, HUB_SENDS, PREFIX, RECEIVED, SENT, topic_of

INGEST_USER = "ingest"


class Rights(NamedTuple):
    """MQTT topic filters."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


INGEST = Rights(
    publish=tuple(f"{PREFIX}/+/+/{kind}" for kind in RECEIVED),
    subscribe=tuple(f"{PREFIX}/+/+/{kind}" for kind in SENT),
)


def rights_of(device_id: UUID, kind: str) -> Rights:
    """Rights under the device's own id. A hub has the topics of another product: its readings are under ``x`` only."""
    sends = HUB_SENDS if kind == "hub" else DEVICE_SENDS
    return Rights(
        publish=tuple(topic_of(device_id, name) for name in sends),
        subscribe=tuple(topic_of(device_id, name) for name in RECEIVED),
    )


def nats_subjects(filters: tuple[str, ...]) -> list[str]:
    """MQTT filters ▸ NATS subjects. ``a/#`` also matches ``a`` in MQTT, so it becomes two subjects."""
    subjects = []
    for text in filters:
        subject = text.replace("/", ".").replace("+", "*")
        if subject.endswith(".#"):
            subjects.append(subject[:-2])
            subject = subject[:-1] + ">"
        subjects.append(subject)
    return subjects
