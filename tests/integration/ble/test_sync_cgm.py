"""A glucose sensor: sessions, back-fill after hours out of range, values as they are measured."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from ble_world import PASSKEY, Kept, Person, process_address, until
from bleak import BleakScanner

from device_gateway.transports.ble.adapter import complete
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.sync import Patience, SyncReport, sync_records
from device_gateway_ble.cgm import ContinuousGlucoseMonitor
from device_simulators.ble.cgm import Cgm, CgmOptions
from device_simulators.ble.running import join_air

ADDRESS = process_address(0xD0)


@dataclass
class Listener:
    """Syncs with the sensor, going on where the last sync ended."""

    radio: Radio
    kept: Kept = field(default_factory=Kept)
    reports: list[SyncReport] = field(default_factory=list)

    async def sync(self, live_s: float = 0.2) -> SyncReport:
        async def synced(report: SyncReport) -> None:
            self.reports.append(SyncReport(report.announced, report.records, complete=report.complete))

        last = self.kept.batches[-1] if self.kept.batches else None
        device = await BleakScanner.find_device_by_address(ADDRESS, 10, backend=self.radio.scanner_backend)
        assert device is not None
        async with connected(self.radio, device) as link:
            return await sync_records(
                link,
                complete(ContinuousGlucoseMonitor()),
                last.position if last else None,
                self.kept.keep,
                session=last.session if last else None,
                patience=Patience(record_s=10, live_s=live_s),
                synced=synced,
            )


@pytest.fixture
async def listener(radio: Radio, person: Person) -> Listener:
    return Listener(radio)


@pytest.fixture
async def sensor(air: str, request: pytest.FixtureRequest) -> AsyncIterator[Cgm]:
    sensor = Cgm(CgmOptions(address=ADDRESS, passkey=PASSKEY, records=60, **getattr(request, "param", {})))
    transport = await join_air(air)
    await sensor.start(transport)
    living = asyncio.create_task(sensor.live())
    yield sensor
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)
    await transport.close()


@pytest.mark.parametrize("sensor", [{}, {"per_packet": 4, "crc": True}], indirect=True, ids=["plain", "packed, CRC"])
async def test_what_was_measured_out_of_range_is_fetched_once(sensor: Cgm, listener: Listener) -> None:
    await listener.sync()
    first = len(listener.kept.seqs)
    assert listener.reports[0].complete
    assert first > 40
    assert len(set(listener.kept.seqs)) == first
    assert listener.kept.position == max(listener.kept.seqs)
    await listener.sync()
    assert len(listener.kept.seqs) == first
    times = {reading.seq: reading.at for batch in listener.kept.batches for reading in batch.readings}
    listener.kept.batches[-1] = replace(listener.kept.batches[-1], position=listener.kept.seqs[first // 2])
    await listener.sync()
    again = {reading.seq: reading.at for reading in listener.kept.batches[-1].readings}
    assert 0 < len(again) <= first // 2
    assert again.items() <= times.items()


async def test_another_sensor_is_read_from_its_beginning(sensor: Cgm, listener: Listener) -> None:
    await listener.sync()
    first = len(listener.kept.seqs)
    last = listener.kept.batches[-1]
    listener.kept.batches[-1] = replace(last, session=b"\xe4\x07\x01\x01\x00\x00\x00\x04\x00")  # 1 January 2020
    await listener.sync()
    assert len(listener.kept.seqs) == 2 * first
    assert listener.kept.batches[-1].session == last.session


@pytest.mark.parametrize("sensor", [{"interval_s": 0.3}], indirect=True)
async def test_values_arrive_as_they_are_measured(sensor: Cgm, listener: Listener) -> None:
    syncing = asyncio.create_task(listener.sync(live_s=5))
    await until(lambda: bool(listener.reports))
    caught_up = max(listener.kept.seqs)
    await asyncio.sleep(1.5)
    syncing.cancel()  # the radio is wanted for something else: what came is kept
    await asyncio.gather(syncing, return_exceptions=True)
    live = [seq for seq in listener.kept.seqs if seq > caught_up]
    assert len(live) >= 2
    assert listener.kept.position == max(live)
