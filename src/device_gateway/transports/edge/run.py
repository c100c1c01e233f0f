"""``device-gateway edge``: rounds over the meters on one side, the publisher on the other, the spool in between."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import structlog

from device_gateway.errors import GatewayError
from device_gateway.transports.ble.radio import open_radio
from device_gateway.transports.edge.publisher import RESEND_AFTER_S, Publisher
from device_gateway.transports.edge.reading import KnownPasskeys, Reader
from device_gateway.transports.edge.state import BONDS_FILE, EdgeState, edge_directory, opened
from device_gateway.transports.edge.turn import Occupied, turn
from device_gateway.transports.spool import LIMIT_OCTETS

POLL_INTERVAL_S = 15.0  # between rounds; meters advertise for some minutes after a measurement
SCAN_S = 5.0  # several advertising intervals of a meter on a button cell (1 s)
RADIO_TURN_WAIT_S = 1.0  # someone pairs a device: this round is left out
START_WAIT_S = 5.0  # for an edge that is just ending

_log = structlog.get_logger(__name__)


async def run_edge(
    data_dir: Path,
    radio_spec: str | None,
    *,
    poll_interval_s: float = POLL_INTERVAL_S,
    scan_s: float = SCAN_S,
    resend_after_s: float = RESEND_AFTER_S,
    spool_limit_octets: int = LIMIT_OCTETS,
) -> None:
    """Runs until SIGTERM or SIGINT. `radio_spec` names a virtual radio; empty or None: this host's Bluetooth.

    Raises BadSetting when the edge was never configured, Occupied when it runs already.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: the process ends at once, and the spool is made for that
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with turn(data_dir, "edge", START_WAIT_S):
        with opened(data_dir, spool_limit_octets) as state:
            publisher = Publisher(state.edge(), state, resend_after_s=resend_after_s)
            _log.info("edge.started", waiting=state.spool.messages(), meters=len(state.meters()))
            working = {
                asyncio.create_task(publisher.run()),
                asyncio.create_task(
                    _rounds(data_dir, radio_spec, state, publisher, poll_interval_s=poll_interval_s, scan_s=scan_s)
                ),
            }
            waiting = asyncio.create_task(stopped.wait())
            done, _ = await asyncio.wait({waiting, *working}, return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, *working):
                task.cancel()
            await asyncio.gather(waiting, *working, return_exceptions=True)
            for task in done & working:
                task.result()  # neither ends by itself but with an error
            _log.info("edge.stopped", waiting=state.spool.messages())


async def _rounds(
    data_dir: Path,
    radio_spec: str | None,
    state: EdgeState,
    publisher: Publisher,
    *,
    poll_interval_s: float,
    scan_s: float,
) -> None:
    """Reads the meters again and again. The radio is left between rounds: whoever pairs a device needs it too."""
    bonds = edge_directory(data_dir) / BONDS_FILE
    reader = Reader(state, publisher)
    while True:
        try:
            async with (
                turn(data_dir, "radio", RADIO_TURN_WAIT_S),
                open_radio(radio_spec, bonds, KnownPasskeys(state)) as radio,
            ):
                await reader.read_meters(radio, scan_s)
        except Occupied:
            _log.info("edge.round_left_out", why="the radio is used for pairing")
        except GatewayError as error:
            _log.warning("edge.round_failed", error=type(error).__name__, why=error.message)
        await asyncio.sleep(poll_interval_s)
