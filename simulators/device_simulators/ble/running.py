"""Running a simulated device: on the air until it is stopped, back on it when the radio was away."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from bumble.transport import open_transport
from bumble.transport.common import Transport

from device_simulators.radio.address import UnixAddress, parse_radio_address

RETRY_S = 0.5  # between attempts to join a radio that is not there yet, or no more
_HCI = "hci:"

_log = structlog.get_logger(__name__)


async def join_air(spec: str) -> Transport:
    """A place on the radio at `spec`, or a real adapter: ``hci:`` and Bumble's name of it, as in ``hci:usb:0``.

    Raises BadRadioAddress, or OSError when nothing is served there.
    """
    if spec.startswith(_HCI):
        return await open_transport(spec.removeprefix(_HCI))
    address = parse_radio_address(spec)
    if isinstance(address, UnixAddress):
        return await open_transport(f"unix:{address.path}")
    return await open_transport(f"tcp-client:{address.host}:{address.port}")


async def run_device(
    spec: str, start: Callable[[Transport], Awaitable[None]], ready: str, live: Callable[[], Awaitable[None]]
) -> None:
    """Keeps a device on the air until SIGTERM or SIGINT. Prints the line `ready` when it is there for the first time.

    `start` switches the device on, again after each loss of the radio; `live` runs beside it all the time.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: the process ends at once, which is as good here
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    working = [asyncio.create_task(_stay(spec, start, ready)), asyncio.create_task(_forever(live))]
    waiting = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait({waiting, *working}, return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, *working):
        task.cancel()
    await asyncio.gather(waiting, *working, return_exceptions=True)
    for task in done & set(working):
        task.result()  # neither ends by itself but with an error


async def _stay(spec: str, start: Callable[[Transport], Awaitable[None]], ready: str) -> None:
    told = False
    while True:
        try:
            transport = await join_air(spec)
        except OSError:
            await asyncio.sleep(RETRY_S)
            continue
        lost = transport.source.terminated
        starting = asyncio.ensure_future(start(transport))
        try:
            await asyncio.wait({starting, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not lost.done():
                starting.result()
                if not told:
                    sys.stdout.write(f"{ready}\n")
                    sys.stdout.flush()
                    told = True
                await asyncio.wait({lost})
            _log.warning("device.radio_lost", radio=spec)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await transport.close()


async def _forever(live: Callable[[], Awaitable[None]]) -> None:
    await live()
    await asyncio.get_running_loop().create_future()
