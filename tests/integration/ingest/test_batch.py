"""From a message's bytes to committed readings and an answer."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
from ingest_world import World, glucose, lines, message, outcomes, pressure, raw_message, weight

from device_gateway.devices.topics import topic_of
from device_gateway.ingest.batch import BatchWriter

AT = "2026-03-01T07:31:05+01:00"


def far(**more: float) -> str:
    return (datetime.now(UTC) + timedelta(**more)).isoformat()


@pytest.fixture
def space(world: World) -> UUID:
    return world.space()


@pytest.fixture
def scale(world: World, space: UUID) -> UUID:
    return world.device(space)


def test_a_message_is_stored_and_answered_by_index(world: World, writer: BatchWriter, space: UUID, scale: UUID) -> None:
    result = writer.commit([message(scale, weight("72.40", AT, seq=41), glucose("101", AT), message_id="m-1")])
    [answer] = result.answers
    assert answer.topic == topic_of(scale, "outcome")
    assert msgspec.json.decode(answer.payload) == {
        "message_id": "m-1",
        "outcomes": [{"index": 0, "outcome": "stored"}, {"index": 1, "outcome": "stored"}],
    }
    [row] = world.readings(space)
    assert (row.time, row.value, row.decimals, row.offset_min, row.seq) == (
        datetime(2026, 3, 1, 6, 31, 5, tzinfo=UTC), 72.4, 2, 60, 41,
    )  # fmt: skip
    assert len(world.readings(space, "blood-glucose")) == 1


def test_an_answer_says_by_which_session_its_message_came(writer: BatchWriter, scale: UUID) -> None:
    """It goes out there, before the acknowledgement: wherever a worker is killed, the broker has both or neither."""
    sent = [message(scale, weight("70", AT, seq=slot))._replace(slot=slot) for slot in (3, 0, 5)]
    sent.append(raw_message(topic_of(scale, "readings"), b'{"message_id": "m-1", "readings": 5}')._replace(slot=2))
    assert [answer.slot for answer in writer.commit(sent).answers] == [3, 0, 5, 2]


def test_a_device_that_gives_no_message_id_gets_no_answer(writer: BatchWriter, scale: UUID) -> None:
    payload = msgspec.json.encode({"readings": [weight("72.40", AT)]})
    result = writer.commit([raw_message(topic_of(scale, "readings"), payload)])
    assert result.answers == []
    assert result.outcomes["stored"] == 1


def test_a_message_sent_again_is_a_duplicate_and_other_content_a_correction(
    world: World, writer: BatchWriter, space: UUID, scale: UUID
) -> None:
    first, second = message(scale, weight("72.40", AT)), message(scale, weight("72.41", AT))
    told = [outcomes(writer.commit([each])) for each in (first, first, second, first, second)]
    assert told == [["stored"], ["duplicate"], ["corrected"], ["duplicate"], ["duplicate"]]
    [row] = world.readings(space)
    assert (row.value, row.version) == (72.41, 2)
    assert [(old.value, old.version) for old in world.history(space)] == [(72.40, 1)]


def test_one_bad_reading_takes_no_other_with_it(world: World, writer: BatchWriter, space: UUID, scale: UUID) -> None:
    bad = [
        (weight("7000", AT), "/value"),
        (weight("seventy", AT), "/value"),
        (weight("72.4", AT) | {"unit": "mg/dL"}, "/unit"),
        (weight("72.4", AT) | {"metric": "shoe-size"}, "/metric"),
        (weight("72.4", "yesterday"), "/at"),
        (weight("72.4", "2099-01-01T00:00:00Z"), "/at"),
        (weight("72.4", "2099-01-01T00:00:00"), "/at"),
        (weight("72.4", "9999-12-31T23:59:59"), "/at"),
        (weight("72.4", "1999-12-31T23:00:00Z"), "/at"),
        (weight("72.4", "1970-01-01T00:00:00"), "/at"),
        (weight("72.4", "0001-01-01T00:00:00+14:00"), "/at"),
        (weight("72.4", "2026-03-01T07:31:05+23:59"), "/at"),
        (weight("72.4", far(minutes=10)), "/at"),
        (weight("72.4", AT, seq=-1), "/seq"),
        (weight("72.4", AT, seq=2**63), "/seq"),
        (weight("72.4", AT, device="AA:BB:CC:DD:EE:FF"), "/device"),
        (weight("72.4", AT, context={"meal": 1.5}), "/context"),
        (weight("72.4", AT, context={"no\0te": "x"}), ""),
        (pressure("80", "120", AT), "/components/diastolic"),
        (pressure("120", "80", AT) | {"value": "120"}, "/components"),
        ({"metric": "blood-pressure", "unit": "mm[Hg]", "value": "121", "at": AT}, "/components"),
        ({}, "/metric"),
    ]
    readings = [reading for item, _ in bad for reading in (weight("70.5", AT, seq=len(str(item))), item)]
    readings = [weight("70.5", AT, seq=n + 1) if n % 2 == 0 else reading for n, reading in enumerate(readings)]
    # What is remembered of good readings must not help a bad one in.
    writer.commit([message(scale, pressure("121", "79", AT), weight("72.4", AT, seq=999))])
    result = writer.commit([message(scale, *readings)])
    told = lines(result)
    assert [line["outcome"] for line in told] == ["stored", "rejected"] * len(bad)
    assert [line["pointer"] for line in told[1::2]] == [
        f"/readings/{2 * n + 1}{pointer}" for n, (_, pointer) in enumerate(bad)
    ]
    assert all(line["reason"] for line in told[1::2])
    assert len(world.readings(space)) == len(bad) + 1
    assert world.quarantined()[-1].pointer == "/readings/1/value"
    assert result.outcomes == {
        "stored": len(bad),
        "rejected": len(bad),
        "quarantined": 1,
        "duplicate": 0,
        "corrected": 0,
    }


def test_a_reading_from_a_clock_a_little_ahead_of_ours_is_taken(writer: BatchWriter, scale: UUID) -> None:
    assert outcomes(writer.commit([message(scale, weight("72.4", far(minutes=4)))])) == ["stored"]


@pytest.mark.parametrize(
    ("at", "instant", "offset_min"),
    [
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00+00:00", 120),  # the hour that Paris has twice
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00+00:00", 60),
        ("2026-03-29T03:00:00+02:00", "2026-03-29T01:00:00+00:00", 120),
        ("2026-03-01T07:31:05.123456Z", "2026-03-01T07:31:05.123456+00:00", 0),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00+00:00", 0),
        ("2026-03-01T00:00:00+05:45", "2026-02-28T18:15:00+00:00", 345),
        ("2026-03-01T00:00:00-09:30", "2026-03-01T09:30:00+00:00", -570),
        ("2026-03-01T00:00:00+14:00", "2026-02-28T10:00:00+00:00", 840),
        ("2026-03-01T00:00:00-12:00", "2026-03-01T12:00:00+00:00", -720),
    ],
)
def test_instants_are_exact_and_keep_the_patients_offset(
    world: World, writer: BatchWriter, at: str, instant: str, offset_min: int
) -> None:
    for more in ({}, {"context": {"clothes": "none"}}):  # by the short way and by the long one
        space = world.space()
        device = world.device(space, since="2000-01-01T00:00:00Z")
        for _ in range(2):  # the second one knows the value by heart
            writer.commit([message(device, weight("72.4", at, **more))])
        [row] = world.readings(space)
        assert (row.time.isoformat(), row.offset_min) == (instant, offset_min)


def test_big_numbers_in_a_context_come_through_both_ways_of_writing(
    world: World, writer: BatchWriter, space: UUID, scale: UUID
) -> None:
    context = {"big": 2**70, "small": -(2**70), "yes": True, "text": "é\U0001f600"}
    told = [outcomes(writer.commit([message(scale, weight("72.4", AT, context=context))])) for _ in range(2)]
    assert told == [["stored"], ["duplicate"]]
    assert world.readings(space)[0].context == context


def test_many_messages_of_many_devices_are_one_batch(world: World, writer: BatchWriter) -> None:
    devices = [world.device(world.space()) for _ in range(20)]
    batch = [
        message(device, *[weight(f"{60 + n}.{m}", f"2026-02-{n + 1:02}T0{m}:00:00Z") for n in range(20)])
        for m in range(3)
        for device in devices
    ]
    result = writer.commit(batch)
    assert (result.outcomes["stored"], len(result.answers)) == (1200, 60)
    again = writer.commit(batch)
    assert (again.outcomes["duplicate"], again.outcomes["stored"]) == (1200, 0)


def test_an_edge_sends_for_several_devices_by_id_or_hardware_address(world: World, writer: BatchWriter) -> None:
    space = world.space()
    edge = world.device(space, kind="edge", model="edge")
    by_id = world.device(space, parent=edge)
    by_address = world.device(space, parent=edge, hardware_id="AA:BB:CC:00:11:22")
    told = outcomes(
        writer.commit(
            [
                message(
                    edge,
                    weight("70.1", AT, device=str(by_id)),
                    weight("70.2", AT, device="AA:BB:CC:00:11:22"),
                    weight("70.3", AT, device=str(edge)),
                    weight("70.4", AT, device=str(world.device(space))),  # not through this edge
                )
            ]
        )
    )
    assert told == ["stored", "stored", "stored", "rejected"]
    owners = world.rows(
        "SELECT s.device_id, r.value FROM gateway.reading r JOIN gateway.series s ON s.id = r.series"
        " WHERE s.space_id = %s ORDER BY r.value",
        space,
    )
    assert [(row.device_id, row.value) for row in owners] == [(by_id, 70.1), (by_address, 70.2), (edge, 70.3)]


def test_a_name_that_could_be_two_devices_is_nobodys(world: World, writer: BatchWriter) -> None:
    hub = world.device(world.space(), kind="hub", model="theengs-hub")
    mine, hers = world.space(), world.space()
    world.device(mine, parent=hub, hardware_id="AA:00:00:00:00:01", model="one-model")
    world.device(hers, parent=hub, hardware_id="AA:00:00:00:00:01", model="another-model")
    sent = message(hub, weight("70.4", AT, device="AA:00:00:00:00:01"))
    assert outcomes(writer.commit([sent])) == ["rejected"]
    assert world.readings(mine) == world.readings(hers) == []


def test_a_device_paired_again_as_another_model_is_the_one_that_is_held(world: World, writer: BatchWriter) -> None:
    hub, space = world.device(world.space(), kind="hub", model="theengs-hub"), world.space()
    world.device(space, parent=hub, hardware_id="AA:00:00:00:00:02", model="wrong-model", until="2026-01-01T00:00:00Z")
    right = world.device(
        space, parent=hub, hardware_id="AA:00:00:00:00:02", model="right-model", since="2026-01-01T00:00:00Z"
    )
    assert outcomes(writer.commit([message(hub, weight("70.4", AT, device="AA:00:00:00:00:02"))])) == ["stored"]
    assert world.one("SELECT device_id FROM gateway.series WHERE space_id = %s", space) == right


def test_battery_and_last_contact_belong_to_the_holding(world: World, writer: BatchWriter, space: UUID) -> None:
    edge = world.device(space, kind="edge", model="edge")
    meter = world.device(space, parent=edge)
    writer.commit([message(edge, weight("70", AT, device=str(meter)), battery_percent={str(meter): 87})])
    [row] = world.rows("SELECT * FROM gateway.device_holding WHERE device_id = %s", meter)
    assert row.battery_percent == 87
    assert datetime.now(UTC) - row.last_seen_at < timedelta(minutes=1)


def test_a_batch_that_was_rolled_back_has_not_noted_the_contact(world: World, writer: BatchWriter, space: UUID) -> None:
    device = world.device(space)
    world.rows("ALTER TABLE gateway.device_activity ADD CONSTRAINT refuse CHECK (stored < 0) NOT VALID")
    try:
        with pytest.raises(Exception, match="refuse"):
            writer.commit([message(device, weight("70", AT))])
    finally:
        world.rows("ALTER TABLE gateway.device_activity DROP CONSTRAINT refuse")
    writer.commit([message(device, weight("70", AT))])
    assert world.one("SELECT last_seen_at FROM gateway.device_holding WHERE device_id = %s", device) is not None


def test_activity_counts_each_outcome_once(world: World, writer: BatchWriter, space: UUID, scale: UUID) -> None:
    world.rows(
        "UPDATE gateway.device_holding SET during = '[2026-01-01,)' WHERE device_id = %s", scale
    )  # what is older belongs to nobody
    old = weight("60", "2025-06-01T00:00:00Z")
    for values in (("70", "71"), ("70", "71.5"), ("9999", "x")):
        writer.commit([message(scale, *[weight(v, AT, seq=n) for n, v in enumerate(values)], old)])
    [row] = world.rows("SELECT * FROM gateway.device_activity WHERE space_id = %s", space)
    assert (row.stored, row.duplicate, row.corrected, row.rejected, row.unassigned) == (2, 3, 1, 2, 1)


def test_more_series_than_are_remembered_are_looked_up_again(
    world: World, writer: BatchWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device_gateway.ingest.registry.REMEMBERED_SERIES", 3)
    devices = [world.device(world.space()) for _ in range(8)]
    for _ in range(2):
        result = writer.commit([message(device, weight("70", AT)) for device in devices])
    assert result.outcomes["duplicate"] == 8


def test_a_sender_that_is_not_registered_is_rejected_with_what_to_do(writer: BatchWriter) -> None:
    [line] = lines(writer.commit([message(uuid4(), weight("70", AT))]))
    assert (line["outcome"], line["pointer"]) == ("rejected", "/readings/0/device")
    assert "pair it first" in line["reason"]
