"""From native partitions to a hypertable while others go on writing.

    prepare   a hypertable beside the table, and a trigger that carries every change over to it
    copy      partition after partition, page by page in the order of the index; what is there already stays
    verify    each partition against the hypertable, in one snapshot, in which both must be the same
    swap      the names, in one short lock; then the old table goes

Killed at any point, the next call goes on; the trigger stays meanwhile, so nothing is missed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel, sql
from psycopg.rows import namedtuple_row

from device_gateway.database.migrate import use_timescaledb
from device_gateway.database.pool import Row
from device_gateway.errors import DatabaseUnreachable, MoveInterrupted, TimescaleMissing
from device_gateway.store.pieces import UPKEEP_LOCK, Piece, is_hypertable, pieces

PAGE = 20_000  # rows copied in a transaction: who corrects one of them meanwhile waits for it, less than a second
LOCK_WAIT = "2s"  # for the table, while everybody else queues behind us
LOCK_TRIES = 60
COLUMNS = "series, time, seq, value, value2, value3, decimals, offset_min, flags, version, context"

AVAILABLE = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') AS yes"
PREPARE = """
CREATE TABLE gateway.reading_moving (LIKE gateway.reading INCLUDING DEFAULTS);
SELECT create_hypertable('gateway.reading_moving', by_range('time', {length}), create_default_indexes => false);
CREATE UNIQUE INDEX reading_moving_identity ON gateway.reading_moving (series, time, seq)
  INCLUDE (value, decimals, offset_min, flags, version);
CREATE TABLE gateway.reading_moved (name text PRIMARY KEY);
CREATE FUNCTION gateway.reading_carry() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM reading_moving m WHERE m.series = OLD.series AND m.time = OLD.time AND m.seq = OLD.seq;
  ELSE
    INSERT INTO reading_moving SELECT NEW.* ON CONFLICT (series, time, seq) DO UPDATE SET value = excluded.value,
      value2 = excluded.value2, value3 = excluded.value3, decimals = excluded.decimals,
      offset_min = excluded.offset_min, flags = excluded.flags, version = excluded.version, context = excluded.context;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER carry AFTER INSERT OR UPDATE OR DELETE ON gateway.reading FOR EACH ROW
  EXECUTE FUNCTION gateway.reading_carry();
"""
COPY_PAGE = """
WITH page AS MATERIALIZED (SELECT {columns} FROM {piece} WHERE (series, time, seq) > (%s, %s, %s)
    ORDER BY series, time, seq LIMIT %s),
  put AS (INSERT INTO gateway.reading_moving ({columns}) SELECT {columns} FROM page
    ON CONFLICT (series, time, seq) DO NOTHING)
SELECT series, time, seq, (SELECT count(*) FROM page) AS rows FROM page
ORDER BY series DESC, time DESC, seq DESC LIMIT 1
"""
# A row that was deleted between the reading and the writing of its page.
REMOVE_DELETED = """DELETE FROM gateway.reading_moving m WHERE m.time >= %(since)s AND m.time < %(until)s
  AND NOT EXISTS (SELECT FROM gateway.reading r WHERE (r.series, r.time, r.seq) = (m.series, m.time, m.seq))"""
DIGEST = """SELECT count(*) AS rows, sum(hashtextextended(row({columns})::text, 0)::numeric) AS content
  FROM {table} WHERE time >= %(since)s AND time < %(until)s"""

# Everything that is bound to the table by more than its name.
VIEWS = """SELECT DISTINCT v.oid::regclass::text AS name, pg_get_viewdef(v.oid) AS body,
    coalesce(array_to_string(v.reloptions, ', '), '') AS options
  FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class v ON v.oid = w.ev_class
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = 'gateway.reading'::regclass AND v.relkind = 'v'"""
FUNCTIONS = """SELECT p.oid::regprocedure::text AS name, pg_get_functiondef(p.oid) AS body,
    ARRAY(SELECT a.grantee::regrole::text FROM aclexplode(p.proacl) a WHERE a.grantee NOT IN (0, p.proowner)) AS users
  FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype WHERE t.typrelid = 'gateway.reading'::regclass"""
SWAP = """
DROP TRIGGER carry ON gateway.reading;
ALTER INDEX gateway.reading_identity RENAME TO reading_plain_identity;
ALTER TABLE gateway.reading RENAME TO reading_plain;
ALTER INDEX gateway.reading_moving_identity RENAME TO reading_identity;
ALTER TABLE gateway.reading_moving RENAME TO reading;
CREATE TRIGGER keep_version BEFORE UPDATE ON gateway.reading FOR EACH ROW
  EXECUTE FUNCTION gateway.reading_keep_version();
GRANT INSERT ON gateway.reading TO gateway_ingest;
DROP FUNCTION gateway.reading_carry;
DROP TABLE gateway.reading_moved;
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """`rows` of about `total` were copied."""

    rows: int
    total: int


@dataclass(frozen=True, slots=True)
class Moved:
    """`rows` were copied and verified now, in `pieces`; none when it was a hypertable before."""

    pieces: int
    rows: int


