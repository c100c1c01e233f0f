"""The Record Access Control Point of a device, and the transfers that it runs, one at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from bumble import att
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue

from device_simulators.ble.peripheral import Security, is_subscribed, subscribable
from device_simulators.ble.record_access import (
    Code,
    Numbered,
    Operation,
    RefusedRequest,
    Request,
    number_response,
    parse_request,
    response,
)

PROCEDURE_ALREADY_IN_PROGRESS = 0xFE  # Core Specification Supplement, part B: common profile and service errors
CCCD_IMPROPERLY_CONFIGURED = 0xFD
_INDICATE = 2

R = TypeVar("R", bound=Numbered)


class RecordServer(Generic[R]):
    """Serves `records()`: `report` sends some, where `can_report` says that the peer listens; `forget` deletes."""

    def __init__(
        self,
        device: Device,
        security: Security,
        *,
        records: Callable[[], list[R]],
        report: Callable[[Connection, list[R]], Awaitable[None]],
        can_report: Callable[[Connection], bool],
        forget: Callable[[list[R]], None],
    ) -> None:
        self._device = device
        self._records = records
        self._report = report
        self._can_report = can_report
        self._forget = forget
        self._procedure: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self.characteristic = subscribable(
            device,
            Characteristic(
                UUID.from_16_bits(0x2A52),
                Characteristic.Properties.WRITE | Characteristic.Properties.INDICATE,
                security.write,
                CharacteristicValue(write=self._on_request),
            ),
            security,
        )

    def reset(self) -> None:
        """The peer is gone; the next one finds an idle device."""
        if self._procedure is not None:
            self._procedure.cancel()
            self._procedure = None

    def _on_request(self, connection: Connection, value: bytes) -> None:
        """A write to the control point: refused at once, or answered by an indication."""
        if not is_subscribed(self._device, connection, self.characteristic, _INDICATE):
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
        if request.operation is Operation.REPORT and not self._can_report(connection):
            raise att.ATT_Error(CCCD_IMPROPERLY_CONFIGURED)
        self._procedure = asyncio.create_task(self._perform(connection, request))

    def _answer(self, connection: Connection, value: bytes) -> None:
        """The indication that ends a procedure."""
        task = asyncio.create_task(self._indicate(connection, value))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _indicate(self, connection: Connection, value: bytes) -> None:
        with suppress(TimeoutError):  # the peer is gone or does not confirm: there is nobody to tell
            await self._device.indicate_subscriber(connection, self.characteristic, value)

    async def _perform(self, connection: Connection, request: Request) -> None:
        """Does what was asked. It is over before its answer goes out: the peer may ask the next thing at once."""
        chosen = request.select(self._records())
        if request.operation is Operation.NUMBER:
            self._answer(connection, number_response(len(chosen)))
            return
        if not chosen:
            self._answer(connection, response(request.operation, Code.NO_RECORDS))
            return
        if request.operation is Operation.DELETE:
            self._forget(chosen)
        else:
            await self._report(connection, chosen)
        self._answer(connection, response(request.operation, Code.SUCCESS))
