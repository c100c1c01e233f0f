"""``device-gateway simulate ble-cgm``: a Continuous Glucose Monitoring sensor (0x181F) on a virtual patient."""

import asyncio
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service

from device_simulators.ble.cgm_control import FASTEST, CgmControl
from device_simulators.ble.cgm_record import CgmRecord
from device_simulators.ble.cgm_session import LONGEST_MIN, CgmSession, Sensor, Shown
from device_simulators.ble.date_time import date_time
from device_simulators.ble.device_options import Address, DeviceOptions, Name, Passkey, Records, device_command
from device_simulators.ble.e2e_crc import e2e_crc
from device_simulators.ble.peripheral import BY_PASSKEY, read_only, silent, subscribable
from device_simulators.ble.record_server import CCCD_IMPROPERLY_CONFIGURED, RecordServer
from device_simulators.ble.simulated_device import SimulatedDevice, run_simulated
from device_simulators.patients.glucose import sensor_trace
from device_simulators.patients.replay import BadReplay, Row, read_replay

CGM_SERVICE = 0x181F
MISSING_CRC, INVALID_CRC = 0x80, 0x81  # CGM Service 1.0.1, 1.6
_HIGH_LOW, _HYPO, _HYPER, _RATE, _LOW_BATTERY, _CRC, _BONDS, _SESSIONS, _TREND, _QUALITY = (
    1 << bit for bit in (1, 2, 3, 4, 9, 12, 13, 14, 15, 16)
)
_FEATURES = _HIGH_LOW | _HYPO | _HYPER | _RATE | _LOW_BATTERY | _BONDS | _SESSIONS | _TREND | _QUALITY
_INTERSTITIAL_UNDER_THE_SKIN = 0x59  # type 9, location 5
_STOPPED, _BATTERY_LOW = 0x01, 0x02  # status octet
_TIME_NEEDED = 0x01  # calibration octet
_ZONE_UNKNOWN, _SAVING_TIME_UNKNOWN = -128, 0xFF
_BEHIND = timedelta(hours=24)  # how far a sensor that measures faster than time has to go before it has caught up
_MG_PER_MMOL = 18.0156  # mg/dL in 1 mmol/L: molar mass of glucose 180.156 g/mol
_ATT_HEADER = 3  # octets of a notification before its value


