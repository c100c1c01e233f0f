"""A glucose meter: a GATT server of the Glucose Service (0x1808) that bonds by passkey, on a virtual radio."""

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, cast

import typer
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from device_simulators.ble.device_options import DeviceOptions, Interval, Name, Passkey, Records
from device_simulators.ble.glucose_history import history, live_record, replayed
from device_simulators.ble.glucose_memory import GlucoseMemory
from device_simulators.ble.glucose_record import GlucoseRecord, Unit
from device_simulators.ble.peripheral import BY_PASSKEY, constant, silent, subscribable
from device_simulators.ble.record_server import RecordServer
from device_simulators.ble.simulated_device import SimulatedDevice
from device_simulators.patients.replay import Row, read_replay
from device_simulators.patients.virtual_patient import patient

GLUCOSE_SERVICE = 0x1808
_SEVERAL_BONDS, _TELLS_LOW_BATTERY = 0x0400, 0x0001  # Glucose Feature
_BATTERY_LOW = 0x0001  # Sensor Status Annunciation


@dataclass(frozen=True, kw_only=True)
class MeterOptions(DeviceOptions):
    """How one meter behaves. `delay_s` is waited between notifications; `interval_s` between live records (0: none).

    Faults, for testers: `truncated_seq` is sent cut short; after `drop_after` notifications the link is dropped, once.
    """

    name: Name = "Simulated meter"
    records: Records = 120
    interval_s: Interval = 0
    passkey: Passkey = 123456
    delay_s: Annotated[float, typer.Option("--delay", min=0, help="Seconds between notifications.")] = 0
    unit: Annotated[str, typer.Option(help="mg/dL or mmol/L.")] = "mg/dL"
    truncated_seq: Annotated[
        int | None, typer.Option("--truncated-record", help="Sequence number of a record that is sent cut short.")
    ] = None
    drop_after: Annotated[
        int | None, typer.Option(min=0, help="Drop the link, once, after so many records of a transfer.")
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in ("mg/dL", "mmol/L"):
            raise ValueError("--unit: mg/dL or mmol/L is needed")

    @property
    def shown(self) -> Unit:
        return cast(Unit, self.unit)  # checked when it was made


class GlucoseMeter(SimulatedDevice):
    """One meter."""

    kind = "meter"
    model = "Simulated glucose meter"
    advertised = GLUCOSE_SERVICE
    security = BY_PASSKEY

    def __init__(self, options: MeterOptions) -> None:
        super().__init__(options, passkey=options.passkey)
        self._delay_s = options.delay_s
        self._truncated_seq = options.truncated_seq
        self._drop_after = options.drop_after
        self._status = _BATTERY_LOW if options.low_battery else 0
        source = _Replay(options, options.replay) if options.replay else _Person(options)
        self.memory: GlucoseMemory = GlucoseMemory(
            history=source.history, prick=source.prick, skew_s=options.clock_skew_s, file=options.state
        )

    def services(self) -> list[Service]:
        device = self.device
        notify = Characteristic.Properties.NOTIFY
        self._measurement = subscribable(device, silent(0x2A18, notify), self.security)
        self._context = subscribable(device, silent(0x2A34, notify), self.security)
        self._access = RecordServer(
            device,
            self.security,
            records=lambda: self.memory.records,
            report=self._report_in_order,
            can_report=lambda connection: self.notifies(connection, self._measurement),
            forget=self.memory.forget,
        )
        features = _SEVERAL_BONDS | (_TELLS_LOW_BATTERY if self._status else 0)
        return [
            Service(
                UUID.from_16_bits(GLUCOSE_SERVICE),
                [
                    self._measurement,
                    self._context,
                    constant(0x2A51, struct.pack("<H", features)),
                    self._access.characteristic,
                ],
            )
        ]

    async def attend(self, connection: Connection) -> None:  # noqa: ARG002  a meter has one peer at a time
        access = self._access
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            access.reset()

    async def measure(self) -> None:
        self.memory.take_record()

    async def report(self, connection: Connection, records: list[GlucoseRecord]) -> None:
        """Notifies the records, each measurement followed by its context."""
        for sent, record in enumerate(records):
            if sent == self._drop_after:
                self._drop_after = None
                await connection.disconnect()
            value = record.measurement(self._status)
            cut = record.seq == self._truncated_seq
            await self.notify(connection, self._measurement, value[:-3] if cut else value)
            context = record.context()
            if context is not None:
                await self.notify(connection, self._context, context)

    async def _report_in_order(self, connection: Connection, records: list[GlucoseRecord]) -> None:
        await self.report(connection, self.misbehaviour.order(records))


class _Person:
    """Records of a seeded person, or of a virtual patient where one is named."""

    def __init__(self, options: MeterOptions) -> None:
        self._options = options
        self._patient = patient(options.patient) if options.patient else None

    def history(self, now: datetime) -> list[GlucoseRecord]:
        options = self._options
        return history(options.seed, options.records, now, options.shown, self._patient)

    def prick(self, seq: int, now: datetime) -> GlucoseRecord | None:
        return live_record(self._options.seed, seq, now, self._options.shown, self._patient)


class _Replay:
    """Records of a file: all of them in memory, or the first `records`, then one each `interval_s`."""

    def __init__(self, options: MeterOptions, file: Path) -> None:
        self._unit = options.shown
        rows = read_replay(file)
        at_first = options.records if options.interval_s else len(rows)
        self._stored: list[Row] = rows[:at_first]
        self._rows: dict[int, Row] = dict(enumerate(rows, start=1))

    def history(self, _now: datetime) -> list[GlucoseRecord]:
        return list(self._records(self._stored))

    def prick(self, seq: int, _now: datetime) -> GlucoseRecord | None:
        row = self._rows.get(seq)
        return replayed(row, seq, self._unit) if row else None

    def _records(self, rows: list[Row]) -> Iterator[GlucoseRecord]:
        for seq, row in enumerate(rows, start=1):
            yield replayed(row, seq, self._unit)
