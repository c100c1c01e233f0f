"""MQTT topics: ``dg/v1/{shard}/{id}/{kind}``, and under ``x/{dialect}`` what a product with its own layout publishes.

`id` is the device, hub or edge that is signed in at the broker. The shard spreads senders over ingest sessions.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

PREFIX = "dg/v1"
DEVICE_SENDS = ("readings", "raw", "event", "status")
HUB_SENDS = ("status", "x/#")
SENT = ("readings", "raw", "event", "status", "x/#")  # everything that ingestion listens to
RECEIVED = ("outcome", "command")  # what a device, hub or edge is told
REMEMBERED = 16_384  # topics of senders that are busy now, some 10 MB; to take one apart costs as much as ten readings
REMEMBERED_LENGTH = 128  # characters; ours are shorter, and what comes from outside may be 64 kB
OWN_DIALECT = "own"
HUB_KIND = "x"
READINGS = "readings"


class Topic(NamedTuple):
    """A topic that a sender publishes under. `dialect` and `subtopic` are what its adapter is found and called with."""

    shard: str
    sender: UUID
    kind: str
    dialect: str
    subtopic: str

    @property
    def from_hub(self) -> bool:
        """Whether it has the layout of another product."""
        return self.kind == HUB_KIND


def shard_of(sender: UUID | str) -> str:
    """Two hex digits: the first byte of SHA-256 of the id in its usual form, lower case with dashes."""
    return f"{sha256(str(sender).encode()).digest()[0]:02x}"


def topic_of(sender: UUID | str, kind: str) -> str:
    """For instance ``dg/v1/3f/…/readings``; `kind` is one of `SENT` or `RECEIVED`."""
    return f"{PREFIX}/{shard_of(sender)}/{sender}/{kind}"


@lru_cache(maxsize=REMEMBERED)
def outcome_topic(sender: UUID) -> str:
    """Where `sender` is told the outcomes."""
    return topic_of(sender, "outcome")


def hub_topic(hub: UUID | str, dialect: str) -> str:
    """The base topic to be set in a product that brings its own layout."""
    return topic_of(hub, f"x/{dialect}")


def sent_filters(shards: Sequence[str] = ("+",)) -> list[str]:
    """Filters for all that is sent under `shards`; all shards by default."""
    return [f"{PREFIX}/{shard}/+/{kind}" for shard in shards for kind in SENT]


def parse_topic(topic: str) -> Topic | None:
    """The parts of a topic that a sender publishes under; None for any other topic, or a shard not the sender's."""
    return _remembered(topic) if len(topic) <= REMEMBERED_LENGTH else _taken_apart(topic)


@lru_cache(maxsize=REMEMBERED)
def _remembered(topic: str) -> Topic | None:
    return _taken_apart(topic)


def _taken_apart(topic: str) -> Topic | None:
    parts = topic.split("/")
    if len(parts) < 5 or "/".join(parts[:2]) != PREFIX:
        return None
    shard, kind, rest = parts[2], parts[4], parts[5:]
    sender = sender_named(topic)
    if sender is None:
        return None
    if kind == HUB_KIND:
        return Topic(shard, sender, kind, rest[0], "/".join(rest[1:])) if rest and rest[0] else None
    if rest or kind not in DEVICE_SENDS:
        return None
    return Topic(shard, sender, kind, OWN_DIALECT, kind)


def sender_named(topic: str) -> UUID | None:
    """The sender that a topic of any kind under our prefix names: who may publish there is one's own affair only."""
    parts = topic.split("/")
    if len(parts) < 4 or "/".join(parts[:2]) != PREFIX:
        return None
    try:
        sender = UUID(parts[3])
    except ValueError:
        return None
    return sender if str(sender) == parts[3] and shard_of(sender) == parts[2] else None
