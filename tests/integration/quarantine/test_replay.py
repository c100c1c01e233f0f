"""Quarantine: nothing is lost in it, and what can be understood later is taken in again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from ingest_world import QUARANTINE_DAYS, World, fresh_world, message, raw_message, weight

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.devices.topics import hub_topic, topic_of
from device_gateway.ingest import quarantine
from device_gateway.ingest.replay import Replayed, replay

AT = "2026-03-01T07:31:05+01:00"
PLANTED = "64.3219"


@pytest.fixture(scope="module")
def store(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world


@pytest.fixture
def world(store: World) -> World:
    """With an empty quarantine."""
    store.rows("TRUNCATE gateway.quarantine, gateway.quarantine_group RESTART IDENTITY")
    return store


def register(world: World, device: UUID) -> UUID:
    """The device that sent before anybody had paired it; returns the space that holds it now."""
    space = world.space()
    world.rows("INSERT INTO gateway.device (id, model, kind) VALUES (%s, 'dg-scale', 'device')", device)
    world.hold(device, space, "2020-01-01T00:00:00Z")
    return space


def again(world: World, number: int) -> Replayed:
    found = replay(world.connect(), number, QUARANTINE_DAYS)
    assert found is not None
    return found


def test_what_came_before_the_device_was_paired_is_taken_in_after(world: World) -> None:
    device = uuid4()
    world.writer().commit([message(device, weight("70.1", AT), weight("70.2", AT, seq=1))])
    [row] = world.quarantined()
    assert again(world, row.id).understood is False
    space = register(world, device)
    assert again(world, row.id) == Replayed(row.id, understood=True, result="stored 2")
    assert [reading.value for reading in world.readings(space)] == [70.1, 70.2]
    assert again(world, row.id).result == "duplicate 2", "a replay can be repeated"
    [row] = world.quarantined()
    assert (row.replay_result, row.replayed_at is not None) == ("duplicate 2", True)


def test_a_reading_without_a_time_of_its_own_keeps_that_of_its_arrival(world: World) -> None:
    space = world.space()
    hub = world.device(space, kind="hub", model="theengs-hub")
    arrived = datetime.now(UTC) - timedelta(days=3)
    heard = {
        "id": "AA:BB:CC:DD:EE:01",
        "model_id": "XMTZC04HM",
        "weighing_mode": "person",
        "unit": "kg",
        "weight": 71.5,
    }
    world.writer().commit(
        [raw_message(hub_topic(hub, "theengs/home/OMG/BTtoMQTT/A"), json.dumps(heard).encode(), arrived)]
    )
    [row] = world.quarantined()
    world.rows("UPDATE gateway.quarantine SET first_at = %s", arrived)
    world.device(space, parent=hub, hardware_id="AA:BB:CC:DD:EE:01", model="xiaomi-mi-scale")
    assert again(world, row.id).result == "stored 1"
    [reading] = world.readings(space)
    assert reading.time == arrived


def test_a_refused_replay_says_nothing_about_the_sender_and_waits_on(world: World) -> None:
    device = uuid4()
    sent = message(device, weight("70.1", AT))
    for _ in range(3):
        world.writer().commit([sent])
    [before] = world.quarantined()
    assert before.seen == 3
    told = again(world, before.id)
    [after] = world.quarantined()
    assert told.result.startswith("still refused: no device of that name")
    assert (after.seen, after.last_at, after.expires_at) == (3, before.last_at, before.expires_at)
    assert (after.replay_result, after.replayed_at) == (told.result, None)
    assert quarantine.waiting(world.connect()) == [before.id]


def test_of_a_message_with_a_bad_reading_the_good_ones_are_duplicates_when_replayed(world: World) -> None:
    space = world.space()
    device = world.device(space)
    world.writer().commit([message(device, weight("70.1", AT), weight("9999", AT, seq=1))])
    [row] = world.quarantined()
    told = again(world, row.id)
    assert not told.understood
    assert told.result.endswith("(duplicate 1, rejected 1)")
    assert len(world.readings(space)) == 1


def test_what_comes_again_after_a_replay_waits_again(world: World) -> None:
    device = uuid4()
    sent = message(device, weight("70.1", AT))
    world.writer().commit([sent])
    [row] = world.quarantined()
    quarantine.note_replayed(world.connect(), row.id, "stored 1")
    assert quarantine.waiting(world.connect()) == []
    world.writer().commit([sent])
    assert quarantine.waiting(world.connect()) == [row.id]
    assert world.quarantined()[0].seen == 2


def test_what_breaks_ingestion_breaks_no_replay_of_others(world: World) -> None:
    device = world.device(world.space())
    writer = world.writer()
    writer.commit([raw_message(topic_of(device, "readings"), b"{")])
    [row] = world.quarantined()
    world.rows("UPDATE gateway.quarantine SET payload = %s", message(device, weight("70.1", AT)).payload)
    world.rows("ALTER TABLE gateway.series ADD CONSTRAINT refuse CHECK (metric <> 'body-weight') NOT VALID")
    try:
        assert again(world, row.id).result == "still breaks ingestion: CheckViolation"
    finally:
        world.rows("ALTER TABLE gateway.series DROP CONSTRAINT refuse")


def test_there_is_no_replay_of_a_row_that_is_not_there(world: World) -> None:
    assert replay(world.connect(), 7, QUARANTINE_DAYS) is None


def test_what_is_over_its_date_is_deleted_and_nothing_else(world: World) -> None:
    writer = world.writer()
    topic = topic_of(uuid4(), "readings")
    writer.commit([raw_message(topic, b"old"), raw_message(topic, b"new")])
    world.rows("UPDATE gateway.quarantine SET expires_at = now() - interval '1 second' WHERE payload = 'old'")
    assert quarantine.expire(world.connect()) == 1
    assert [bytes(row.payload) for row in world.quarantined()] == [b"new"]


def command(world: World, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("device-gateway")), "quarantine", *arguments],
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path,
        env={**os.environ, "DEVICE_GATEWAY_DATABASE_INGEST_URL": world.ingest_url},
    )  # fmt: skip


def test_an_operator_lists_looks_and_replays(world: World, tmp_path: Path) -> None:
    device = uuid4()
    world.writer().commit(
        [
            message(device, weight(PLANTED, AT)),
            raw_message(topic_of(device, "readings"), b"\xff\xfe" + PLANTED.encode()),
        ]
    )
    listed = command(world, tmp_path, "list", "--json")
    rows = json.loads(listed.stdout)
    assert {row["pointer"] for row in rows} == {"/readings/0/device", ""}
    assert PLANTED not in listed.stdout, "a list shows no payload"
    assert PLANTED not in command(world, tmp_path, "list").stdout
    number = next(row["id"] for row in rows if row["pointer"])
    shown = json.loads(command(world, tmp_path, "show", str(number), "--json").stdout)
    assert PLANTED in shown["payload"]
    space = register(world, device)
    replayed = command(world, tmp_path, "replay", "--all", "--json")
    assert replayed.returncode == 2, "one of them is still refused"
    assert sorted(row["result"].partition(":")[0] for row in json.loads(replayed.stdout)) == [
        "still refused",
        "stored 1",
    ]
    assert len(world.readings(space)) == 1
    assert PLANTED not in replayed.stdout + replayed.stderr
    missing = command(world, tmp_path, "show", "999")
    assert (missing.returncode, "no row 999" in missing.stderr) == (1, True)
