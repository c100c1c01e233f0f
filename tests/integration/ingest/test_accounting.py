"""Whatever comes on whatever topic is accounted for: as a reading with an outcome, or as a payload in quarantine."""

import json
import random
import string
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ingest_world import World, message, outcomes, raw_message, weight

from device_gateway.devices.topics import hub_topic, shard_of, topic_of
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.dialects import dialects
from device_gateway.readings.model import Decoded, Rejected

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
AT = "2026-03-01T07:31:05+01:00"
LONG = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=60_000))  # does not compress


@pytest.fixture(scope="module")
def scale(world: World) -> UUID:
    return world.device(world.space())


@pytest.fixture(scope="module")
def hub(world: World) -> UUID:
    return world.device(world.space(), kind="hub", model="theengs-hub")


def seen(world: World) -> int:
    return int(world.one("SELECT coalesce(sum(seen), 0) FROM gateway.quarantine_group"))


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "/",
        "dg/v1",
        "$SYS/broker/load",
        "dg/v1/00/not-an-id/readings",
        "dg/v2/{shard}/{id}/readings",
        "dg/v1/{shard}/{id}",
        "dg/v1/{shard}/{id}/unheard-of",
        "dg/v1/{shard}/{id}/readings/more",
        "dg/v1/{shard}/{id}/outcome",
        "dg/v1/{shard}/{id}/x",
        "dg/v1/{shard}/{id}/x/",
        "dg/v1/{shard}/{id}/x/unknown-dialect/a/b",
        "dg/v1/{shard}/{id}/x/\0",
        "dg/v1/{shard}/{id}/x/\udcff",
        "dg/v1/{shard}/{id}/x/" + LONG,
        "dg/v1/ZZ/{id}/readings",
        "dg/v1/{shard}/{ID}/readings",
    ],
)
def test_a_topic_that_no_dialect_claims_goes_to_quarantine(
    world: World, writer: BatchWriter, scale: UUID, topic: str
) -> None:
    topic = topic.format(shard=shard_of(scale), id=scale, ID=str(scale).upper())
    before = seen(world)
    result = writer.commit([raw_message(topic, b"anything")])
    assert +result.outcomes == {"quarantined": 1}
    assert seen(world) == before + 1


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\0", b"{", b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b"{}", b'{"readings": 5}', b'{"readings": {}}',
        b'{"readings": [5]}', b'{"readings": [[]]}', b"[" * 100_000, b'{"readings":' + b"[" * 100_000,
        b'{"readings": [], "message_id": 5}', b'{"readings": [{}], "message_id": ""}', b'{"readings": [null]}',
        b'{"readings": [], "clocks": "now"}', b'{"readings": [], "battery_percent": 7}', b"x" * 900_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["readings", "raw"])
def test_a_payload_that_is_no_message_goes_to_quarantine_with_a_reason(
    world: World, writer: BatchWriter, kind: str, payload: bytes
) -> None:
    result = writer.commit([raw_message(topic_of(uuid4(), kind), payload)])
    assert result.outcomes["quarantined"] == 1
    row = world.quarantined()[-1]
    assert bytes(world.one("SELECT payload FROM gateway.quarantine ORDER BY last_at DESC LIMIT 1")) == payload
    assert row.reason


@FEW
@given(
    payload=st.binary(max_size=200),
    place=st.sampled_from(
        [
            "readings",
            "raw",
            "event",
            "status",
            "x/own/readings",
            "x/theengs/BTtoMQTT/A",
            "x/?",
            "?",
            "x/esphome/sensor/w/state",
            "x/ble-scale-sync",
            "x/tasmota/tele/t/SENSOR",
            "x/zigbee2mqtt/a",
        ]
    ),
)
def test_any_bytes_on_any_topic_are_accounted_for(
    world: World, writer: BatchWriter, hub: UUID, payload: bytes, place: str
) -> None:
    topic = topic_of(hub, place)
    before = seen(world)
    result = writer.commit([raw_message(topic, payload)])
    kind, _, rest = place.partition("/")
    dialect, _, subtopic = rest.partition("/") if kind == "x" else ("own", "", kind)
    understood = kind in ("readings", "event", "status", "x") and dialect in dialects()
    found = dialects()[dialect].decode(subtopic, payload, datetime.now(UTC)) if understood else None
    if isinstance(found, Decoded) and not any(isinstance(item, Rejected) for item in found.readings):
        assert sum(result.outcomes.values()) - result.outcomes["quarantined"] == len(found.readings)
    else:
        assert result.outcomes["quarantined"] == 1
        assert seen(world) == before + 1