def to_hypertable(owner_url: str, chunk: timedelta, told: Callable[[Progress], None] = lambda _: None) -> Moved:
    """Make `gateway.reading` a hypertable, with chunks of that length; `told` hears how far it is.

    The user of `owner_url` may assume gateway_owner, and create the extension where the database lacks it. Raises
    TimescaleMissing, DatabaseUnreachable, and MoveInterrupted when it can be called again to go on.
    """
    try:
        connection: Connection[Row] = psycopg.connect(owner_url, autocommit=True, row_factory=namedtuple_row)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(f"The database does not answer: {error}") from error
    with connection:
        _need_timescaledb(connection)
        connection.execute("SET ROLE gateway_owner")
        connection.execute("SET timezone = 'UTC'")
        [lock] = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s)) AS got", (UPKEEP_LOCK,)).fetchall()
        if not lock.got:
            raise MoveInterrupted("Another process compresses, removes or moves pieces of the store; try again later.")
        if is_hypertable(connection):
            _drop_old(connection)
            return Moved(0, 0)
        if not _exists(connection, "gateway.reading_moving"):
            _prepare(connection, chunk)
        moved = _copy_all(connection, told)
        _swap(connection)
        _drop_old(connection)
        return moved


def _need_timescaledb(connection: Connection[Row]) -> None:
    [available] = connection.execute(AVAILABLE).fetchall()
    if not available.yes:
        raise TimescaleMissing("This server has no TimescaleDB: install its package for this version of PostgreSQL.")
    use_timescaledb(connection)
    [present] = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS yes"
    ).fetchall()
    if not present.yes:
        raise TimescaleMissing(
            "TimescaleDB is installed but not in use: set shared_preload_libraries = 'timescaledb', restart the server,"
            " and as a superuser CREATE EXTENSION timescaledb in this database."
        )


def _prepare(connection: Connection[Row], chunk: timedelta) -> None:
    for attempt in _locking(connection):
        with attempt, connection.transaction():
            connection.execute(sql.SQL(PREPARE).format(length=sql.Literal(chunk)))
            return


def _copy_all(connection: Connection[Row], told: Callable[[Progress], None]) -> Moved:
    """Partitions that are made later hold nothing but what the trigger carried over."""
    waiting = pieces(connection)
    total, rows = int(sum(piece.rows for piece in waiting)), 0
    done = {row.name for row in connection.execute("SELECT name FROM gateway.reading_moved").fetchall()}
    for piece in waiting:
        if piece.name in done:
            rows += int(piece.rows)
            continue
        for copied in _copy(connection, piece):
            rows += copied
            told(Progress(rows, max(total, rows)))
        _verify(connection, piece)
        connection.execute("INSERT INTO gateway.reading_moved VALUES (%s)", (piece.name,))
    return Moved(len(waiting), rows)


def _copy(connection: Connection[Row], piece: Piece) -> Iterator[int]:
    """The rows of each page that was copied."""
    query = COPY_PAGE.format(columns=COLUMNS, piece=piece.name).encode()
    after: tuple[Any, ...] = (-1, "-infinity", 0)  # series, time, seq
    while page := connection.execute(query, (*after, PAGE)).fetchall():
        [last] = page
        after = (last.series, last.time, last.seq)
        yield last.rows


def _verify(connection: Connection[Row], piece: Piece) -> None:
    """Raises MoveInterrupted when the partition and what was copied of it differ."""
    stretch = {"since": piece.since, "until": piece.until}
    connection.execute(REMOVE_DELETED, stretch)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            old, new = (
                connection.execute(DIGEST.format(columns=COLUMNS, table=table).encode(), stretch).fetchone()
                for table in ("gateway.reading", "gateway.reading_moving")
            )
    finally:
        connection.isolation_level = None
    if old != new:
        raise MoveInterrupted(
            f"{piece.name} and its copy differ ({old.rows if old else 0} and {new.rows if new else 0} rows); nothing"
            " was swapped. To begin anew, drop the trigger carry and the tables gateway.reading_moving and"
            " gateway.reading_moved."
        )


def _swap(connection: Connection[Row]) -> None:
    for attempt in _locking(connection):
        with attempt, connection.transaction():
            connection.execute("LOCK TABLE gateway.reading IN ACCESS EXCLUSIVE MODE")
            views, functions = connection.execute(VIEWS).fetchall(), connection.execute(FUNCTIONS).fetchall()
            for function in functions:
                connection.execute(f"DROP FUNCTION {function.name}".encode())
            connection.execute(SWAP)
            for view in views:
                options = f"WITH ({view.options})" if view.options else ""
                connection.execute(f"CREATE OR REPLACE VIEW {view.name} {options} AS {view.body}".encode())
            for function in functions:
                connection.execute(function.body.encode())
                for user in function.users:
                    connection.execute(f"GRANT EXECUTE ON FUNCTION {function.name} TO {user}".encode())
            return


def _drop_old(connection: Connection[Row]) -> None:
    connection.execute("DROP TABLE IF EXISTS gateway.reading_plain")


@contextmanager
def _one_attempt() -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        time.sleep(0.5)  # those who queued behind us go first


def _locking(connection: Connection[Row]) -> Iterator[Any]:
    """Context managers, one for each attempt at a lock that others must not wait for long."""
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_WAIT,))
    for _ in range(LOCK_TRIES):
        yield _one_attempt()
    raise MoveInterrupted("The table was in use all the time: end long transactions, and call this again to go on.")


def _exists(connection: Connection[Row], table: str) -> bool:
    [row] = connection.execute("SELECT to_regclass(%s) IS NOT NULL AS yes", (table,)).fetchall()
    return bool(row.yes)
