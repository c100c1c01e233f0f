"""A meter whose battery was changed: clock and numbers begin anew, and its old records are sent once more."""

from datetime import UTC, datetime

import msgspec
from ingest_world import World

from device_gateway.devices.topics import topic_of
from device_gateway.ingest.message import Message


def test_old_records_stay_where_they_are_and_new_ones_find_their_place(world: World) -> None:
    space = world.space()
    edge = world.device(space, model="edge", kind="edge")
    meter = world.device(space, model="ble-glucose", parent=edge, hardware_id="C0:00:00:00:00:77")
    old = [(seq, f"2026-02-0{seq}T07:00:00") for seq in (1, 2, 3)]
    world.writer().commit([_sent(edge, meter, "2026-02-04T12:00:00", "2026-02-04T12:00:00+01:00", old)])
    for battery, day in enumerate((10, 20), 1):
        new = [(1, f"2020-01-01T08:{day}:00")]
        clocks = "2020-01-01T09:00:00", f"2026-02-{day}T12:00:00+01:00"
        world.writer().commit([_sent(edge, meter, *clocks, new)])
        earlier = [(1, f"2020-01-01T08:{before}:00") for before in (10, 20)[:battery]]
        again = world.writer().commit([_sent(edge, meter, *clocks, [*old, *earlier])])
        assert again.outcomes["duplicate"] == 3 + battery
    assert [f"{row.time:%m-%d %H:%M}" for row in world.readings(space, "blood-glucose")] == [
        "02-01 06:00", "02-02 06:00", "02-03 06:00", "02-10 10:10", "02-20 10:20",
    ]  # fmt: skip


def _sent(edge: object, meter: object, raw: str, measured_at: str, records: list[tuple[int, str]]) -> Message:
    payload = {
        "message_id": "m",
        "readings": [
            {"device": str(meter), "metric": "blood-glucose", "unit": "mg/dL", "value": "101", "at": at, "seq": seq}
            for seq, at in records
        ],
        "clocks": [{"device": str(meter), "raw": raw, "measured_at": measured_at}],
    }
    return Message(topic_of(str(edge), "readings"), msgspec.json.encode(payload), datetime.now(UTC))
