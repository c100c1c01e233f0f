"""One round of an edge over its meters: who is within reach is connected to, read, and left alone again."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from device_gateway.errors import GatewayError
from device_gateway.transports.ble.adapter import record_adapter
from device_gateway.transports.ble.device_facts import read_battery_percent, read_clock
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import Heard, scan
from device_gateway.transports.ble.sync import Batch, SyncReport, sync_records
from device_gateway.transports.edge.messages import messages_of
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.state import EdgeState, Meter

_log = structlog.get_logger(__name__)


class KnownPasskeys:
    """Answers for meters whose passkey was given when they were added."""

    def __init__(self, state: EdgeState) -> None:
        self._state = state

    async def passkey(self, address: str) -> int | None:
        known = {meter.address: meter.passkey for meter in self._state.meters()}
        return known.get(address.upper())


async def read_meters(radio: Radio, state: EdgeState, publisher: Publisher, scan_s: float) -> None:
    """Reads every meter that is heard within `scan_s`. One that fails does not keep the others from being read.

    Raises RadioUnavailable.
    """
    meters: Sequence[Meter] = state.meters()
    if not meters:
        return
    heard = await scan(radio, scan_s, [meter.address for meter in meters])
    for meter in meters:
        if meter.address not in heard:
            continue
        try:
            await read_meter(radio, heard[meter.address], meter, state, publisher)
        except GatewayError as error:
            _log.warning("edge.meter_failed", device=meter.device_id, error=type(error).__name__, why=error.message)


async def read_meter(radio: Radio, heard: Heard, meter: Meter, state: EdgeState, publisher: Publisher) -> SyncReport:
    """Reads what one meter has recorded since the last time into the spool. Raises BluetoothError or SpoolFull."""
    adapter = record_adapter(meter.adapter)
    async with connected(radio, heard.device) as link:
        battery_percent = await read_battery_percent(link)
        clock = await read_clock(link)

        async def keep(batch: Batch) -> None:
            with state.transaction():
                for message in messages_of(batch, meter.device_id, meter.adapter, clock):
                    state.spool.put(message)
                state.advance(meter.device_id, batch.position)
            publisher.wake()

        report = await sync_records(link, adapter, meter.last_seq, keep)
    state.note_contact(meter.device_id, battery_percent, datetime.now().astimezone().isoformat(timespec="seconds"))
    if report.records:
        _log.info(
            "edge.meter_read",
            device=meter.device_id,
            records=report.records,
            rejected=report.rejected,
            complete=report.complete,
        )
    return report
