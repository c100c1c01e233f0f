"""A glucose meter: a GATT server of the Glucose Service (0x1808) that bonds by passkey, on a virtual radio."""

import asyncio
import struct
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from bumble import att
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.transport.common import Transport

from device_simulators.ble.glucose_memory import GlucoseMemory
from device_simulators.ble.glucose_record import GlucoseRecord, Unit, current_time
from device_simulators.ble.peripheral import (
    BONDED_READ,
    BONDED_WRITE,
    battery,
    constant,
    device_information,
    is_subscribed,
    peripheral,
    subscribable,
)
from device_simulators.ble.record_access import (
    Code,
    Operation,
    RefusedRequest,
    Request,
    number_response,
    parse_request,
    response,
)

GLUCOSE_SERVICE = 0x1808
PROCEDURE_ALREADY_IN_PROGRESS = 0xFE  # Core Specification Supplement, part B: common profile and service errors
CCCD_IMPROPERLY_CONFIGURED = 0xFD
_NOTIFY, _INDICATE = 1, 2
_FEATURES = 0x0400  # Glucose Feature: several bonds
_ADJUSTED_BY_HAND = 0x01  # Current Time, adjust reason
_UNSENT_LIMIT = 32  # notifications handed to the radio and not sent yet: an abort stops the rest

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class MeterOptions:
    """How one meter behaves. `delay_s` is waited between notifications; `interval_s` between live records (0: none).

    Faults, for testers: `truncated_seq` is sent cut short; after `drop_after` notifications the link is dropped, once.
    """

    address: str = "C0:00:00:00:00:01"
    passkey: int = 123456
    records: int = 120
    interval_s: float = 0
    seed: int = 1
    clock_skew_s: float = 0
    delay_s: float = 0
    name: str = "Simulated meter"
    unit: Unit = "mg/dL"
    battery_percent: int = 87
    state: Path | None = None
    truncated_seq: int | None = None
    drop_after: int | None = None

    @property
    def serial(self) -> str:
        return f"SIM-{self.address.replace(':', '')}"