@dataclass(frozen=True, kw_only=True)
class CgmOptions(DeviceOptions):
    """How one monitor behaves. Raises ValueError for a step that is not one or five minutes.

    More `records` than fit into the run time make a sensor that has expired.
    """

    address: Address = "C0:00:00:00:00:02"
    name: Name = "Simulated CGM"
    records: Records = 288
    interval_s: Annotated[
        float,
        typer.Option(
            "--interval",
            min=0,
            help="Seconds between new records; 0: none. Shorter than a step: the session lags a day and catches up.",
        ),
    ] = 300
    passkey: Passkey = 123456
    step_min: Annotated[int, typer.Option("--step", help="Minutes between values: 1 or 5.")] = 5
    warm_up_min: Annotated[int, typer.Option("--warm-up", min=0, help="Minutes before the first value.")] = 30
    run_time_h: Annotated[int, typer.Option("--run-time", min=1, max=1092, help="Hours until the sensor expires.")] = (
        240
    )
    per_packet: Annotated[int, typer.Option(min=1, max=20, help="Most records in one notification.")] = 1
    waiting: Annotated[bool, typer.Option("--waiting", help="A new sensor: its session has yet to be started.")] = False
    crc: Annotated[bool, typer.Option("--crc", help="Protects what it sends by E2E-CRC, and asks for it.")] = False
    bad_crc: Annotated[bool, typer.Option("--bad-crc", help="As --crc, but some checksums are wrong.")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.waiting and self.records:
            raise ValueError("--waiting: a sensor whose session was not started has no records (--records 0)")
        if self.step_min not in (1, 5):
            raise ValueError("--step: 1 or 5 is needed")

    @property
    def is_hurried(self) -> bool:
        """Values come faster than time passes: the session lags behind and catches up, one value each interval."""
        return 0 < self.interval_s < self.step_min * 60


class Cgm(SimulatedDevice):
    """One monitor: it stores its values by time offset and notifies each as it comes."""

    kind = "cgm"
    model = "Simulated CGM"
    advertised = CGM_SERVICE
    security = BY_PASSKEY

    def __init__(self, options: CgmOptions) -> None:
        super().__init__(options, passkey=options.passkey, bad_crc=options.bad_crc)
        self._cgm = options
        self._with_crc = options.crc or options.bad_crc
        rows = read_replay(options.replay) if options.replay else None
        self.memory: CgmSession = CgmSession(
            began=self._began if rows is None else lambda _now: rows[0].at,
            sensor=self._sensor if rows is None else _replayed(rows, options.replay),
            run_time_min=options.run_time_h * 60 if rows is None else LONGEST_MIN,
            waits=options.waiting,
            skew_s=options.clock_skew_s,
            file=options.state,
        )
        self.control = CgmControl(self.memory)
        self._replays = rows is not None
        self._last: Shown | None = None
        self._notified_min = -FASTEST
        self._answers: set[asyncio.Task[None]] = set()
        if not self.memory.records:
            at_first = options.records if rows is None or options.interval_s else len(rows)
            for _ in range(at_first):
                self._take(is_due=not self._replays)
        self.memory.save()

    def services(self) -> list[Service]:
        properties = Characteristic.Properties
        self._measurement = subscribable(self.device, silent(0x2AA7, properties.NOTIFY), self.security)
        self._access = RecordServer(
            self.device,
            self.security,
            records=lambda: self.memory.records,
            report=self._report,
            can_report=lambda connection: self.notifies(connection, self._measurement),
            forget=self.memory.forget,
        )
        self._ops = subscribable(
            self.device,
            Characteristic(
                UUID.from_16_bits(0x2AAC),
                properties.WRITE | properties.INDICATE,
                self.security.write,
                CharacteristicValue(write=self._on_control),
            ),
            self.security,
        )
        start: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2AAA),
            properties.READ | properties.WRITE,
            self.security.read | self.security.write,
            CharacteristicValue(read=self._on_start_read, write=self._on_start_write),
        )
        return [
            Service(
                UUID.from_16_bits(CGM_SERVICE),
                [
                    self._measurement,
                    read_only(0x2AA8, self._on_feature),
                    read_only(0x2AA9, self._on_status),
                    start,
                    read_only(0x2AAB, self._on_run_time),
                    self._access.characteristic,
                    self._ops,
                ],
            )
        ]

    async def attend(self, connection: Connection) -> None:  # noqa: ARG002  a monitor has one peer at a time
        access = self._access
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            access.reset()

    async def measure(self) -> None:
        """What the sensor has by now: one value where it lags behind, all that are due otherwise."""
        while (record := self._take(is_due=not self._replays)) is not None:
            self.memory.save()
            interval_min = self.control.interval_min
            is_wanted = interval_min and (
                interval_min == FASTEST
                or record.seq - self._notified_min >= interval_min
                or record.seq < self._notified_min
            )
            if is_wanted:
                self._notified_min = record.seq
                for connection in self.attended:
                    if self.notifies(connection, self._measurement):
                        await self.notify(connection, self._measurement, self._packet([record]))
            if self._cgm.is_hurried or self._replays:
                return

    def _take(self, *, is_due: bool) -> CgmRecord | None:
        shown = self.memory.next_shown(is_due=is_due)
        if shown is None:
            return None
        offset_min, mg_dl = shown
        trend = 0.0
        if self._last is not None and 0 < offset_min - self._last[0] <= 2 * self._cgm.step_min:
            trend = (mg_dl - self._last[1]) / (offset_min - self._last[0])
        self._last = shown
        record = CgmRecord(
            seq=offset_min,
            mg_dl=str(round(mg_dl)),
            trend=str(Decimal(trend).quantize(Decimal("0.1"))),
            quality_percent=97 - round(min(abs(trend), 5) * 4),
            status=_BATTERY_LOW if self._cgm.low_battery else 0,
            warning=self.control.warning(mg_dl, trend),
        )
        self.memory.add(record)
        return record

    async def _report(self, connection: Connection, records: list[CgmRecord]) -> None:
        """Notifies the records, as many in one packet as may and fit."""
        room = connection.att_mtu - _ATT_HEADER
        longest = max(len(record.measurement(with_crc=self._with_crc)) for record in records)
        together = max(min(self._cgm.per_packet, room // longest), 1)
        ordered = self.misbehaviour.order(records)
        for first in range(0, len(ordered), together):
            await self.notify(connection, self._measurement, self._packet(ordered[first : first + together]))

    def _packet(self, records: list[CgmRecord]) -> bytes:
        packet = b"".join(record.measurement(with_crc=self._with_crc) for record in records)
        if self.misbehaviour.damages():
            return packet[:-1] + bytes([packet[-1] ^ 0xFF])
        return packet

    def _protected(self, value: bytes) -> bytes:
        return value + e2e_crc(value) if self._with_crc else value

    def _unprotected(self, value: bytes, octets: int | None = None) -> bytes:
        """What was written, without its checksum. Raises ATT_Error where that is missing or wrong."""
        if not self._with_crc:
            return value
        if len(value) < 3 or len(value) == octets:
            raise att.ATT_Error(MISSING_CRC)
        if e2e_crc(value[:-2]) != value[-2:]:
            raise att.ATT_Error(INVALID_CRC)
        return value[:-2]

    def _on_feature(self, _connection: Connection) -> bytes:
        features = _FEATURES | (_CRC if self._with_crc else 0)
        value = features.to_bytes(3, "little") + bytes([_INTERSTITIAL_UNDER_THE_SKIN])
        return value + (e2e_crc(value) if self._with_crc else b"\xff\xff")

    def _on_status(self, _connection: Connection) -> bytes:
        status = (_BATTERY_LOW if self._cgm.low_battery else 0) | (0 if self.memory.is_running else _STOPPED)
        calibration = 0 if self.memory.is_dated else _TIME_NEEDED
        warning = self.control.warning(self._last[1], 0) if self._last else 0
        return self._protected(struct.pack("<HBBB", self.memory.offset_min(), status, calibration, warning))

    def _on_run_time(self, _connection: Connection) -> bytes:
        return self._protected(struct.pack("<H", self._cgm.run_time_h))

    def _on_start_read(self, _connection: Connection) -> bytes:
        when = date_time(self.memory.began) if self.memory.is_dated else bytes(7)
        return self._protected(when + struct.pack("<bB", _ZONE_UNKNOWN, _SAVING_TIME_UNKNOWN))

    def _on_start_write(self, _connection: Connection, value: bytes) -> None:
        told = self._unprotected(bytes(value), octets=9)
        if len(told) != 9:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        year, month, day, hour, minute, second = struct.unpack_from("<HBBBBB", told)
        try:
            shown = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  the zone is apart, and not needed
        except ValueError as error:
            raise att.ATT_Error(att.ErrorCode.OUT_OF_RANGE) from error
        self.memory.tell_time(shown)

    def _on_control(self, connection: Connection, value: bytes) -> None:
        if not self.indicates(connection, self._ops):
            raise att.ATT_Error(CCCD_IMPROPERLY_CONFIGURED)
        answer = self._protected(self.control.answer(self._unprotected(bytes(value))))
        task = asyncio.create_task(self._answer(connection, answer))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, connection: Connection, value: bytes) -> None:
        with suppress(TimeoutError):  # the peer is gone or does not confirm: there is nobody to tell
            await self.device.indicate_subscriber(connection, self._ops, value)

    def _began(self, now: datetime) -> datetime:
        """When a session has to begin for as many records as are wanted."""
        options = self._cgm
        measured = timedelta(minutes=options.records * options.step_min + options.warm_up_min)
        began = now - measured - (_BEHIND if options.is_hurried else timedelta())
        return began.replace(second=0, microsecond=0)

    def _sensor(self, began: datetime, number: int) -> Iterator[Shown]:
        options = self._cgm
        step = options.step_min
        first = (options.warm_up_min // step + 1) * step
        trace = sensor_trace(
            options.person,
            began + timedelta(minutes=first),
            options.run_time_h / 24,
            options.seed,
            step * 60,
            sensor=number,
        )
        for place, (_, mg_dl) in enumerate(trace):
            yield first + place * step, mg_dl


def _replayed(rows: list[Row], file: Path | None) -> Sensor:
    """A sensor that shows the rows of a file. Raises BadReplay for what no session can hold."""
    if not rows:
        raise BadReplay(f"{file} has no rows")
    shown: list[Shown] = []
    for row in rows:
        (value,) = row.parts(1)
        if row.unit not in (None, "mg/dL", "mmol/L"):
            raise BadReplay(f"{row.unit} is no unit of glucose: mg/dL or mmol/L is needed")
        offset_min = int((row.at - rows[0].at) / timedelta(minutes=1))
        if offset_min > LONGEST_MIN or (shown and offset_min == shown[-1][0]):
            raise BadReplay(f"{file}: values of one session are minutes apart, and 45 days at most")
        shown.append((offset_min, float(value) * (_MG_PER_MMOL if row.unit == "mmol/L" else 1)))
    return lambda _began, _number: iter(shown)


async def run_cgm(radio: str, options: CgmOptions) -> None:
    """One monitor on the radio at `radio`, until SIGTERM. Prints ``cgm ready ADDRESS NAME``."""
    await run_simulated(radio, Cgm(options), options)


ble_cgm = device_command(
    "ble-cgm", CgmOptions, run_cgm, "A Bluetooth LE continuous glucose monitor, bonded with by passkey."
)
