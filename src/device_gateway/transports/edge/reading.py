"""Reading one meter into the spool, and what belongs to a visit: its clock, its battery, what its holder asked for."""

import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from device_gateway.readings.model import ClockMeasurement
from device_gateway.transports.ble.adapter import RecordAdapter, record_adapter
from device_gateway.transports.ble.consent import User
from device_gateway.transports.ble.device_facts import read_battery_percent, read_clock, set_clock
from device_gateway.transports.ble.errors import BluetoothError
from device_gateway.transports.ble.gaps import Gaps
from device_gateway.transports.ble.link import AttributeRefused, Link, connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.record_access import RecordAccess, Selection
from device_gateway.transports.ble.scan import Heard
from device_gateway.transports.ble.sensor_session import STARTABLE, SessionRefused, read_session, start_session
from device_gateway.transports.ble.sync import Patience, SyncReport, sync_records
from device_gateway.transports.ble.transfer import Batch
from device_gateway.transports.edge.bond_keeping import keep_bond
from device_gateway.transports.edge.consenting import attributed, each_user
from device_gateway.transports.edge.messages import event_message, messages_of, readings_message
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.state import EdgeState, Meter

TELL_EVERY_S = 3600.0  # how often the gateway hears of clock, battery and signal of a meter without new records
EACH_USER_S = 6.0  # for the first measurement of each of several users: those that wait come at once after the consent
SKEW_SET_RIGHT_S = 60  # seconds: meters show minutes

_log = structlog.get_logger(__name__)


