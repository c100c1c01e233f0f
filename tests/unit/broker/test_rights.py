"""Rights, and the same as NATS subjects."""

from uuid import UUID

import pytest

from device_gateway.broker.embedded import PACKET_IDS, max_ack_pending
from device_gateway.broker.rights import INGEST, nats_subjects, rights_of
from device_gateway.broker.slot_topics import filter_of, mappings, placed_rights
from device_gateway.devices.topics import SENT

DEVICE = UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
BASE = f"dg/v1/2a/{DEVICE}"


@pytest.mark.parametrize("kind", ["device", "edge", "hub"])
def test_nobody_publishes_what_only_ingestion_says(kind: str) -> None:
    rights = rights_of(DEVICE, kind)
    assert all(topic.startswith(BASE + "/") for topic in (*rights.publish, *rights.subscribe))
    assert set(rights.subscribe) == {f"{BASE}/outcome", f"{BASE}/command"}
    assert not set(rights.publish) & set(rights.subscribe)


def test_only_a_hub_publishes_under_x_and_it_publishes_readings_nowhere_else() -> None:
    assert f"{BASE}/x/#" not in rights_of(DEVICE, "device").publish
    assert set(rights_of(DEVICE, "hub").publish) == {f"{BASE}/status", f"{BASE}/x/#"}


def test_a_filter_with_a_hash_is_two_subjects() -> None:
    assert nats_subjects(("a/+/b", "a/#")) == ["a.*.b", "a", "a.>"]


@pytest.mark.parametrize("slots", [1, 2, 4, 8, 16, 64, 256])
def test_the_subscriptions_of_a_session_share_its_packet_ids(slots: int) -> None:
    filters = nats_subjects(INGEST.subscribe if slots == 1 else (filter_of(slots - 1),))
    assert 0 < len(filters) * max_ack_pending(slots) <= PACKET_IDS


def test_of_several_slots_each_has_one_filter_and_the_broker_puts_the_slot_before_all_that_is_sent() -> None:
    placed = mappings(8)
    assert list(placed) == nats_subjects(INGEST.subscribe)
    assert placed["dg.v1.*.*.x.>"] == "slot.{{partition(8,1)}}.dg.v1.{{wildcard(1)}}.{{wildcard(2)}}.x.>"
    assert len(placed) == len(nats_subjects(SENT))
    assert mappings(1) == {}


def test_below_a_slot_a_device_publishes_what_it_may_anyway_and_nothing_is_heard_there() -> None:
    rights = rights_of(DEVICE, "device")
    placed = placed_rights(rights, 8)
    assert {topic.removeprefix("slot/+/") for topic in placed.publish} == set(rights.publish)
    assert placed.subscribe == rights.subscribe
    assert placed_rights(rights, 1) == rights
