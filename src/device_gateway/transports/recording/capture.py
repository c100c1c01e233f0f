"""Recording a session with a device: as a sync of an adapter, or by reading and listening to all that it offers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from device_gateway.transports.ble.adapter import RecordAdapter, record_adapters
from device_gateway.transports.ble.device_facts import read_battery_percent, read_clock, read_make
from device_gateway.transports.ble.errors import (
    BluetoothError,
    DeviceNotHeard,
    LinkLost,
    NoAnswer,
    RadioUnavailable,
)
from device_gateway.transports.ble.link import Link, connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.sync import Patience, SyncReport, sync_records
from device_gateway.transports.ble.transfer import Batch
from device_gateway.transports.recording.client import RecordingClient
from device_gateway.transports.recording.session_file import (
    VERSION,
    Advertised,
    Recorder,
    Session,
    short_uuid,
)

LISTEN_S: Final = 60.0  # for what a device sends by itself
_CONFIGURATION: Final = "2902"  # client characteristic configuration: ours to write, and the same for everybody


@dataclass(frozen=True, slots=True)
class Captured:
    """What a sync that was recorded came to."""

    readings: int
    rejected: int


async def record_sync(
    radio: Radio,
    recorder: Recorder,
    *,
    adapter: RecordAdapter | None,
    address: str | None = None,
    note: str | None = None,
    find_s: float,
    listen_s: float = LISTEN_S,
) -> Captured:
    """A sync from the beginning, and what the next one asks to find nothing new. What the device measures by itself
    within `listen_s` is part of it. Without an `adapter` it is the one that the device matches.

    Raises BluetoothError; what was recorded before stays.
    """
    adapters = record_adapters()
    chosen = [adapter] if adapter else list(adapters.values())
    device, advertised = await _hear(radio, address, chosen, find_s)
    adapter = adapter or next(found for found in chosen if found.matches(advertised.service_uuids))
    _begin(recorder, device, advertised, adapter.key, note)
    batches: list[Batch] = []

    async def keep(batch: Batch) -> None:
        batches.append(batch)

    async with connected(radio, device, partial(RecordingClient, recorder)) as link:
        await read_make(link)
        await read_battery_percent(link)
        await read_clock(link)
        await _sync(link, adapter, keep, None, listen_s)
        if adapter.record_access is not None and batches:
            await _sync(link, adapter, keep, batches[-1], 0.0)
    return Captured(sum(len(batch.readings) for batch in batches), sum(len(batch.refusals) for batch in batches))


async def record_all(
    radio: Radio,
    recorder: Recorder,
    *,
    address: str | None = None,
    note: str | None = None,
    find_s: float,
    listen_s: float = LISTEN_S,
    arrived: Callable[[int], None] = lambda _count: None,
) -> int:
    """Reads all that can be read, then listens for `listen_s` or until the device leaves. Returns the notifications.

    Raises BluetoothError; what was recorded before stays.
    """
    device, advertised = await _hear(radio, address, list(record_adapters().values()), find_s)
    matching = [key for key, adapter in record_adapters().items() if adapter.matches(advertised.service_uuids)]
    _begin(recorder, device, advertised, matching[0] if matching else None, note)
    clients: list[RecordingClient] = []

    def client(heard: BLEDevice, **options: Any) -> RecordingClient:  # Any: what bleak takes
        clients.append(RecordingClient(recorder, heard, **options))
        return clients[-1]

    came = 0
    async with connected(radio, device, client) as link:
        with suppress(LinkLost):
            await _read_all(clients[-1], link)
            deadline = time.monotonic() + listen_s
            while (left_s := deadline - time.monotonic()) > 0:
                with suppress(NoAnswer):
                    await link.notification(left_s)
                    came += 1
                    arrived(came)
    return came


async def _hear(
    radio: Radio, address: str | None, adapters: list[RecordAdapter], timeout_s: float
) -> tuple[BLEDevice, AdvertisementData]:
    """The device at `address`, or the first that an adapter can talk to."""
    heard: list[AdvertisementData] = []

    def wanted(device: BLEDevice, advertised: AdvertisementData) -> bool:
        if address is not None:
            found = device.address.upper() == address.upper()
        else:
            found = any(adapter.matches(advertised.service_uuids) for adapter in adapters)
        if found:
            heard.append(advertised)
        return found

    try:
        await radio.ready()
        device = await BleakScanner.find_device_by_filter(
            wanted,
            timeout_s,
            backend=radio.scanner_backend,  # type: ignore[arg-type]  # None, which is its default, too
        )
    except (BleakError, OSError, EOFError) as error:
        raise RadioUnavailable(f"the radio cannot scan: {error}") from error
    if device is None:
        what = address or " or ".join(adapter.key for adapter in adapters)
        raise DeviceNotHeard(f"{what} was not heard within {timeout_s:g} s: wake it up and bring it nearer")
    return device, heard[0]


def _begin(
    recorder: Recorder, device: BLEDevice, advertised: AdvertisementData, adapter: str | None, note: str | None
) -> None:
    now = datetime.now().astimezone()
    recorder.begin(Session(now, VERSION, adapter, device.address, device.name, note))
    recorder.note(
        Advertised(
            recorder.t,
            advertised.local_name,
            [short_uuid(uuid) for uuid in dict.fromkeys(advertised.service_uuids)],
            {f"{company:04X}": value.hex() for company, value in advertised.manufacturer_data.items()},
            {short_uuid(uuid): value.hex() for uuid, value in advertised.service_data.items()},
            advertised.rssi,
            advertised.tx_power,
        )
    )


async def _sync(
    link: Link,
    adapter: RecordAdapter,
    keep: Callable[[Batch], Awaitable[None]],
    last: Batch | None,
    listen_s: float,
) -> None:
    """One sync. A device that goes on measuring is left after `listen_s`."""
    loop = asyncio.get_running_loop()
    with suppress(TimeoutError):
        async with asyncio.timeout(listen_s if adapter.record_access is None else None) as limit:

            async def synced(_report: SyncReport) -> None:
                limit.reschedule(loop.time() + listen_s)

            await sync_records(
                link,
                adapter,
                last.position if last else None,
                keep,
                mark=last.mark if last else None,
                session=last.session if last else None,
                patience=Patience(first_s=listen_s, live_s=listen_s),
                synced=synced,
            )


async def _read_all(client: RecordingClient, link: Link) -> None:
    """Every characteristic and descriptor that can be read, then a subscription to every one that notifies."""
    found = list(client.services.characteristics.values())
    for characteristic in found:
        if "read" in characteristic.properties:
            with suppress(BleakError, TimeoutError, OSError, EOFError):
                await client.read_gatt_char(characteristic)
        for descriptor in characteristic.descriptors:
            if short_uuid(descriptor.uuid) != _CONFIGURATION:
                with suppress(BleakError, TimeoutError, OSError, EOFError):
                    await client.read_gatt_descriptor(descriptor)
    for characteristic in found:
        if {"notify", "indicate"} & set(characteristic.properties):
            with suppress(BluetoothError):  # it wants a bond of another kind: the rest is recorded all the same
                await link.subscribe(characteristic.uuid)
