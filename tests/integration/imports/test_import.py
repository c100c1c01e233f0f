import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from file_world import counts, file_of, libreview, look, run, sensor_table
from ingest_world import World, glucose, message

from device_gateway.imports import run as run_module
from device_gateway.imports.formats import UnknownFormat
from device_gateway.imports.sources import UnknownSpace, ZoneConflict

SENSOR = "interstitial-glucose"


def test_a_second_import_of_the_same_or_an_overlapping_file_stores_nothing_twice(world: World) -> None:
    space = world.space()
    first = [("14-06-2026 08:00", "0", "104"), ("14-06-2026 08:15", "0", "99"), ("14-06-2026 08:20", "1", "97")]
    assert counts(run(world, file_of(space, libreview(*first)))) == {"stored": 3}
    assert counts(run(world, file_of(space, libreview(*first)))) == {"duplicate": 3}
    more = [
        *first[1:],
        ("14-06-2026 08:30", "0", "101"),
        ("14-06-2026 08:15", "2", "120"),
        ("14-06-2026 08:31", "4", ""),
    ]
    assert counts(run(world, file_of(space, libreview(*more)))) == {"stored": 2, "duplicate": 2, "other": 1}
    assert [(row.value, row.seq, row.offset_min) for row in world.readings(space, SENSOR)] == [
        (104, 0, 120), (99, 0, 120), (97, 1, 120), (101, 0, 120),
    ]  # fmt: skip
    assert [row.value for row in world.readings(space, "blood-glucose")] == [120]


def test_another_value_for_the_same_moment_is_a_correction_and_the_old_one_stays(world: World) -> None:
    space = world.space()
    run(world, file_of(space, libreview(("14-06-2026 08:00", "0", "104"))))
    assert counts(run(world, file_of(space, libreview(("14-06-2026 08:00", "0", "105"))))) == {"corrected": 1}
    assert world.history(space, SENSOR) == [(104, 1)]


def test_a_historic_value_and_a_scan_of_the_same_minute_are_two_readings(world: World) -> None:
    space = world.space()
    content = libreview(("14-06-2026 08:00", "0", "104"), ("14-06-2026 08:00", "1", "110"))
    assert counts(run(world, file_of(space, content))) == {"stored": 2}
    assert counts(run(world, file_of(space, content))) == {"duplicate": 2}


def test_what_a_device_of_the_gateway_sent_is_another_series_than_the_same_from_a_file(world: World) -> None:
    space = world.space()
    device = world.device(space)
    world.writer().commit([message(device, glucose("104", "2026-06-14T08:00:00Z"))])
    content = b"time,metric,value,unit\n2026-06-14T08:00:00Z,blood-glucose,104,mg/dL\n"
    assert counts(run(world, file_of(space, content))) == {"stored": 1}
    series = world.rows("SELECT device_id, source_id FROM gateway.series WHERE space_id = %s ORDER BY id", space)
    assert [(row.device_id, row.source_id is None) for row in series] == [(device, True), (None, False)]


def test_each_device_of_a_file_is_a_source_with_the_name_of_its_product(world: World) -> None:
    space = world.space()
    for serial in ("A1", "B2"):
        run(world, file_of(space, libreview(("14-06-2026 08:00", "0", "104"), serial=serial)))
    rows = world.rows(
        "SELECT device, name, zone FROM gateway.reading_source WHERE space_id = %s ORDER BY device", space
    )
    assert rows == [
        ("A1", "FreeStyle LibreLink (LibreView)", "Europe/Paris"),
        ("B2", "FreeStyle LibreLink (LibreView)", "Europe/Paris"),
    ]


def test_a_look_tells_what_the_import_then_does_and_writes_nothing(world: World) -> None:
    space = world.space()
    run(world, file_of(space, libreview(("14-06-2026 08:00", "0", "104"))))
    before = {
        table: world.one(f"SELECT count(*) FROM gateway.{table}")
        for table in (
            "reading",
            "reading_version",
            "series",
            "reading_source",
            "file_import",
            "journal",
            "reading_day_dirty",
        )
    }
    content = libreview(
        ("14-06-2026 08:00", "0", "105"), ("14-06-2026 08:15", "0", "99"), ("14-06-2026 08:15", "0", "99"),
        ("14-06-2026 08:30", "0", "LO"), ("14-06-2026 08:45", "5", ""), ("14-06-2026 08:00", "2", "120"),
    )  # fmt: skip
    seen = look(world, file_of(space, content))
    assert counts(seen) == {"stored": 2, "duplicate": 1, "corrected": 1, "rejected": 1, "other": 1}
    assert {table: world.one(f"SELECT count(*) FROM gateway.{table}") for table in before} == before
    assert run(world, file_of(space, content)) == seen


