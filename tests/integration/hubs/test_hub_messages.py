"""Hubs of other products: what was said before counts, nothing comes twice, nothing is lost, nothing floods."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from ingest_world import QUARANTINE_DAYS, World, message, outcomes, raw_message, weight

from device_gateway.devices.local_names import qualified
from device_gateway.devices.topics import hub_topic, topic_of
from device_gateway.ingest import arrival, heard, memory, quarantine
from device_gateway.ingest.message import Message
from device_gateway.ingest.quarantine import GROUPS_PER_SENDER, KEPT_PER_GROUP, OTHER_REASONS
from device_gateway.ingest.replay import replay

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
STATE = "sensor/scale_weight/state"
ADDRESS = "AA:BB:CC:DD:EE:01"


@dataclass
class Hub:
    """A hub of a patient, and how it publishes."""

    world: World
    id: UUID
    space: UUID
    dialect: str

    @property
    def node(self) -> str:
        """Hardware address of the node."""
        return ":".join(self.id.hex[at : at + 2] for at in range(0, 12, 2)).upper()

    def says(self, subtopic: str, payload: bytes | str, at: datetime = NOW) -> Message:
        octets = payload.encode() if isinstance(payload, str) else payload
        return raw_message(hub_topic(self.id, f"{self.dialect}/{subtopic}" if subtopic else self.dialect), octets, at)

    def described(self, at: datetime = NOW) -> Message:
        config = {
            "unit_of_meas": "kg", "dev_cla": "weight", "stat_t": hub_topic(self.id, f"esphome/{STATE}"),
            "dev": {"ids": self.node.replace(":", "").lower()},
        }  # fmt: skip
        return self.says("ha/sensor/node/scale_weight/config", json.dumps(config), at)

    def child(self, name: str, model: str = "esphome-scale") -> UUID:
        return self.world.device(self.space, model=model, parent=self.id, hardware_id=qualified(self.id, name))

    def quarantined(self) -> list[tuple[str, int, int]]:
        """(reason, payloads kept, seen) of each kind of trouble."""
        return [
            tuple(row)
            for row in self.world.rows(
                "SELECT g.reason, count(q.id), g.seen FROM gateway.quarantine_group g"
                " LEFT JOIN gateway.quarantine q ON q.group_id = g.id WHERE g.sender = %s GROUP BY g.id ORDER BY g.id",
                str(self.id),
            )
        ]


def hub(world: World, dialect: str) -> Hub:
    space = world.space()
    return Hub(world, world.device(space, kind="hub", model=f"{dialect}-hub"), space, dialect)


def test_a_discovery_message_is_known_to_every_worker_from_then_on(world: World) -> None:
    home = hub(world, "esphome")
    home.child(f"{home.node}/scale")
    world.writer().commit([home.described()])
    result = world.writer().commit([home.says(STATE, "72.40")])
    assert +result.outcomes == {"stored": 1}
    [reading] = world.readings(home.space)
    assert (reading.value, reading.decimals, reading.time) == (72.4, 2, NOW)


def test_a_discovery_message_and_its_state_may_come_in_one_batch(world: World) -> None:
    home = hub(world, "esphome")
    home.child(f"{home.node}/scale")
    result = world.writer().commit([home.described(), home.says(STATE, "72.40")])
    assert +result.outcomes == {"stored": 1}


def test_states_that_come_before_their_discovery_wait_and_none_is_lost(world: World) -> None:
    home = hub(world, "esphome")
    home.child(f"{home.node}/scale")
    days = [NOW + timedelta(days=day) for day in range(3)]
    for at in days:  # the same weight on three days: three readings
        world.writer().commit([home.says(STATE, "72.40", at)])
    [(_, kept, seen)] = home.quarantined()
    assert (kept, seen) == (3, 3)
    world.writer().commit([home.described()])
    connection = world.connect()
    for number in quarantine.waiting(connection, sender=str(home.id)):
        told = replay(connection, number, QUARANTINE_DAYS)
        assert told is not None
        assert told.result == "stored 1"
    assert [reading.time for reading in world.readings(home.space)] == days
    assert quarantine.waiting(connection, sender=str(home.id)) == []


def test_one_hub_can_describe_so_many_things_and_no_more(world: World) -> None:
    home = hub(world, "esphome")
    topic = hub_topic(home.id, "esphome/x/state")
    config = json.dumps({"unit_of_meas": "kg", "stat_t": topic})
    messages = [home.says(f"ha/sensor/n/s{n}/config", config) for n in range(memory.MOST_KEYS + 5)]
    result = world.writer().commit(messages)
    assert +result.outcomes == {"quarantined": 5}
    [(_, _, seen)] = home.quarantined()
    assert seen == 5


def test_what_a_hub_said_is_forgotten_with_the_hub(world: World) -> None:
    home = hub(world, "esphome")
    world.writer().commit([home.described()])
    world.release(home.id, "2026-03-02T00:00:00Z")
    assert memory.expire(world.connect()) >= 1
    assert world.one("SELECT count(*) FROM gateway.dialect_memory WHERE sender = %s", home.id) == 0


@pytest.fixture
def scale(world: World) -> Hub:
    """ble-scale-sync with one user: its messages have no time."""
    home = hub(world, "ble-scale-sync")
    home.child("scale", "ble-scale-sync-user")
    return home


def times(hub: Hub) -> list[datetime]:
    return [reading.time for reading in hub.world.readings(hub.space)]


def test_a_message_that_was_committed_and_comes_again_is_the_same_reading(world: World, scale: Hub) -> None:
    first = scale.says("", '{"weight": 72.4}')
    world.writer().commit([first])  # and the worker dies before it acknowledges
    again = first._replace(received_at=NOW + timedelta(seconds=40), again=True)
    assert +world.writer().commit([again]).outcomes == {"duplicate": 1}
    assert times(scale) == [NOW]


def test_a_message_that_was_never_committed_and_comes_again_is_a_new_reading(world: World, scale: Hub) -> None:
    yesterday = scale.says("", '{"weight": 72.4}', NOW - timedelta(days=1))
    writer = world.writer()
    writer.commit([yesterday])
    writer.commit([scale.says("status", "online")])  # the batch after it: yesterday's is acknowledged
    again = yesterday._replace(received_at=NOW, again=True)
    assert +world.writer().commit([again]).outcomes == {"stored": 1}
    assert times(scale) == [NOW - timedelta(days=1), NOW]


def test_two_equal_messages_that_both_come_again_stay_two(world: World, scale: Hub) -> None:
    both = [scale.says("", '{"weight": 72.4}', NOW + timedelta(minutes=minute)) for minute in (0, 1)]
    world.writer().commit(both)
    later = [one._replace(received_at=NOW + timedelta(hours=1), again=True) for one in both]
    assert +world.writer().commit(later).outcomes == {"duplicate": 2}


def test_what_the_broker_retained_is_the_reading_that_came_before(world: World, scale: Hub) -> None:
    live = scale.says("", '{"weight": 72.4}')
    world.writer().commit([live])
    kept = live._replace(received_at=NOW + timedelta(days=9), retained=True)
    assert +world.writer().commit([kept]).outcomes == {"duplicate": 1}
    assert times(scale) == [NOW]


def test_what_the_broker_retained_and_nobody_saw_come_has_no_time_to_be_stored_at(world: World, scale: Hub) -> None:
    kept = scale.says("", '{"weight": 72.4}')._replace(retained=True)
    assert +world.writer().commit([kept]).outcomes == {"quarantined": 1}
    [(reason, _, _)] = scale.quarantined()
    assert "retain" in reason


def test_a_retained_discovery_message_is_as_good_as_a_new_one(world: World) -> None:
    home = hub(world, "esphome")
    home.child(f"{home.node}/scale")
    world.writer().commit([home.described()._replace(retained=True), home.says(STATE, "72.40")])
    assert len(times(home)) == 1


def test_arrivals_of_long_ago_are_forgotten(world: World, scale: Hub) -> None:
    world.writer().commit([scale.says("", '{"weight": 72.4}', NOW - timedelta(days=400))])
    assert arrival.expire(world.connect()) >= 1


def theengs(kg: float) -> str:
    return json.dumps({"id": ADDRESS, "model_id": "XMTZC04HM", "weighing_mode": "person", "unit": "kg", "weight": kg})


def test_unknown_devices_of_a_hub_are_heard_by_name_and_metric_only(world: World) -> None:
    home = hub(world, "theengs")
    for _ in range(3):
        world.writer().commit([home.says("home/OMG/BTtoMQTT/A", theengs(64.3))])
    [row] = world.rows("SELECT * FROM gateway.heard_device WHERE hub_id = %s", home.id)
    assert (row.name, row.dialect, row.metrics, row.seen) == (ADDRESS, "theengs", ["body-weight"], 3)
    assert "64.3" not in str(row)
    assert world.readings(home.space) == []


def test_a_hub_is_seen_when_it_sends_whatever_it_speaks_for(world: World) -> None:
    home = hub(world, "theengs")
    world.writer().commit([home.says("home/OMG/BTtoMQTT/A", theengs(64.3))])
    assert world.one(
        "SELECT last_seen_at > now() - interval '1 hour' FROM gateway.device_holding WHERE device_id = %s", home.id
    )


def test_a_neighbourhood_of_made_up_names_fills_no_table(world: World) -> None:
    home = hub(world, "zigbee2mqtt")
    messages = [home.says(f"made-up-{n}", '{"body_weight": 72}') for n in range(heard.MOST_NAMES + 150)]
    result = world.writer().commit(messages)
    assert result.outcomes["quarantined"] == len(messages)
    world.writer().commit([home.says("late-one", '{"body_weight": 72}')])
    assert world.one("SELECT count(*) FROM gateway.heard_device WHERE hub_id = %s", home.id) <= heard.MOST_NAMES + 150
    kinds = home.quarantined()
    assert len(kinds) <= GROUPS_PER_SENDER + 1
    assert sum(seen for _, _, seen in kinds) == len(messages) + 1, "everything is counted"
    assert sum(kept for _, kept, _ in kinds) <= (GROUPS_PER_SENDER + 1) * KEPT_PER_GROUP
    assert OTHER_REASONS in [reason for reason, _, _ in kinds]


def test_topics_that_no_dialect_claims_are_one_row_for_each_sender(world: World) -> None:
    home = hub(world, "theengs")
    writer = world.writer()
    for batch in range(4):
        writer.commit([raw_message(topic_of(home.id, f"x/made-up-{batch}-{n}/a"), b"%d" % n) for n in range(250)])
    [(reason, kept, seen)] = home.quarantined()
    assert "no dialect claims" in reason
    assert (kept, seen) == (1, 1000)


def test_the_same_kind_of_garbage_for_ever_keeps_the_first_payloads_and_counts_all(world: World) -> None:
    device = world.device(world.space())
    writer = world.writer()
    for batch in range(3):
        writer.commit([raw_message(topic_of(device, "readings"), b"garbage %d %d" % (batch, n)) for n in range(50)])
    [row] = world.rows("SELECT * FROM gateway.quarantine_group WHERE sender = %s", str(device))
    assert row.seen == 150
    kept = world.rows("SELECT payload FROM gateway.quarantine WHERE group_id = %s ORDER BY id", row.id)
    assert len(kept) == KEPT_PER_GROUP
    assert bytes(kept[0].payload).startswith(b"garbage 0 ")


def test_after_a_replay_there_is_room_again(world: World) -> None:
    device = world.device(world.space())
    writer, connection = world.writer(), world.connect()
    writer.commit([raw_message(topic_of(device, "readings"), b"%d" % n) for n in range(KEPT_PER_GROUP + 5)])
    numbers = quarantine.waiting(connection, sender=str(device))
    assert len(numbers) == KEPT_PER_GROUP
    quarantine.note_replayed(connection, numbers[0], "stored 1")
    writer.commit([raw_message(topic_of(device, "readings"), b"one more")])
    assert len(quarantine.waiting(connection, sender=str(device))) == KEPT_PER_GROUP


def test_a_hub_may_speak_our_own_dialect_and_is_told_when_it_does_so_elsewhere(world: World) -> None:
    home = hub(world, "esphome")
    own = message(home.id, weight("70.1", "2026-03-01T07:31:05+01:00"))
    result = world.writer().commit([own._replace(topic=hub_topic(home.id, "own") + "/readings")])
    assert outcomes(result) == ["stored"]
    lost = world.writer().commit([own._replace(topic=hub_topic(home.id, "own") + "/somewhere")])
    assert +lost.outcomes == {"quarantined": 1}
    [(reason, _, _)] = home.quarantined()
    assert "no dialect claims" in reason


def test_what_two_hubs_call_the_same_are_two_devices(world: World) -> None:
    homes = [hub(world, "ble-scale-sync") for _ in range(2)]
    for home, kg in zip(homes, ("72.4", "58.1"), strict=True):
        home.child("alice", "ble-scale-sync-user")
        world.writer().commit([home.says("alice", f'{{"weight": {kg}}}')])
    assert [[reading.value for reading in world.readings(home.space)] for home in homes] == [[72.4], [58.1]]
