"""Where several sessions of ingestion find what is sent at the embedded broker: under the number of their slot.

NATS has no shared subscriptions, and keeps a consumer for each filter of a session: one for each shard and kind of
topic would be 1,536, and each message costs time for all of them. So the broker puts a level before each topic that
ingestion listens to, made from its shard, as the message comes (a subject mapping of the account), and a session
has one filter. Nobody but ingestion sees it: devices publish and are answered under their own topics.

A single slot needs none of this: it hears all shards by the plain filters.
"""

from typing import Final

from device_gateway.broker.rights import Rights, nats_subjects
from device_gateway.devices.topics import PREFIX, SENT

LEVEL: Final = "slot"  # the first level; the slot's number is the second


def filter_of(slot: int) -> str:
    """What the session of `slot` subscribes to."""
    return f"{LEVEL}/{slot}/#"


def prefix_of(slot: int) -> str:
    """What stands before the topic of a message that comes by that filter."""
    return f"{LEVEL}/{slot}/"


def mappings(slots: int) -> dict[str, str]:
    """NATS subjects of what is sent ▸ the same below the slot; none for a single slot."""
    if slots == 1:
        return {}
    placed = f"{LEVEL}.{{{{partition({slots},1)}}}}.{_dotted(PREFIX)}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}."
    kinds = [kind for name in SENT for kind in nats_subjects((name,))]
    return {f"{_dotted(PREFIX)}.*.*.{kind}": placed + kind for kind in kinds}


def placed_rights(rights: Rights, slots: int) -> Rights:
    """The same rights where publishing is checked behind the mapping: below any slot, for the broker chooses it."""
    if slots == 1:
        return rights
    return rights._replace(publish=rights.publish + tuple(f"{LEVEL}/+/{topic}" for topic in rights.publish))


def _dotted(topic: str) -> str:
    return topic.replace("/", ".")