def test_nothing_is_lost_of_what_is_rejected(world: World) -> None:
    space = world.space()
    rows = [("14-06-2026 08:30", "0", "LO"), ("14-06-2096 08:30", "0", "100"), ("14-06-2026 08:45", "0", "9999")]
    report = run(world, file_of(space, libreview(*rows)))
    assert [(problem.number, problem.pointer) for problem in report.problems] == [
        (3, "/value"),
        (4, "/at"),
        (5, "/value"),
    ]
    kept = world.rows("SELECT n, record FROM gateway.file_import_rejected WHERE space_id = %s ORDER BY n", space)
    assert [(row.n, row.record.split(",")[2:5]) for row in kept] == [
        (3, ["14-06-2026 08:30", "0", "LO"]), (4, ["14-06-2096 08:30", "0", "100"]),
        (5, ["14-06-2026 08:45", "0", "9999"]),
    ]  # fmt: skip


def test_wall_clock_times_are_read_in_the_zone_of_the_space_or_the_one_that_is_said(world: World) -> None:
    space, other = world.space("America/New_York"), world.space("America/New_York")
    content = libreview(("14-01-2026 08:00", "0", "104"))
    run(world, file_of(space, content))
    run(world, file_of(other, content, zone="Asia/Kolkata"))
    [here], [there] = world.readings(space, SENSOR), world.readings(other, SENSOR)
    assert (here.time, here.offset_min) == (datetime(2026, 1, 14, 13, 0, tzinfo=UTC), -300)
    assert (there.time, there.offset_min) == (datetime(2026, 1, 14, 2, 30, tzinfo=UTC), 330)


def test_the_zone_in_which_a_device_was_read_first_stays_so_that_nothing_is_stored_twice(world: World) -> None:
    space = world.space("Europe/Paris")
    content = libreview(("14-01-2026 08:00", "0", "104"))
    run(world, file_of(space, content))
    world.rows("UPDATE gateway.space SET zone = 'America/New_York' WHERE id = %s", space)  # the patient has moved
    assert counts(run(world, file_of(space, content))) == {"duplicate": 1}
    with pytest.raises(ZoneConflict, match="Europe/Paris"):
        look(world, file_of(space, content, zone="Asia/Tokyo"))
    assert len(world.readings(space, SENSOR)) == 1


def test_both_passages_of_the_hour_at_the_end_of_summer_time_are_kept(world: World) -> None:
    space = world.space("Europe/Paris")
    walls = ["01:45", "02:00", "02:15", "02:30", "02:45", "02:00", "02:15", "02:30", "02:45", "03:00"]
    content = libreview(*((f"25-10-2026 {wall}", "0", str(100 + n)) for n, wall in enumerate(walls)))
    assert counts(run(world, file_of(space, content))) == {"stored": 10}
    rows = world.readings(space, SENSOR)
    assert [row.value for row in rows] == list(range(100, 110))
    assert {later.time - earlier.time for earlier, later in pairwise(rows)} == {timedelta(minutes=15)}


def test_an_instant_without_an_offset_has_that_of_the_patients_zone(world: World) -> None:
    space = world.space("Europe/Paris")
    entries = [{"type": "sgv", "sgv": 120, "date": 1_768_000_000_000, "device": "xDrip"}]
    run(world, file_of(space, json.dumps(entries).encode()))
    [row] = world.readings(space, SENSOR)
    assert (row.time, row.offset_min) == (datetime.fromtimestamp(1_768_000_000, UTC), 60)


def test_an_import_that_ended_early_goes_on_where_it_was_committed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "BATCH_RECORDS", 10)
    space = world.space()
    content = "".join(sensor_table(35, datetime(2026, 1, 1, tzinfo=UTC))).encode()
    assert counts(run(world, file_of(space, content), batches=2)) == {"stored": 20}
    assert world.rows("SELECT state, position FROM gateway.file_import WHERE space_id = %s", space) == [
        ("importing", 20)
    ]
    assert counts(run(world, file_of(space, content))) == {"stored": 15, "duplicate": 20}
    assert len(world.readings(space, SENSOR)) == 35


def test_the_journal_tells_of_an_import_how_many_and_no_value(world: World) -> None:
    space = world.space()
    run(world, file_of(space, libreview(("14-06-2026 08:00", "0", "104"), ("14-06-2026 08:15", "0", "99"))))
    rows = world.rows(
        "SELECT event, actor_kind, quantity, details FROM gateway.journal WHERE space_id = %s ORDER BY n", space
    )
    assert rows == [
        ("import:file:begin", "operator", None, {"source": "LibreView"}),
        ("import:file:finish", "operator", 2, {"source": "LibreView"}),
    ]


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"", "empty"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"a,b,c\n1,2,3\n", "names a, b, c"),
        (b'[{"temperature": 3}]', "neither Nightscout"),
        (b"104\n", "names no columns"),
        (bytes(range(256)), "names"),
    ],
)
def test_a_file_of_no_known_format_is_refused_with_what_was_seen(world: World, content: bytes, seen: str) -> None:
    with pytest.raises(UnknownFormat, match=seen):
        file_of(world.space(), content)


def test_nothing_is_imported_into_a_space_that_does_not_exist(world: World) -> None:
    with pytest.raises(UnknownSpace):
        run(world, file_of(world.device(), libreview(("14-06-2026 08:00", "0", "104"))))