class GlucoseMeter:
    """One meter. `memory` outlives the radio: `start` may be called again after it was lost."""

    def __init__(self, options: MeterOptions) -> None:
        self._options = options
        self.memory = GlucoseMemory(
            seed=options.seed,
            count=options.records,
            skew=timedelta(seconds=options.clock_skew_s),
            unit=options.unit,
            file=options.state,
        )
        self._adjust_reason = 0
        self._drop_after = options.drop_after
        self._procedure: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()

    async def start(self, transport: Transport) -> None:
        """Switches the meter on: it advertises and can be connected to until the transport ends."""
        options = self._options
        device = self._device = peripheral(
            transport,
            name=options.name,
            address=options.address,
            passkey=options.passkey,
            bonds=self.memory.bonds,
            service=GLUCOSE_SERVICE,
        )
        self._measurement = subscribable(device, _silent(0x2A18, Characteristic.Properties.NOTIFY))
        self._context = subscribable(device, _silent(0x2A34, Characteristic.Properties.NOTIFY))
        self._access = subscribable(
            device,
            Characteristic(
                UUID.from_16_bits(0x2A52),
                Characteristic.Properties.WRITE | Characteristic.Properties.INDICATE,
                BONDED_WRITE,
                CharacteristicValue(write=self._on_request),
            ),
        )
        time: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2A2B),
            Characteristic.Properties.READ | Characteristic.Properties.WRITE,
            BONDED_READ | BONDED_WRITE,
            CharacteristicValue(read=self._on_time_read, write=self._on_time_write),
        )
        device.add_services(
            [
                Service(
                    UUID.from_16_bits(GLUCOSE_SERVICE),
                    [self._measurement, self._context, constant(0x2A51, struct.pack("<H", _FEATURES)), self._access],
                ),
                device_information("Simulated glucose meter", options.serial, "1.0"),
                battery(options.battery_percent),
                Service(UUID.from_16_bits(0x1805), [time]),
            ]
        )
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        await device.power_on()
        await device.start_advertising(auto_restart=True)

    def _on_connection(self, connection: Connection) -> None:
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)

    def _on_disconnection(self, _reason: int) -> None:
        """The next connection finds an idle meter; Bumble leaves our tasks running."""
        if self._procedure is not None:
            self._procedure.cancel()
            self._procedure = None

    def _on_time_read(self, _connection: Connection) -> bytes:
        return current_time(self.memory.clock(), self._adjust_reason)

    def _on_time_write(self, _connection: Connection, value: bytes) -> None:
        if len(value) != 10:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        year, month, day, hour, minute, second = struct.unpack_from("<HBBBBB", value)
        try:
            shown = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a meter's clock has no zone
        except ValueError as error:
            raise att.ATT_Error(0x80) from error  # Current Time Service 1.1, 3.1: data field ignored
        self.memory.set_clock(shown)
        self._adjust_reason = _ADJUSTED_BY_HAND

    def _on_request(self, connection: Connection, value: bytes) -> None:
        """A write to the Record Access Control Point: refused at once, or answered by an indication."""
        if not is_subscribed(self._device, connection, self._access, _INDICATE):
            raise att.ATT_Error(CCCD_IMPROPERLY_CONFIGURED)
        running = self._procedure is not None and not self._procedure.done()
        try:
            request = parse_request(bytes(value))
        except RefusedRequest as refused:
            self._answer(connection, response(value[0] if value else 0, refused.code))
            return
        if request.operation is Operation.ABORT:
            if self._procedure is not None:
                self._procedure.cancel()
            self._answer(connection, response(Operation.ABORT, Code.SUCCESS))
            return
        if running:
            raise att.ATT_Error(PROCEDURE_ALREADY_IN_PROGRESS)
        if request.operation is Operation.REPORT and not is_subscribed(
            self._device, connection, self._measurement, _NOTIFY
        ):
            raise att.ATT_Error(CCCD_IMPROPERLY_CONFIGURED)
        self._procedure = asyncio.create_task(self._perform(connection, request))

    def _answer(self, connection: Connection, value: bytes) -> None:
        """The indication that ends a procedure."""
        task = asyncio.create_task(self._indicate(connection, value))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _indicate(self, connection: Connection, value: bytes) -> None:
        with suppress(TimeoutError):  # the peer is gone or does not confirm: there is nobody to tell
            await self._device.indicate_subscriber(connection, self._access, value)

    async def _perform(self, connection: Connection, request: Request) -> None:
        """Does what was asked. It is over before its answer goes out: the peer may ask the next thing at once."""
        chosen = request.select(self.memory.records)
        if request.operation is Operation.NUMBER:
            self._answer(connection, number_response(len(chosen)))
            return
        if not chosen:
            self._answer(connection, response(request.operation, Code.NO_RECORDS))
            return
        if request.operation is Operation.DELETE:
            self.memory.forget(chosen)
        else:
            await self.report(connection, chosen)
        self._answer(connection, response(request.operation, Code.SUCCESS))

    async def report(self, connection: Connection, records: list[GlucoseRecord]) -> None:
        """Notifies the records, each measurement followed by its context."""
        for sent, record in enumerate(records):
            if sent == self._drop_after:
                self._drop_after = None
                await connection.disconnect()
            value = record.measurement()
            await self.notify(connection, value[:-3] if record.seq == self._options.truncated_seq else value)
            context = record.context()
            if context is not None:
                await self.notify(connection, context, self._context)

    async def notify(
        self, connection: Connection, value: bytes, characteristic: Characteristic[bytes] | None = None
    ) -> None:
        """One notification, of the measurement where nothing else is said; waits while the radio is behind."""
        await self._device.notify_subscriber(connection, characteristic or self._measurement, value)
        queue = self._device.host.le_acl_packet_queue
        if queue is not None and queue.pending > _UNSENT_LIMIT:
            await queue.drain(connection.handle)
        await asyncio.sleep(self._options.delay_s)


def _silent(number: int, properties: Characteristic.Properties) -> Characteristic[bytes]:
    """A characteristic that only notifies: it can be neither read nor written."""
    return Characteristic(UUID.from_16_bits(number), properties, att.Attribute.Permissions(0), b"")
