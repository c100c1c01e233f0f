"""What the store needs from time to time: chunks of the right length, retention, compression, indexes without waste."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
import structlog
from psycopg import Connection

from device_gateway.database.capabilities import capabilities
from device_gateway.database.pool import Row, connect
from device_gateway.settings import Settings
from device_gateway.store.compression import compress_older_than
from device_gateway.store.index import rebuild_loose
from device_gateway.store.pieces import UPKEEP_LOCK, Piece, is_hypertable
from device_gateway.store.retention import Removed, remove_older_than

CHUNK = """SELECT d.time_interval AS length FROM timescaledb_information.dimensions d
  WHERE d.hypertable_schema = 'gateway' AND d.hypertable_name = 'reading'"""
LOCK_WAIT = "10s"  # for a piece that somebody reads or writes; what is not had now is had in the next hour

log = structlog.get_logger(__name__)


@dataclass
class Upkeep:
    """What was done. `postponed`: something was in use; it is tried again the next time."""

    compressed: list[Piece] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    reindexed: list[Piece] = field(default_factory=list)
    postponed: bool = False


def keep_up(settings: Settings, now: datetime) -> Upkeep:
    """Do what is due, by the settings. Nothing while another process does it.

    Raises psycopg.Error; psycopg.errors.InsufficientPrivilege when the URL is not that of an owner; OSError when an
    archive cannot be written.
    """
    done = Upkeep()
    with connect(settings.owner_url, "gateway_owner") as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_WAIT,))
        if not _alone(connection):
            return done
        if is_hypertable(connection):
            _set_chunk_length(connection, timedelta(hours=settings.chunk_hours))
        try:
            if settings.retention_days:
                age = timedelta(days=settings.retention_days)
                done.removed += remove_older_than(connection, age, now, settings.archive_dir)
            if settings.compress_after_days and capabilities(connection).columnstore and is_hypertable(connection):
                done.compressed += compress_older_than(connection, timedelta(days=settings.compress_after_days), now)
            done.reindexed += rebuild_loose(connection, now)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            done.postponed = True
    return done


def log_upkeep(settings: Settings, now: datetime) -> None:
    """`keep_up`, and a line about what was done or what stands in its way."""
    try:
        done = keep_up(settings, now)
    except psycopg.errors.InsufficientPrivilege:
        log.info("no upkeep of the store here: set DEVICE_GATEWAY_DATABASE_OWNER_URL, or run device-gateway upkeep")
        return
    except OSError as error:
        log.error("archive not written, nothing removed", path=str(error.filename), error=error.strerror)
        return
    if done != Upkeep():
        log.info(
            "store kept up", compressed=len(done.compressed), removed=len(done.removed), reindexed=len(done.reindexed),
            postponed=done.postponed,
        )  # fmt: skip


def _alone(connection: Connection[Row]) -> bool:
    """Whether nobody else compresses, drops or moves pieces; until this session ends nobody does."""
    [row] = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s)) AS got", (UPKEEP_LOCK,)).fetchall()
    return bool(row.got)


def _set_chunk_length(connection: Connection[Row], wanted: timedelta) -> None:
    """Of chunks that are made from now on."""
    [row] = connection.execute(CHUNK).fetchall()
    if row.length != wanted:
        connection.execute("SELECT set_chunk_time_interval('gateway.reading', %s::interval)", (wanted,))
