"""bleak's client, with an ear of its own: whatever passes through it is recorded."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from bleak import BleakClient
from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.exc import BleakGATTProtocolError

from device_gateway.transports.recording.session_file import (
    NO_ANSWER,
    Characteristic,
    Connected,
    Described,
    Descriptor,
    Disconnected,
    Notified,
    Read,
    Recorder,
    Service,
    Subscribed,
    Written,
    short_uuid,
)

Specifier = BleakGATTCharacteristic | int | str | UUID
Arrived = Callable[[BleakGATTCharacteristic, bytearray], Awaitable[None] | None]


class RecordingClient(BleakClient):
    """A `BleakClient` that tells a recorder. Any: what bleak takes and hands on."""

    def __init__(
        self,
        recorder: Recorder,
        device: BLEDevice,
        disconnected_callback: Callable[[BleakClient], None] | None = None,
        **options: Any,
    ) -> None:
        def disconnected(client: BleakClient) -> None:
            self._note_end()
            if disconnected_callback is not None:
                disconnected_callback(client)

        super().__init__(device, disconnected, **options)
        self._recorder = recorder
        self._open = False

    async def connect(self, **options: Any) -> None:
        await super().connect(**options)
        self._open = True
        self._recorder.note(Connected(self._recorder.t, self.mtu_size))
        for service in self.services:
            characteristics = [
                Characteristic(
                    short_uuid(found.uuid),
                    found.handle,
                    sorted(found.properties),
                    [Descriptor(short_uuid(descriptor.uuid), descriptor.handle) for descriptor in found.descriptors],
                )
                for found in service.characteristics
            ]
            uuid = short_uuid(service.uuid)
            self._recorder.note(Service(self._recorder.t, uuid, service.handle, characteristics))

    async def disconnect(self) -> None:
        await super().disconnect()
        self._note_end()

    async def read_gatt_char(self, char_specifier: Specifier, *, use_cached: bool = False, **options: Any) -> bytearray:
        uuid, handle = self._place(char_specifier)
        try:
            value = await super().read_gatt_char(char_specifier, use_cached=use_cached, **options)
        except Exception as error:
            self._recorder.note(Read(self._recorder.t, uuid, handle, error=_code(error)))
            raise
        self._recorder.note(Read(self._recorder.t, uuid, handle, value.hex()))
        return value

    async def write_gatt_char(self, char_specifier: Specifier, data: SizedBuffer, response: bool | None = None) -> None:
        uuid, handle = self._place(char_specifier)
        asked_at = self._recorder.t
        value = bytes(data).hex()
        self._recorder.note(Written(asked_at, uuid, handle, value))  # before what it brings about
        try:
            await super().write_gatt_char(char_specifier, data, response)
        except Exception as error:
            self._recorder.note(Written(self._recorder.t, uuid, handle, value, _code(error)))
            raise

    async def start_notify(self, char_specifier: Specifier, callback: Arrived, **options: Any) -> None:
        uuid, handle = self._place(char_specifier)
        running: set[asyncio.Future[None]] = set()

        def arrived(characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
            self._recorder.note(Notified(self._recorder.t, uuid, handle, value.hex()))
            further = callback(characteristic, value)
            if inspect.isawaitable(further):
                task = asyncio.ensure_future(further)
                running.add(task)
                task.add_done_callback(running.discard)

        self._recorder.note(Subscribed(self._recorder.t, uuid, handle))
        try:
            await super().start_notify(char_specifier, arrived, **options)
        except Exception as error:
            self._recorder.note(Subscribed(self._recorder.t, uuid, handle, error=_code(error)))
            raise

    async def read_gatt_descriptor(
        self, desc_specifier: BleakGATTDescriptor | int, *, use_cached: bool = False, **options: Any
    ) -> bytearray:
        found = (
            desc_specifier
            if isinstance(desc_specifier, BleakGATTDescriptor)
            else self.services.get_descriptor(desc_specifier)
        )
        uuid, handle = ("", 0) if found is None else (short_uuid(found.uuid), found.handle)
        try:
            value = await super().read_gatt_descriptor(desc_specifier, use_cached=use_cached, **options)
        except Exception as error:
            self._recorder.note(Described(self._recorder.t, uuid, handle, error=_code(error)))
            raise
        self._recorder.note(Described(self._recorder.t, uuid, handle, value.hex()))
        return value

    def _place(self, specifier: Specifier) -> tuple[str, int]:
        """UUID and handle of a characteristic; (UUID, 0) of one that the device has not got."""
        if isinstance(specifier, BleakGATTCharacteristic):
            found: BleakGATTCharacteristic | None = specifier
        else:
            found = self.services.get_characteristic(specifier)
        return (short_uuid(str(specifier)), 0) if found is None else (short_uuid(found.uuid), found.handle)

    def _note_end(self) -> None:
        if self._open:
            self._open = False
            self._recorder.note(Disconnected(self._recorder.t))


def _code(error: Exception) -> int:
    return int(error.code) if isinstance(error, BleakGATTProtocolError) else NO_ANSWER
