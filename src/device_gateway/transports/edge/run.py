"""``device-gateway edge``: the meters on one side, the publisher on the other, the spool in between."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import structlog

from device_gateway.errors import GatewayError, NotFound
from device_gateway.transports.ble.radio import BLUEZ_DIRECTORY, Radio, open_radio
from device_gateway.transports.edge.attending import Attendant
from device_gateway.transports.edge.certificate import keep_certificate
from device_gateway.transports.edge.commands import (
    Adopt,
    Allow,
    Command,
    Confirm,
    Forget,
    Key,
    NamedUser,
    Pair,
    Passkey,
    Scan,
    StartSession,
    Sync,
    out_of_date,
    parse_command,
)
from device_gateway.transports.edge.pairing import EdgeAgent, PairingDesk
from device_gateway.transports.edge.publisher import RESEND_AFTER_S, Publisher
from device_gateway.transports.edge.state import BONDS_FILE, EdgeState, edge_directory, opened
from device_gateway.transports.edge.turn import Occupied, taken, turn
from device_gateway.transports.spool import LIMIT_OCTETS

POLL_INTERVAL_S = 15.0  # between visits to a meter that goes on advertising: some do for minutes after a measurement
RADIO_TURN_WAIT_S = 1.0
RADIO_AGAIN_S = 0.5  # before the radio is asked for again: whoever waits to pair comes first
START_WAIT_S = 5.0  # for an edge that is just ending

_log = structlog.get_logger(__name__)


async def run_edge(
    data_dir: Path,
    radio_spec: str | None,
    *,
    poll_interval_s: float = POLL_INTERVAL_S,
    resend_after_s: float = RESEND_AFTER_S,
    spool_limit_octets: int = LIMIT_OCTETS,
    bluez_directory: Path = BLUEZ_DIRECTORY,
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
            attendant = Attendant(state, publisher, poll_interval_s)
            agent = EdgeAgent(state)
            desk = PairingDesk(state, publisher, attendant, agent)
            publisher.commanded = _Orders(state, attendant, desk)
            bonds = edge_directory(data_dir) / BONDS_FILE
            open_here = partial(open_radio, radio_spec, bonds, agent, bluez_directory)
            working = {
                asyncio.create_task(publisher.run()),
                asyncio.create_task(keep_certificate(data_dir, state.edge().gateway)),
                asyncio.create_task(_use_radio(data_dir, open_here, attendant, desk)),
            }
            waiting = asyncio.create_task(stopped.wait())
            done, _ = await asyncio.wait({waiting, *working}, return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, *working):
                task.cancel()
            await asyncio.gather(waiting, *working, return_exceptions=True)
            await desk.close()
            for task in done & working:
                task.result()  # neither ends by itself but with an error
            _log.info("edge.stopped", waiting=state.spool.messages())


async def _use_radio(
    data_dir: Path,
    open_here: Callable[[], AbstractAsyncContextManager[Radio]],
    attendant: Attendant,
    desk: PairingDesk,
) -> None:
    """Attends to the meters, but for as long as another process pairs a device: that wants the radio for itself."""
    while True:
        try:
            async with turn(data_dir, "radio", RADIO_TURN_WAIT_S), open_here() as radio:
                desk.radio = radio
                await desk.forget_left()
                with attendant.overhearing(desk.heard):
                    await attendant.attend(radio, lambda: taken(data_dir, "pairing"))
        except Occupied:
            _log.info("edge.radio_lent", why="a device is paired")
        except GatewayError as error:
            _log.warning("edge.radio_failed", error=type(error).__name__, why=error.message)
        finally:
            desk.radio = None
        await asyncio.sleep(RADIO_AGAIN_S)


class _Orders:
    """Carries out what the gateway commands."""

    def __init__(self, state: EdgeState, attendant: Attendant, desk: PairingDesk) -> None:
        self._state = state
        self._attendant = attendant
        self._desk = desk
        self._forgetting: set[asyncio.Task[None]] = set()

    def __call__(self, payload: bytes) -> None:
        try:
            command = parse_command(payload)
            _log.info("edge.commanded", command=type(command).__name__.lower())
            if out_of_date(command, datetime.now(UTC)):
                _log.info("edge.command_out_of_date")
                return
            self._carry_out(command)
        except (msgspec.DecodeError, UnicodeDecodeError):
            _log.warning("edge.command_not_understood")
        except GatewayError as error:
            _log.warning("edge.command_failed", error=type(error).__name__, why=error.message)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Scan():
                self._desk.scan(command)
            case Pair():
                self._desk.pair(command)
            case Passkey() | Key() | NamedUser() | Confirm():
                self._desk.answer(command)
            case Adopt():
                self._desk.adopt(command)
            case Forget():
                task = asyncio.create_task(self._forget(command.device))
                self._forgetting.add(task)
                task.add_done_callback(self._forgetting.discard)
            case Sync():
                self._attendant.look_again(command.device)
            case StartSession():
                if self._state.meter(command.device) is None:
                    raise NotFound(f"this edge reads no device {command.device}")
                asked_at = command.at if command.at is not None and command.at.tzinfo else datetime.now(UTC)
                self._state.sessions.want_start(command.device, asked_at)
                self._attendant.look_again(command.device)
            case Allow():
                self._state.allow(command.device, sets_clock=command.set_clock, deletes_sent=command.delete_sent)
                self._attendant.look_again(command.device)

    async def _forget(self, device_id: str) -> None:
        try:
            await self._desk.forget(device_id)
        except GatewayError as error:
            _log.warning("edge.command_failed", error=type(error).__name__, why=error.message)
