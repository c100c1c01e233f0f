"""Retention removes what is older, and nothing else; archives hold it exactly, and are read in again."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from ingest_world import World, fresh_world

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import connect
from device_gateway.errors import ArchiveUnreadable
from device_gateway.readings.put import ReadingRow, ReadingWriter, to_microseconds
from device_gateway.settings import Settings
from device_gateway.store.archive import read_archive
from device_gateway.store.pieces import pieces
from device_gateway.store.upkeep import keep_up

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=500)


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world


@pytest.fixture
def series(world: World) -> int:
    world.rows("DELETE FROM gateway.reading")
    world.rows("DELETE FROM gateway.reading_version")
    query = "INSERT INTO gateway.series (space_id, metric, source_id) VALUES (%s, 'body-weight', %s) RETURNING id"
    return int(world.one(query, world.space(), uuid4()))


def settings(world: World, **more: object) -> Settings:
    return Settings(database_url=world.owner_url, **more)  # type: ignore[arg-type]


def row(series: int, at: datetime, value: float = 71.5) -> ReadingRow:
    return series, to_microseconds(at), 7, value, 1, None, 5, 3.25, None, None


def put(world: World, *rows: ReadingRow) -> None:
    ReadingWriter(world.connect()).put([rows], lambda _: None)


def kept(world: World) -> tuple[list[object], list[object]]:
    """Readings and past versions, all columns."""
    return tuple(  # type: ignore[return-value]
        world.rows(f"SELECT * FROM gateway.{table} ORDER BY series, time, seq, version")
        for table in ("reading", "reading_version")
    )


def test_nothing_is_removed_unless_it_is_asked_for(world: World, series: int) -> None:
    put(world, row(series, OLD))
    done = keep_up(settings(world), NOW)
    assert done.removed == []
    assert len(kept(world)[0]) == 1


def test_what_is_older_is_archived_removed_and_read_in_again_as_it_was(
    world: World, series: int, tmp_path: Path
) -> None:
    put(world, row(series, OLD), row(series, OLD + timedelta(hours=1), 1 / 3), row(series, NOW))
    put(world, row(series, OLD, 71.6))
    put(world, row(series, OLD, 71.7))
    before = kept(world)
    asked = settings(world, retention_days=400, archive_dir=tmp_path)
    done = keep_up(asked, NOW)
    assert [row.time for row in world.rows("SELECT time FROM gateway.reading")] == [NOW]
    assert world.rows("SELECT * FROM gateway.reading_version") == []
    assert done.removed
    assert all(removed.piece.until <= NOW - timedelta(days=400) for removed in done.removed)
    files = [removed.archive for removed in done.removed if removed.archive]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files), "health data, for the owner only"
    lines = [line for file in files for line in gzip.decompress(file.read_bytes()).splitlines()[1:]]
    assert len(lines) == 4
    with connect(world.owner_url, "gateway_owner") as owner:
        restored = [read_archive(owner, file) for file in files]
        assert sum(each.stored for each in restored) == 4
        assert kept(world) == before
        again = [read_archive(owner, file) for file in files]
        assert [sum(column) for column in zip(*((r.stored, r.known, r.unknown) for r in again), strict=True)] == [
            0,
            4,
            0,
        ]
    assert world.one("SELECT count(*) FROM gateway.reading_day_dirty WHERE series = %s", series) > 0


def test_readings_of_a_space_that_is_gone_are_not_brought_back(world: World, series: int, tmp_path: Path) -> None:
    put(world, row(series, OLD))
    done = keep_up(settings(world, retention_days=400, archive_dir=tmp_path), NOW)
    files = [removed.archive for removed in done.removed if removed.archive]
    world.rows("DELETE FROM gateway.reading_day_dirty")
    world.rows("DELETE FROM gateway.series WHERE id = %s", series)
    with connect(world.owner_url, "gateway_owner") as owner:
        restored = [read_archive(owner, file) for file in files]
    assert (sum(each.stored for each in restored), sum(each.unknown for each in restored)) == (0, 1)


def test_a_damaged_archive_is_refused_whole(world: World, series: int, tmp_path: Path) -> None:
    put(world, row(series, OLD))
    done = keep_up(settings(world, retention_days=400, archive_dir=tmp_path), NOW)
    file = done.removed[-1].archive
    assert file
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with connect(world.owner_url, "gateway_owner") as owner:
        with pytest.raises(ArchiveUnreadable, match="damaged"):
            read_archive(owner, file)
        with pytest.raises(ArchiveUnreadable, match="No such file"):
            read_archive(owner, tmp_path / "other.csv.gz")
    assert kept(world)[0] == []


def test_an_archive_that_cannot_be_written_keeps_the_readings(world: World, series: int, tmp_path: Path) -> None:
    put(world, row(series, OLD))
    place = tmp_path / "file"
    place.write_text("no directory")
    with pytest.raises(OSError, match="file"):
        keep_up(settings(world, retention_days=400, archive_dir=place), NOW)
    assert len(kept(world)[0]) == 1


def test_a_piece_in_use_waits_for_the_next_time_and_only_one_process_keeps_up(
    world: World, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device_gateway.store.upkeep.LOCK_WAIT", "100ms")
    put(world, row(series, OLD))
    asked = settings(world, retention_days=400)
    with psycopg.connect(world.owner_url) as other:
        other.execute("UPDATE gateway.reading SET flags = flags")
        assert keep_up(asked, NOW).postponed
    with psycopg.connect(world.owner_url) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('gateway.reading: upkeep'))")
        assert keep_up(asked, NOW).removed == []
    assert keep_up(asked, NOW).removed != []
    with connect(world.owner_url, "gateway_owner") as owner:
        assert all(piece.until > NOW - timedelta(days=400) for piece in pieces(owner))


def test_days_that_are_removed_leave_no_roll_up_behind(world: World, series: int) -> None:
    put(world, row(series, OLD))
    world.rows("INSERT INTO gateway.reading_day VALUES (%s, %s, 1, 71.5, 71.5, 71.5, false)", series, OLD.date())
    keep_up(settings(world, retention_days=400), NOW)
    assert world.rows("SELECT * FROM gateway.reading_day WHERE series = %s", series) == []
