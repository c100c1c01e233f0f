"""The index of a past month (or chunk) is made anew once, where it is half empty; what goes on meanwhile goes on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from ingest_world import World, fresh_world

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import connect
from device_gateway.settings import Settings
from device_gateway.store.index import FULL_BYTES
from device_gateway.store.pieces import pieces
from device_gateway.store.upkeep import keep_up

MONTH = datetime(2025, 3, 1, tzinfo=UTC)
SERIES, READINGS = 40, 1_000  # all series at one time, then at the next
FILL = """INSERT INTO gateway.reading (series, time, seq, value, decimals, offset_min, flags)
  SELECT s, %s::timestamptz + n * interval '5 minutes', n, 100, 0, 60, 1
  FROM generate_series(1, %s) n, generate_series(1, %s) s ORDER BY n, s"""
INDEX = """SELECT c.relname AS name, pg_relation_size(c.oid) AS bytes
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_inherits h ON h.inhrelid = i.indrelid AND h.inhparent = 'gateway.reading'::regclass"""


@pytest.fixture
def world(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        world.rows("SELECT gateway.ensure_partition(ARRAY[%s::timestamptz])", MONTH)
        world.rows(FILL + " RETURNING 1", MONTH, READINGS, SERIES)
        yield world


def index_bytes(world: World) -> int:
    [index] = world.rows(INDEX)
    return int(index.bytes)


def test_the_index_of_a_past_month_loses_its_empty_half_and_is_then_left_alone(world: World) -> None:
    asked = Settings(database_url=world.owner_url)
    full = FULL_BYTES * SERIES * READINGS
    with connect(world.owner_url, "gateway_owner") as owner:
        owner.execute("ANALYZE gateway.reading")
        [written] = [piece for piece in pieces(owner) if piece.rows]
    assert index_bytes(world) > 1.4 * full
    assert keep_up(asked, written.until + timedelta(days=6)).reindexed == []  # late readings may still come
    [piece] = keep_up(asked, written.until + timedelta(days=8)).reindexed
    assert piece.name == written.name
    assert index_bytes(world) < 1.1 * full
    assert keep_up(asked, written.until + timedelta(days=9)).reindexed == []
    assert world.one("SELECT count(*) FROM gateway.reading") == SERIES * READINGS


def test_an_attempt_that_a_long_transaction_stopped_is_cleared_away_and_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device_gateway.store.upkeep.LOCK_WAIT", "200ms")
    asked = Settings(database_url=world.owner_url)
    later = MONTH + timedelta(days=60)
    with psycopg.connect(world.owner_url, autocommit=True) as owner:
        owner.execute("ANALYZE gateway.reading")
    with psycopg.connect(world.owner_url) as other:
        other.execute("UPDATE gateway.reading SET flags = flags WHERE series = 1")
        assert keep_up(asked, later).postponed
    assert len(world.rows(INDEX)) == 2
    assert len(keep_up(asked, later).reindexed) == 1
    assert len(world.rows(INDEX)) == 1