TEXT = st.one_of(st.sampled_from(["body-weight", "kg", "70.5", AT, "", "\0", "\ud800", LONG]), st.text(max_size=12))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
TIMES = st.one_of(
    st.datetimes().map(datetime.isoformat),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    TEXT,
    st.sampled_from(["9999-12-31T23:59:59", "0001-01-01T00:00:00+14:00", "2026-03-01T00:00:00"]),
)
NUMBERS = st.one_of(st.integers(), st.sampled_from([0, 2**31, 2**63 - 1, 2**63, -1, 2**64]))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "metric": TEXT, "unit": TEXT, "value": TEXT, "components": ANYTHING, "at": TIMES, "device": st.none() | TEXT,
    "seq": NUMBERS, "context": st.none() | st.dictionaries(TEXT, st.one_of(TEXT, NUMBERS, st.booleans()), max_size=3),
    "status": st.sampled_from(["final", "preliminary", "corrected", "?"]),
}  # fmt: skip
READINGS = st.fixed_dictionaries({}, optional=FIELDS).map(lambda odd: {**weight("70.5", AT), **odd})
CLOCKS = st.fixed_dictionaries({"raw": TIMES, "measured_at": TIMES}, optional={"device": TEXT})


def as_json(value: object) -> bytes:
    """As lenient as a careless device: lone surrogates and NaN included."""
    return json.dumps(value).encode()


@settings(FEW, max_examples=80)
@given(
    readings=st.lists(READINGS, max_size=4),
    clocks=st.lists(CLOCKS, max_size=2),
    battery=st.dictionaries(TEXT, NUMBERS, max_size=2),
    message_id=st.one_of(st.none(), TEXT),
)
@example(
    [weight("70.5", "9999-12-31T23:59:59")], [{"raw": AT[:19], "measured_at": "2026-03-01T00:00:00-08:00"}], {}, "m"
)
def test_no_message_of_our_own_form_breaks_ingestion_whatever_its_fields_hold(  # noqa: PLR0917  # what it is made of
    world: World,
    writer: BatchWriter,
    scale: UUID,
    readings: list[dict[str, object]],
    clocks: list[object],
    battery: object,
    message_id: str | None,
) -> None:
    payload = as_json({"readings": readings, "clocks": clocks, "battery_percent": battery, "message_id": message_id})
    result = writer.commit([raw_message(topic_of(scale, "readings"), payload)])
    if not result.outcomes["quarantined"]:
        assert sum(result.outcomes.values()) == len(readings)


@FEW
@given(
    report=st.fixed_dictionaries(
        {
            "message_id": TEXT,
            "device": TEXT,
            "adapter": TEXT | st.just("ble-glucose"),
            "characteristic": TEXT,
            "hex": st.one_of(TEXT, st.binary(max_size=20).map(bytes.hex)),
            "pointer": TEXT,
            "reason": TEXT,
        }
    )
)
def test_no_report_of_an_edge_breaks_ingestion(
    world: World, writer: BatchWriter, scale: UUID, report: dict[str, str]
) -> None:
    result = writer.commit([raw_message(topic_of(scale, "raw"), as_json(report))])
    assert sum(result.outcomes.values()) >= 1


def test_repeats_are_counted_and_not_kept_again(world: World, writer: BatchWriter) -> None:
    topic = topic_of(uuid4(), "readings")
    for batch in (1, 3):  # also several in one batch
        writer.commit([raw_message(topic, b"the same again")] * batch)
    writer.commit([raw_message(topic, b"another")])
    writer.commit([raw_message(topic + "/else", b"the same again")])
    rows = world.rows("SELECT * FROM gateway.quarantine WHERE payload = 'the same again' ORDER BY id")
    assert [(row.topic, row.seen) for row in rows] == [(topic, 4), (topic + "/else", 1)]


def test_a_hub_of_another_product_sends_what_is_no_reading_without_harm(writer: BatchWriter, hub: UUID) -> None:
    topics = [hub_topic(hub, "theengs") + rest for rest in ("/LWT", "/SYStoMQTT", "/BTtoMQTT/AA")]
    result = writer.commit([raw_message(topic, b'{"online": true}') for topic in topics])
    assert +result.outcomes == {}


def test_every_reading_of_a_mixed_batch_has_one_outcome(world: World, writer: BatchWriter) -> None:
    space = world.space()
    device = world.device(space, since="2026-01-01T00:00:00Z")
    good = message(device, weight("70", "2026-03-01T00:00:00Z"), weight("71", "2026-03-02T00:00:00Z"))
    batch = [
        good,
        good,
        message(device, weight("70.5", "2026-03-01T00:00:00Z"), weight("x", AT), weight("60", "2025-01-01T00:00:00Z")),
        raw_message(topic_of(device, "readings"), b"garbage"),
        raw_message("nowhere", b"garbage"),
    ]
    result = writer.commit(batch)
    assert outcomes(result) == ["stored", "stored", "duplicate", "duplicate", "corrected", "rejected", "stored"]
    assert +result.outcomes == {"stored": 3, "duplicate": 2, "corrected": 1, "rejected": 1, "quarantined": 3}
    assert [msgspec.json.decode(a.payload)["outcomes"][0]["index"] for a in result.answers] == [0, 0, 0]
