"""Topics and shards."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.devices.topics import Topic, hub_topic, parse_topic, sent_filters, shard_of, topic_of

DEVICE = UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")


def test_the_shard_is_the_first_byte_of_sha_256_in_hex() -> None:
    assert shard_of(DEVICE) == "2a"  # printf %s 6f9619ff-8b86-d011-b42d-00c04fc964ff | sha256sum
    assert topic_of(DEVICE, "readings") == "dg/v1/2a/6f9619ff-8b86-d011-b42d-00c04fc964ff/readings"


@given(st.uuids(), st.sampled_from(["readings", "raw", "event", "status"]))
def test_a_device_topic_is_parsed_into_its_parts(device: UUID, kind: str) -> None:
    assert parse_topic(topic_of(device, kind)) == Topic(shard_of(device), device, kind, "own", kind)


@given(st.uuids())
def test_a_hub_topic_names_its_dialect_and_keeps_the_rest(hub: UUID) -> None:
    parsed = parse_topic(hub_topic(hub, "theengs") + "/OMG/BTtoMQTT/AABB")
    assert parsed == Topic(shard_of(hub), hub, "x", "theengs", "OMG/BTtoMQTT/AABB")


@pytest.mark.parametrize(
    "topic",
    [
        "", "dg/v1", "dg/v2/1d/6f9619ff-8b86-d011-b42d-00c04fc964ff/readings",
        "dg/v1/00/6f9619ff-8b86-d011-b42d-00c04fc964ff/readings",  # not its shard
        "dg/v1/2a/6F9619FF-8B86-D011-B42D-00C04FC964FF/readings",  # another spelling of the id
        "dg/v1/2a/scale/readings", "dg/v1/2a/6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "dg/v1/2a/6f9619ff-8b86-d011-b42d-00c04fc964ff/outcome",
        "dg/v1/2a/6f9619ff-8b86-d011-b42d-00c04fc964ff/readings/more",
        "dg/v1/2a/6f9619ff-8b86-d011-b42d-00c04fc964ff/x", "dg/v1/2a/6f9619ff-8b86-d011-b42d-00c04fc964ff/x/",
    ],
)  # fmt: skip
def test_any_other_topic_is_none(topic: str) -> None:
    assert parse_topic(topic) is None


@given(st.text())
def test_no_text_raises(topic: str) -> None:
    parse_topic(topic)
    parse_topic(f"dg/v1/{topic}")


def test_filters_name_every_shard_asked_for() -> None:
    assert sent_filters()[0] == "dg/v1/+/+/readings"
    assert len(sent_filters(["00", "ff"])) == 2 * len(sent_filters())
