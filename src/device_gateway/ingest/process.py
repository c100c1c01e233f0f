"""The process `device-gateway ingest`: one worker, and for the embedded broker the answers to who may connect."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

import structlog

from device_gateway.broker.callout import run_callout
from device_gateway.database.pool import AsyncPool, open_pool
from device_gateway.ingest.worker import Worker
from device_gateway.settings import Settings

CALLOUT_CONNECTIONS = 2  # a look-up takes less than a millisecond

SESSIONS_EVERY_S = 0.5  # how often a worker looks whether the sessions of the others exist
ESTABLISHED = "SELECT count(*) AS n FROM gateway.ingest_session WHERE slots = %s"

log = structlog.get_logger(__name__)


def run_ingest(settings: Settings, announce: Callable[[], None]) -> None:
    """Runs until SIGTERM or SIGINT; what was taken from the broker by then is committed and acknowledged.

    announce  called once, when the ingest session is subscribed and, with the embedded broker, devices are let in. They
              are not before the sessions of all slots exist: what no session waits for is acknowledged and gone.
    """
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    def on_ready() -> None:
        if not settings.nats_url:
            announce()
            return
        threading.Thread(target=_answer_callouts, args=(settings, stop, announce), name="callout", daemon=True).start()

    try:
        Worker(settings, stop, on_ready).run()
    finally:
        stop.set()  # whatever ended the worker: no device is to be let in by a process that takes nothing from it


def _answer_callouts(settings: Settings, stop: threading.Event, announce: Callable[[], None]) -> None:
    async def answer() -> None:
        async with open_pool(settings.ingest_url, "gateway_ingest", size=CALLOUT_CONNECTIONS) as pool:
            while not await _all_established(pool, settings.ingest_slots):
                if await asyncio.to_thread(stop.wait, SESSIONS_EVERY_S):
                    return
            ready = asyncio.Event()
            responder = asyncio.create_task(run_callout(settings, pool, ready))
            announcing = asyncio.create_task(_announce(ready, announce))
            stopped = asyncio.create_task(asyncio.to_thread(stop.wait))
            await asyncio.wait((responder, stopped), return_when=asyncio.FIRST_COMPLETED)
            if responder.done():
                responder.result()  # raises what ended it
            for task in (responder, announcing):
                task.cancel()

    try:
        asyncio.run(answer())
    except Exception as error:
        log.error("callout ended: no device can connect until ingestion is restarted", error=type(error).__name__)
        stop.set()
        raise


async def _all_established(pool: AsyncPool, slots: int) -> bool:
    async with pool.connection() as connection:
        [row] = await (await connection.execute(ESTABLISHED, (slots,))).fetchall()
    return bool(row.n == slots)


async def _announce(ready: asyncio.Event, announce: Callable[[], None]) -> None:
    await ready.wait()
    announce()