class Reader:
    """Reads the meters of the state into its spool."""

    def __init__(self, state: EdgeState, publisher: Publisher) -> None:
        self._state = state
        self._publisher = publisher
        self._told: dict[str, float] = {}

    async def read_meter(self, radio: Radio, heard: Heard, meter: Meter, live: "Live") -> SyncReport:
        """What one meter has recorded since the last time; one that measures continually until it leaves.

        `live` is told when the meter has been caught up with. Raises BluetoothError or SpoolFull.
        """
        adapter = record_adapter(meter.adapter)
        async with connected(radio, heard.device) as link:
            if await keep_bond(self._state, radio, heard.device, meter):
                self._publisher.wake()
            battery_percent = await read_battery_percent(link)
            clock = await read_clock(link)

            gaps = self._state.sessions.gaps(meter.device_id, meter.last_seq) if adapter.sessions is not None else None
            facts = _Facts(meter, clock, battery_percent, gaps)
            session = await self._session(link, adapter, meter)

            async def synced(report: SyncReport) -> None:
                self._tell_session(meter.device_id, session, gaps)
                await self._after(link, adapter, meter, report, clock)
                self._tell_contact(heard, report, facts)
                live.caught_up = adapter.live and session != "ended"

            report = SyncReport()
            if session == "waiting":
                await synced(report)
                return report
            patience = Patience(first_s=EACH_USER_S) if len(self._state.consents.of(meter.address)) > 1 else Patience()
            async for user in each_user(link, adapter, self._state.consents, meter.address):
                done = await sync_records(
                    link, adapter, meter.last_seq, partial(self._keep, facts, user),
                    mark=meter.mark, session=meter.session, gaps=gaps, patience=patience, synced=synced,
                    listens=session != "ended",
                )  # fmt: skip
                report.include(done)
            if adapter.record_access is None or not adapter.live:
                await synced(report)
        if report.records or report.readings:
            _log.info(
                "edge.meter_read",
                device=meter.device_id,
                records=report.records,
                rejected=report.rejected,
                complete=report.complete,
            )
        return report

    async def _keep(self, facts: "_Facts", user: User | None, batch: Batch) -> None:
        """One transaction: the batch in the spool, and the position after it."""
        meter = facts.meter
        with self._state.transaction():
            for message in messages_of(
                attributed(batch, user), meter.device_id, meter.adapter, facts.clock, facts.battery_percent
            ):
                self._state.spool.put(message)
            self._state.advance(meter.device_id, batch.position, batch.mark, batch.session)
            if facts.gaps is not None:
                self._state.sessions.note_gaps(meter.device_id, facts.gaps)
            self._first_reading(meter.device_id, batch)
        self._publisher.wake()

    def _first_reading(self, device_id: str, batch: Batch) -> None:
        """Whoever has just paired a meter waits for this. Within the transaction that keeps the readings."""
        meter = self._state.meter(device_id)
        if meter is not None and meter.pairing is not None and batch.readings:
            self._state.spool.put(event_message("first_reading", _now(), device=device_id, pairing=meter.pairing))
            self._state.note_first_reading(device_id)

    async def _session(self, link: Link, adapter: RecordAdapter, meter: Meter) -> str | None:
        """What the session of a sensor is at, once it was started where its wearer asked for that; None without one."""
        sessions, kept, now = adapter.sessions, self._state.sessions, _now()
        if sessions is None:
            return None
        shown = await read_session(link, sessions)
        state = sessions.state(shown)
        if not kept.start_wanted(meter.device_id, now):
            return state
        kept.start_done(meter.device_id)
        if state not in STARTABLE:
            _log.info("edge.session_not_started", device=meter.device_id, state=state)
            return state
        try:
            await start_session(link, sessions, shown, now)
        except (SessionRefused, AttributeRefused) as refused:
            _log.warning("edge.session_refused", device=meter.device_id, why=refused.message)
            self._publisher.tell(event_message("session", now, device=meter.device_id, state="refused"))
            return state
        _log.info("edge.session_started", device=meter.device_id)
        return sessions.state(await read_session(link, sessions))

    def _tell_session(self, device_id: str, state: str | None, gaps: Gaps | None) -> None:
        """Each change once. A sensor that runs and has no value of this session yet is warming up."""
        if gaps is not None:
            self._state.sessions.note_gaps(device_id, gaps)
            if state == "running" and gaps.last is None:
                state = "warming-up"
        if state is None or state == self._state.sessions.told(device_id):
            return
        with self._state.transaction():
            self._state.spool.put(event_message("session", _now(), device=device_id, state=state))
            self._state.sessions.note_told(device_id, state)
        self._publisher.wake()

    async def _after(
        self, link: Link, adapter: RecordAdapter, meter: Meter, report: SyncReport, clock: ClockMeasurement | None
    ) -> None:
        """What its holder asked for, once the records are here. A meter that refuses has been read all the same."""
        try:
            if meter.sets_clock and clock is not None and _skew_s(clock) > SKEW_SET_RIGHT_S:
                taken = await set_clock(link, _now())
                _log.info("edge.clock_set", device=meter.device_id, taken=taken)
            if meter.deletes_sent and adapter.record_access and adapter.session_start is None and not report.records:
                await self._delete_sent(RecordAccess(link, adapter.record_access), meter.device_id)
        except BluetoothError as error:
            _log.warning("edge.wish_failed", device=meter.device_id, error=type(error).__name__, why=error.message)

    async def _delete_sent(self, access: RecordAccess, device_id: str) -> None:
        """Deletes the records on the meter when the gateway has said of each of them that it is stored.

        To be called after a sync that found nothing new: then no unsent record has a number below the last one.
        """
        meter = self._state.meter(device_id)
        if meter is None or meter.last_seq is None or meter.refused or self._state.spool.holds_records_of(device_id):
            return
        stored = Selection.up_to(meter.last_seq)
        if count := await access.count(stored):
            await access.delete(stored)
            _log.info("edge.records_deleted", device=device_id, records=count)

    def _tell_contact(
        self,
        heard: Heard,
        report: SyncReport,
        facts: "_Facts",
    ) -> None:
        """Battery, signal and the hour, with each transfer and once an hour without one."""
        now, at = time.monotonic(), _now()
        device_id, clock, battery_percent = facts.meter.device_id, facts.clock, facts.battery_percent
        gaps = facts.gaps
        news = bool(report.readings or report.rejected) or not report.complete
        with self._state.transaction():
            self._state.note_contact(device_id, battery_percent, at.isoformat(timespec="seconds"))
            if not news and now - self._told.get(device_id, -TELL_EVERY_S) < TELL_EVERY_S:
                return
            self._state.spool.put(
                event_message(
                    "contact", at, device=device_id, battery_percent=battery_percent, rssi_dbm=heard.rssi_dbm,
                    missing=(gaps or Gaps(1)).values_in(report.missing) or None,
                )
            )  # fmt: skip
            if not report.readings and clock is not None:
                self._state.spool.put(readings_message((), device_id, clock, battery_percent))
            self._told[device_id] = now
        self._publisher.wake()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a visit found beside records."""

    meter: Meter
    clock: ClockMeasurement | None
    battery_percent: int | None
    gaps: Gaps | None


class Live:
    """Whether a meter has been caught up with, and is only listened to from then on."""

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        self.caught_up = False


def _skew_s(clock: ClockMeasurement) -> float:
    return abs((clock.raw - clock.measured_at.replace(tzinfo=None)).total_seconds())


def _now() -> datetime:
    return datetime.now().astimezone()
