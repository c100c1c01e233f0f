"""The process `device-gateway jobs`: work that follows a transaction, and what is due from time to time.

Jobs are rows written in the transaction that caused them, claimed with FOR UPDATE SKIP LOCKED: any number of these
processes share them. A job that fails waits longer each time, and stays with its error.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from device_gateway.broker.control import disconnect_device
from device_gateway.catalogue_upkeep import keep_catalogue
from device_gateway.consent_upkeep import keep_consents, tell_patients, tell_vendors
from device_gateway.database.pool import AsyncPool, connect, open_pool
from device_gateway.devices import certificates, edge_commands, users
from device_gateway.errors import GatewayError
from device_gateway.imports.worker import take_in_uploads
from device_gateway.ingest import arrival, heard, inbox, memory, quarantine, replay
from device_gateway.mail.delivery import deliver_due
from device_gateway.readings import days
from device_gateway.sandbox import filling
from device_gateway.settings import Settings
from device_gateway.store.upkeep import log_upkeep

CHANNEL = "gateway_job"
LOOK_EVERY_S = 5.0  # a notification wakes us at once; this finds what became due by time
HOUSEKEEPING_S = 60.0  # the answer to a refresh is kept, sealed, for a minute: longer would be for nobody
NOTICES_S = 5.0  # a vendor's server may stop what it does for a patient within seconds
MAIL_S = 5.0  # who asked for a link looks into the mailbox at once
UPKEEP_S = 3600.0  # pieces are days or months: an hour late is nothing
BATCH = 20  # jobs claimed together
MAX_ATTEMPTS = 12  # with doubling pauses from 1 s: a bit more than an hour
KEEP_DONE_DAYS = 30

CLAIM = """
SELECT id, kind, payload, attempts FROM gateway.job WHERE done_at IS NULL AND run_after <= now() AND attempts < %s
ORDER BY run_after LIMIT %s FOR UPDATE SKIP LOCKED"""
DONE = "UPDATE gateway.job SET done_at = now(), last_error = NULL WHERE id = %s"
FAILED = """UPDATE gateway.job SET attempts = attempts + 1, last_error = %s,
  run_after = now() + make_interval(secs => 2 ^ least(attempts, 11)) WHERE id = %s"""
FORGET_DONE = "DELETE FROM gateway.job WHERE done_at < now() - make_interval(days => %s)"

Handler = Callable[[Settings, dict[str, Any]], Awaitable[object]]  # the payload is what the cause of the job wrote

log = structlog.get_logger(__name__)


async def _disconnect(settings: Settings, payload: dict[str, Any]) -> object:
    return await disconnect_device(settings, UUID(payload["device_id"]))


async def _replay(settings: Settings, payload: dict[str, Any]) -> object:
    return await asyncio.to_thread(replay.replay_wanted, settings, replay.Wanted(**payload))


HANDLERS: dict[str, Handler] = {
    "broker:disconnect": _disconnect,
    edge_commands.PUBLISH: edge_commands.publish_command,
    replay.JOB: _replay,
    filling.FILL: filling.fill,
    users.LEFT: users.tell_left,
}


async def run_jobs(settings: Settings, announce: Callable[[], None]) -> None:
    """Runs until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    wake = asyncio.Event()
    async with open_pool(settings.required("database_url"), "gateway_app", size=6) as pool:
        background = [
            asyncio.create_task(_listen(settings, wake)),
            asyncio.create_task(_housekeep(settings, pool)),
            asyncio.create_task(take_in_uploads(settings)),
            asyncio.create_task(_keep_store(settings)),
            asyncio.create_task(_send_mail(settings)),
            asyncio.create_task(_keep_catalogue(settings, pool)),
            asyncio.create_task(_keep_consents(settings, pool)),
            asyncio.create_task(_tell_vendors(settings, pool)),
            asyncio.create_task(_tell_patients(settings, pool)),
        ]
        announce()
        while not stop.is_set():
            wake.clear()
            try:
                if await _work(settings, pool):
                    continue
            except psycopg.OperationalError as error:
                log.warning("database away", error=type(error).__name__)
            waits = [asyncio.create_task(event.wait()) for event in (stop, wake)]
            await asyncio.wait(waits, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        for task in background:
            task.cancel()


async def _work(settings: Settings, pool: AsyncPool) -> int:
    """Do what is due; returns how many jobs there were."""
    async with pool.connection() as connection, connection.transaction():
        jobs = await (await connection.execute(CLAIM, (MAX_ATTEMPTS, BATCH))).fetchall()
        results = await asyncio.gather(*(_run(settings, job.kind, job.payload) for job in jobs))
        for job, error in zip(jobs, results, strict=True):
            if error is None:
                await connection.execute(DONE, (job.id,))
            else:
                cause, _, _ = error.partition(":")  # the rest may quote what it was about: that stays in the row
                log.warning("job failed", job=job.id, kind=job.kind, attempt=job.attempts + 1, error=cause)
                await connection.execute(FAILED, (error, job.id))
        return len(jobs)


async def _run(settings: Settings, kind: str, payload: dict[str, Any]) -> str | None:
    handler = HANDLERS.get(kind)
    if handler is None:
        return "no handler of this kind in this version"
    try:
        await handler(settings, payload)
    except Exception as error:  # whatever a job raises, the others go on
        return f"{type(error).__name__}: {error}"
    return None


async def _listen(settings: Settings, wake: asyncio.Event) -> None:
    """Set `wake` at each notification; comes back when the database does."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                settings.required("database_url"), autocommit=True
            ) as listener:
                await listener.execute(f"LISTEN {CHANNEL}")
                wake.set()
                async for _ in listener.notifies():
                    wake.set()
        except psycopg.OperationalError:
            pass
        await asyncio.sleep(1)


async def _housekeep(settings: Settings, pool: AsyncPool) -> None:
    while True:
        try:
            async with pool.connection() as connection:
                await connection.execute(FORGET_DONE, (KEEP_DONE_DAYS,))
                await days.roll_up(connection, datetime.now(UTC))
            await asyncio.to_thread(_expire, settings)
        except Exception as error:  # whatever it is, the next minute tries again
            log.warning("housekeeping failed", error=type(error).__name__)
        await asyncio.sleep(HOUSEKEEPING_S)


async def _keep_consents(settings: Settings, pool: AsyncPool) -> None:
    while True:
        await keep_consents(settings, pool, datetime.now(UTC))
        await asyncio.sleep(HOUSEKEEPING_S)


async def _keep_catalogue(settings: Settings, pool: AsyncPool) -> None:
    while True:
        await keep_catalogue(settings, pool, datetime.now(UTC))
        await asyncio.sleep(HOUSEKEEPING_S)


async def _tell_patients(settings: Settings, pool: AsyncPool) -> None:
    while True:
        try:
            while await tell_patients(settings, pool, datetime.now(UTC)):
                pass
        except Exception as error:  # what was not told stays to be told
            log.warning("patients not told", error=type(error).__name__)
        await asyncio.sleep(NOTICES_S)


async def _tell_vendors(settings: Settings, pool: AsyncPool) -> None:
    while True:
        try:
            while await tell_vendors(settings, pool, datetime.now(UTC)):
                pass
        except Exception as error:  # the notices stay due
            log.warning("vendors not told", error=type(error).__name__)
        await asyncio.sleep(NOTICES_S)


async def _send_mail(settings: Settings) -> None:
    while True:
        try:
            await asyncio.to_thread(deliver_due, settings)
        except (psycopg.Error, GatewayError) as error:
            log.warning("no mail sent", error=type(error).__name__)
        await asyncio.sleep(MAIL_S)


async def _keep_store(settings: Settings) -> None:
    while True:
        try:
            await asyncio.to_thread(log_upkeep, settings, datetime.now(UTC))
        except psycopg.Error as error:
            log.warning("store not kept up", error=type(error).__name__)
        await asyncio.sleep(UPKEEP_S)


def _expire(settings: Settings) -> None:
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        if expired := quarantine.expire(connection):
            log.info("quarantine expired", rows=expired)
        if expired := inbox.expire(connection, settings.inbox_days):
            log.info("inbox expired", readings=expired)
        for part in (arrival, certificates, heard, memory):
            part.expire(connection)
