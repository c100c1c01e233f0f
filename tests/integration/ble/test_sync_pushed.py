"""Devices without a Record Access Control Point: they send what is new as soon as somebody listens."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from ble_scale import Scale, weighing
from ble_world import PASSKEY, Kept, process_address
from bleak import BleakScanner
from bleak.backends.device import BLEDevice

from device_gateway.transports.ble.adapter import complete
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.sync import Patience, SyncReport, sync_records
from device_gateway_ble.weight_scale import WeightScale
from device_simulators.ble.running import join_air

ADDRESS = process_address(0xB0)
MORNING = datetime(2026, 11, 21, 7, 30, 0)  # noqa: DTZ001  a scale's clock has no zone
HASTY = Patience(first_s=1.5, next_s=0.5)


@pytest.fixture
async def scale(air: str, request: pytest.FixtureRequest) -> AsyncIterator[Scale]:
    scale = Scale(ADDRESS, PASSKEY, hangs_up=getattr(request, "param", False))
    transport = await join_air(air)
    await scale.start(transport)
    yield scale
    await transport.close()


async def listen(radio: Radio, kept: Kept) -> SyncReport:
    async with connected(radio, await device(radio)) as link:
        return await sync_records(link, complete(WeightScale()), None, kept.keep, patience=HASTY)


async def device(radio: Radio) -> BLEDevice:
    found = await BleakScanner.find_device_by_address(ADDRESS, 10, backend=radio.scanner_backend)
    assert found is not None
    return found


@pytest.mark.parametrize("scale", [False, True], indirect=True, ids=["falls silent", "hangs up"])
async def test_what_waited_is_taken_until_the_device_falls_silent_or_drops_the_link(radio: Radio, scale: Scale) -> None:
    scale.waiting = [weighing(72.4 + day, MORNING + timedelta(days=day)) for day in range(7)]
    kept = Kept()
    report = await listen(radio, kept)
    assert (report.records, report.readings, report.complete) == (0, 7, True)
    readings = [reading for batch in kept.batches for reading in batch.readings]
    assert [reading.value for reading in readings] == [f"{72.4 + day:.3f}" for day in range(7)]
    assert [reading.at for reading in readings] == [MORNING + timedelta(days=day) for day in range(7)]
    assert len(kept.batches) == 7  # the scale has forgotten each by now
    assert scale.waiting == []


async def test_a_device_with_nothing_new_is_left_alone_again(radio: Radio, scale: Scale) -> None:
    kept = Kept()
    assert (await listen(radio, kept)).readings == 0
    assert kept.batches == []


async def test_octets_that_are_no_weighing_are_refused_and_kept_as_they_came(radio: Radio, scale: Scale) -> None:
    scale.waiting = [weighing(70, MORNING)[:-2], weighing(71, MORNING)]
    kept = Kept()
    report = await listen(radio, kept)
    assert (report.readings, report.rejected) == (1, 1)
    (refusal,) = [refusal for batch in kept.batches for refusal in batch.refusals]
    assert refusal.packets[0] == ("2A9D", weighing(70, MORNING)[:-2])
    assert refusal.received_at is not None
