"""Attending to several meters at once: whoever advertises is connected to, read, and left alone again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

import structlog

from device_gateway.errors import GatewayError
from device_gateway.transports.ble.adapter import broadcast_adapters
from device_gateway.transports.ble.consent import ConsentRefused
from device_gateway.transports.ble.errors import BondLost, DeviceNotHeard
from device_gateway.transports.ble.listening import listening
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import Heard
from device_gateway.transports.edge.attention import Attention
from device_gateway.transports.edge.broadcasting import BroadcastReader
from device_gateway.transports.edge.messages import event_message
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.reading import Live, Reader
from device_gateway.transports.edge.state import EdgeState, Meter

VISITS_AT_ONCE = 5  # transfers: a radio shares its time among connections; those only listened to hardly need any
METERS_LOOKED_UP_S = 1.0  # how soon a meter that another process added is noticed
VISIT_END_S = 120.0  # for transfers that run when the radio is wanted for pairing; then they are broken off

_log = structlog.get_logger(__name__)


class Attendant:
    """Visits the meters of the state over one radio."""

    def __init__(self, state: EdgeState, publisher: Publisher, interval_s: float) -> None:
        self._state = state
        self._publisher = publisher
        self._reader = Reader(state, publisher)
        self._broadcasts = BroadcastReader(state, publisher)
        self._interval_s = interval_s
        self._attention: dict[tuple[str, int], Attention] = {}
        self._meters: dict[str, Meter] = {}
        self._looked_up = float("-inf")
        self._visits: dict[asyncio.Task[None], Live] = {}
        self._pauses = 0
        self._listeners: set[Callable[[Heard], None]] = set()

    async def attend(self, radio: Radio, wanted: Callable[[], bool]) -> None:
        """Until somebody else has `wanted` the radio, and the transfers that run then are done. Raises RadioUnavailable
        once there is no radio any more."""
        try:
            async with listening(radio, lambda heard: self._heard(radio, heard)) as lost:
                while not lost.done() and not wanted():
                    await asyncio.wait({lost}, timeout=METERS_LOOKED_UP_S)
            await self._let_finish()
        finally:
            await self._break_off(list(self._visits))

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No visits while a device is paired: one radio does not bond and transfer well at the same time."""
        self._pauses += 1
        try:
            await self._let_finish()
            yield
        finally:
            self._pauses -= 1

    @contextmanager
    def overhearing(self, listener: Callable[[Heard], None]) -> Iterator[None]:
        """Calls `listener` for each device of a known kind: not every radio bears two scans at once."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def hear(self, address: str, timeout_s: float) -> Heard:
        """The device, once it advertises. Raises DeviceNotHeard."""
        found: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

        def heard(device: Heard) -> None:
            if device.address == address and not found.done():
                found.set_result(device)

        with self.overhearing(heard):
            try:
                return await asyncio.wait_for(found, timeout_s)
            except TimeoutError:
                raise DeviceNotHeard(f"{address} was not heard within {timeout_s:g} s") from None

    def take_broadcast(self, heard: Heard) -> None:
        """What a device said while it was being paired, now that it is one of the meters."""
        meter = {meter.address: meter for meter in self._state.meters()}.get(heard.address)
        if meter is not None and meter.adapter == heard.adapter:
            self._broadcasts.forget(heard.address)
            self._broadcasts.take(heard, meter)

    def look_again(self, device_id: str | None = None) -> None:
        """Visits the meter (all of them where None) as soon as it is heard, whatever came before; one that is only
        listened to is let go for that."""
        for visit, live in self._visits.items():
            if live.caught_up and device_id in (None, live.device_id):
                visit.cancel()
        for key in [key for key in self._attention if device_id in (None, key[0]) and not self._attention[key].busy]:
            del self._attention[key]
        self._looked_up = float("-inf")

    def _heard(self, radio: Radio, heard: Heard) -> None:
        for listener in tuple(self._listeners):
            listener(heard)
        now = time.monotonic()
        if now - self._looked_up >= METERS_LOOKED_UP_S:
            self._meters = {meter.address: meter for meter in self._state.meters()}
            self._looked_up = now
        meter = self._meters.get(heard.address)
        if meter is None:
            return
        if meter.adapter in broadcast_adapters():
            if meter.adapter == heard.adapter:
                self._broadcasts.take(heard, meter)
            return
        if self._pauses or heard.broadcasts:
            return
        if sum(not live.caught_up for live in self._visits.values()) >= VISITS_AT_ONCE:
            return  # it will be heard again
        attention = self._attention.setdefault((meter.device_id, meter.revision), Attention())
        if attention.heard(now):
            attention.busy = True
            live = Live(meter.device_id)
            visit = asyncio.create_task(self._visit(radio, heard, meter.device_id, attention, live))
            self._visits[visit] = live
            visit.add_done_callback(self._visits.pop)

    async def _visit(self, radio: Radio, heard: Heard, device_id: str, attention: Attention, live: Live) -> None:
        try:
            meter = self._state.meter(device_id)
            if meter is not None:
                await self._reader.read_meter(radio, heard, meter, live)
            attention.went_well(time.monotonic(), self._interval_s)
        except BondLost:
            attention.failed(time.monotonic(), self._interval_s, hopeless=True)
            self._tell_to_pair(device_id, "bond_lost")
        except ConsentRefused:
            attention.failed(time.monotonic(), self._interval_s, hopeless=True)
            self._tell_to_pair(device_id, "consent_wanted")
        except GatewayError as error:
            attention.failed(time.monotonic(), self._interval_s)
            _log.warning("edge.meter_failed", device=device_id, error=type(error).__name__, why=error.message)
        except Exception as error:  # one meter that nobody foresaw must not end the others' visits
            attention.failed(time.monotonic(), self._interval_s)
            _log.exception("edge.visit_broke", device=device_id, error=type(error).__name__)
        finally:
            attention.busy = False

    def _tell_to_pair(self, device_id: str, event: str) -> None:
        """Once: its holder is asked to pair it again; position and history stay."""
        meter = self._state.meter(device_id)
        if meter is None or meter.bond_lost:
            return
        _log.warning(f"edge.{event}", device=device_id)
        self._publisher.tell(event_message(event, datetime.now().astimezone(), device=device_id))
        with self._state.transaction():
            self._state.note_bond_lost(device_id)

    async def _let_finish(self) -> None:
        """Transfers end by themselves; meters that are only listened to are taken up again later."""
        await self._break_off([visit for visit, live in self._visits.items() if live.caught_up])
        if self._visits:
            await asyncio.wait(set(self._visits), timeout=VISIT_END_S)
        await self._break_off(list(self._visits))

    @staticmethod
    async def _break_off(visits: list[asyncio.Task[None]]) -> None:
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
