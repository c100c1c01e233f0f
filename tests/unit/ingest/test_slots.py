"""Slots divide the shards: all of them, each once."""

import pytest

from device_gateway.devices.topics import sent_filters
from device_gateway.ingest.slots import client_id, shards


@pytest.mark.parametrize("slots", [2, 4, 8, 16, 32, 64, 128, 256])
def test_every_shard_belongs_to_exactly_one_slot(slots: int) -> None:
    held = [shard for slot in range(slots) for shard in shards(slot, slots)]
    assert sorted(held) == [f"{n:02x}" for n in range(256)]
    assert {len(shards(slot, slots)) for slot in range(slots)} == {256 // slots}


def test_a_single_slot_listens_to_all_shards_at_once() -> None:
    assert shards(0, 1) == ["+"]
    assert "dg/v1/+/+/readings" in sent_filters(shards(0, 1))


def test_a_session_keeps_its_name() -> None:
    assert [client_id(slot) for slot in (0, 15)] == ["dg-ingest-0", "dg-ingest-15"], "renamed, its messages are lost"
