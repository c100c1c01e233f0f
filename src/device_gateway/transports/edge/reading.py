"""One round of an edge over its meters: who is within reach is connected to, read, and left alone again."""

import time
from datetime import datetime

import structlog

from device_gateway.errors import GatewayError
from device_gateway.transports.ble.adapter import record_adapter
from device_gateway.transports.ble.device_facts import read_battery_percent, read_clock
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import Heard, scan
from device_gateway.transports.ble.sync import Batch, SyncReport, sync_records
from device_gateway.transports.edge.messages import messages_of, readings_message
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.state import EdgeState, Meter

TELL_EVERY_S = 3600.0  # how often the gateway hears of clock and battery of a meter without new records

_log = structlog.get_logger(__name__)


class KnownPasskeys(PairingAgent):
    """Answers for meters whose passkey was given when they were added."""

    def __init__(self, state: EdgeState) -> None:
        self._state = state

    async def passkey(self, address: str) -> int | None:
        known = {meter.address: meter.passkey for meter in self._state.meters()}
        return known.get(address.upper())


class Reader:
    """Reads the meters that the state names into its spool."""

    def __init__(self, state: EdgeState, publisher: Publisher) -> None:
        self._state = state
        self._publisher = publisher
        self._told: dict[str, float] = {}

    async def read_meters(self, radio: Radio, scan_s: float) -> None:
        """Reads every meter that is heard within `scan_s`. One that fails does not keep the others from being read.

        Raises RadioUnavailable.
        """
        meters = self._state.meters()
        if not meters:
            return
        heard = await scan(radio, scan_s, [meter.address for meter in meters])
        for meter in meters:
            if meter.address not in heard:
                continue
            try:
                await self.read_meter(radio, heard[meter.address], meter)
            except GatewayError as error:
                _log.warning("edge.meter_failed", device=meter.device_id, error=type(error).__name__, why=error.message)

    async def read_meter(self, radio: Radio, heard: Heard, meter: Meter) -> SyncReport:
        """What one meter has recorded since the last time. Raises BluetoothError or SpoolFull."""
        adapter = record_adapter(meter.adapter)
        async with connected(radio, heard.device) as link:
            battery_percent = await read_battery_percent(link)
            clock = await read_clock(link)

            async def keep(batch: Batch) -> None:
                with self._state.transaction():
                    for message in messages_of(batch, meter.device_id, meter.adapter, clock, battery_percent):
                        self._state.spool.put(message)
                    self._state.advance(meter.device_id, batch.position)
                self._told[meter.device_id] = time.monotonic()
                self._publisher.wake()

            report = await sync_records(link, adapter, meter.last_seq, keep)
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        with self._state.transaction():
            self._state.note_contact(meter.device_id, battery_percent, at)
            if time.monotonic() - self._told.get(meter.device_id, -TELL_EVERY_S) >= TELL_EVERY_S:
                self._state.spool.put(readings_message((), meter.device_id, clock, battery_percent))
                self._told[meter.device_id] = time.monotonic()
                self._publisher.wake()
        if report.records:
            _log.info(
                "edge.meter_read",
                device=meter.device_id,
                records=report.records,
                rejected=report.rejected,
                complete=report.complete,
            )
        return report
