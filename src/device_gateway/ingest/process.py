"""The process `device-gateway ingest`: one worker, and for the embedded broker the answers to who may connect."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

import structlog

from device_gateway.broker.callout import run_callout
from device_gateway.database.pool import open_pool
from device_gateway.ingest.worker import Worker
from device_gateway.settings import Settings

CALLOUT_CONNECTIONS = 2  # a look-up takes less than a millisecond

log = structlog.get_logger(__name__)


def run_ingest(settings: Settings, announce: Callable[[], None]) -> None:
    """Runs until SIGTERM or SIGINT; what was taken from the broker by then is committed and acknowledged.

    announce  called once, when the ingest session is subscribed. Only then are devices of the embedded broker let in:
              a message that no session waits for would be acknowledged by the broker and gone.
    """
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    def on_ready() -> None:
        if settings.nats_url:
            threading.Thread(target=_answer_callouts, args=(settings, stop), name="callout", daemon=True).start()
        announce()

    Worker(settings, stop, on_ready).run()


def _answer_callouts(settings: Settings, stop: threading.Event) -> None:
    async def answer() -> None:
        async with open_pool(settings.ingest_url, "gateway_ingest", size=CALLOUT_CONNECTIONS) as pool:
            responder = asyncio.create_task(run_callout(settings, pool))
            stopped = asyncio.create_task(asyncio.to_thread(stop.wait))
            await asyncio.wait((responder, stopped), return_when=asyncio.FIRST_COMPLETED)
            if responder.done():
                responder.result()  # raises what ended it
            responder.cancel()

    try:
        asyncio.run(answer())
    except Exception as error:
        log.error("callout ended: no device can connect until ingestion is restarted", error=type(error).__name__)
        stop.set()
        raise
