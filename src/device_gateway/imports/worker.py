"""Takes in what patients uploaded: looks at it first, imports it when it is confirmed. Part of `device-gateway jobs`.

Any number of processes may do so: who works on a file holds an advisory lock, which ends with its connection. What was
committed stays with the position that it reached, so another one goes on there.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import structlog
from psycopg import Connection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row, connect
from device_gateway.database.transient import is_transient
from device_gateway.errors import GatewayError
from device_gateway.imports.formats import format_of, text_of
from device_gateway.imports.progress import Progress, text_column
from device_gateway.imports.report import Report, report_from_json, report_to_json
from device_gateway.imports.run import File, Reached, dry_run, survey, take_in
from device_gateway.journal import Actor
from device_gateway.settings import Settings

CHANNEL: Final = "gateway_import"
LOOK_EVERY_S: Final = 5.0  # a notification wakes us at once; this finds what another process left behind
EXPIRE_EVERY_S: Final = 60.0
UNANSWERED_HOURS: Final = 24  # an upload that its patient neither confirmed nor discarded is forgotten

WAITING: Final = """SELECT i.id FROM gateway.file_import i WHERE i.state IN ('checking', 'importing')
  AND EXISTS (SELECT FROM gateway.file_import_piece p WHERE p.import_id = i.id) ORDER BY i.changed_at LIMIT 100"""
LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('import:' || %s, 0)) AS mine"
UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('import:' || %s, 0))"
FILE: Final = "SELECT * FROM gateway.file_import WHERE id = %s AND state IN ('checking', 'importing')"
PIECE: Final = "SELECT content FROM gateway.file_import_piece WHERE import_id = %s AND n = %s"
CHECKED: Final = """UPDATE gateway.file_import
  SET state = 'checked', format = %s, records = %s, preview = %s, changed_at = now() WHERE id = %s"""
REFUSED: Final = """UPDATE gateway.file_import
  SET state = 'refused', problem = %s, problem_detail = %s, changed_at = now() WHERE id = %s"""
NO_PIECES: Final = "DELETE FROM gateway.file_import_piece WHERE import_id = %s"
EXPIRE: Final = """DELETE FROM gateway.file_import
  WHERE state IN ('checked', 'refused') AND changed_at < now() - make_interval(hours => %s)"""
EXPIRE_REJECTED: Final = """DELETE FROM gateway.file_import_rejected r USING gateway.file_import i
  WHERE i.id = r.import_id AND i.changed_at < now() - make_interval(days => %s)"""

log = structlog.get_logger(__name__)


async def take_in_uploads(settings: Settings) -> None:
    """Runs until it is cancelled; then what is at work ends with the batch that it is at."""
    stop = threading.Event()
    try:
        while True:
            try:
                await _serve(settings, stop)
            except psycopg.Error as error:
                log.warning("uploads wait for the database", error=type(error).__name__)
            await asyncio.sleep(1)
    finally:
        stop.set()


async def _serve(settings: Settings, stop: threading.Event) -> None:
    expired_at = -EXPIRE_EVERY_S
    async with await psycopg.AsyncConnection.connect(settings.required("database_url"), autocommit=True) as listener:
        await listener.execute(f"LISTEN {CHANNEL}")
        while True:
            await asyncio.to_thread(work, settings, stop.is_set)
            if time.monotonic() - expired_at >= EXPIRE_EVERY_S:
                expired_at = time.monotonic()
                await asyncio.to_thread(_expire, settings)
            async for _ in listener.notifies(timeout=LOOK_EVERY_S, stop_after=1):
                pass


def work(settings: Settings, stopped: Callable[[], bool] = lambda: False) -> int:
    """Look at or import what waits, but for what others are at; returns how many files that was."""
    done = 0
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        for row in connection.execute(WAITING).fetchall():
            [lock] = connection.execute(LOCK, (str(row.id),)).fetchall()
            if not lock.mine or stopped():
                continue
            try:
                done += _one(connection, row.id, stopped)
            finally:
                if not connection.closed:
                    connection.execute(UNLOCK, (str(row.id),))
    return done


def _one(connection: Connection[Row], upload: UUID, stopped: Callable[[], bool]) -> bool:
    row = connection.execute(FILE, (upload,)).fetchone()
    if row is None:
        return False  # another process was faster
    try:
        octets = partial(_pieces, connection, upload)
        zone = ZoneInfo(row.zone) if row.zone else None
        file = File(row.space_id, format_of(octets, row.format), text_of(octets), zone)
        if row.state == "checking":
            _check(connection, row, file)
        else:
            _import(connection, row, file, stopped)
    except GatewayError as error:
        _refuse(connection, upload, type(error).__name__, error.message)
    except Exception as error:
        if is_transient(error, connection):
            raise
        log.error("import failed", upload=str(upload), error=type(error).__name__)  # its text may quote a value
        _refuse(connection, upload, "ImportFailed", type(error).__name__)
    return True


def _check(connection: Connection[Row], row: Row, file: File) -> None:
    records = survey(connection, file, lambda _done: None)
    preview = dry_run(connection, file, lambda _done: None)
    connection.execute(CHECKED, (file.format.key, records, Jsonb(report_to_json(preview)), row.id))


def _import(connection: Connection[Row], row: Row, file: File, stopped: Callable[[], bool]) -> None:
    progress = Progress(connection, row.id, file, Actor(row.actor_kind, row.actor_id, row.actor_name))
    report = report_from_json(row.report) if row.report else Report(file.format.name)
    reached = Reached(row.position, report)
    for batch in take_in(connection, file, reached, progress.save):
        reached = batch.reached
        if stopped():
            return
    progress.finish(reached)


def _refuse(connection: Connection[Row], upload: UUID, problem: str, detail: str) -> None:
    with connection.transaction():
        connection.execute(REFUSED, (problem, text_column(detail), upload))
        connection.execute(NO_PIECES, (upload,))


def _pieces(connection: Connection[Row], upload: UUID) -> Iterator[bytes]:
    number = 0
    while row := connection.execute(PIECE, (upload, number)).fetchone():
        yield bytes(row.content)
        number += 1


def _expire(settings: Settings) -> None:
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        forgotten = connection.execute(EXPIRE, (UNANSWERED_HOURS,)).rowcount
        connection.execute(EXPIRE_REJECTED, (settings.quarantine_days,))
    if forgotten:
        log.info("uploads expired", files=forgotten)
