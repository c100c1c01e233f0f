"""A glucose sensor: sessions, back-fill after hours out of range, values as they are measured."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from ble_world import PASSKEY, Kept, Person, process_address, until
from bleak import BleakScanner

from device_gateway.transports.ble.adapter import complete
from device_gateway.transports.ble.gaps import Gaps
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
    gaps: Gaps = field(default_factory=Gaps)

    async def sync(self, live_s: float = 0.2) -> SyncReport:
        async def synced(report: SyncReport) -> None:
            self.reports.append(replace(report))

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
                gaps=self.gaps,
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


@pytest.mark.parametrize("sensor", [{"interval_s": 200}], indirect=True)  # behind: it has values that it did not notify
async def test_a_value_that_was_missed_while_listening_is_asked_for_in_the_next_sync(
    sensor: Cgm, listener: Listener
) -> None:
    syncing = asyncio.create_task(listener.sync(live_s=5))
    await until(lambda: bool(listener.reports))
    missed = sensor._take(is_due=True)
    assert missed is not None
    await sensor.measure()
    await until(lambda: bool(listener.gaps.open))
    syncing.cancel()
    await asyncio.gather(syncing, return_exceptions=True)
    assert missed.seq not in listener.kept.seqs
    await listener.sync()
    assert listener.kept.seqs.count(missed.seq) == 1
    assert listener.kept.position == max(listener.kept.seqs)
    assert listener.gaps.open == []
    assert listener.reports[-1].missing == ()


async def test_what_the_sensor_has_not_got_is_counted_and_not_asked_for_again(sensor: Cgm, listener: Listener) -> None:
    gone = sensor.memory.records[20:25]
    sensor.memory.forget(gone)
    await listener.sync()
    report = listener.reports[0]
    assert not report.complete
    assert [(first, last) for first, last in report.missing] == [(gone[0].seq - 4, gone[-1].seq + 4)]
    assert listener.gaps.values_in(report.missing) == 5
    await listener.sync()
    assert listener.reports[1].missing == ()


@pytest.mark.parametrize("sensor", [{"bad_crc": True}], indirect=True)
async def test_records_that_were_damaged_on_their_way_are_asked_for_once_more(sensor: Cgm, listener: Listener) -> None:
    await listener.sync()
    refused = {refusal.packets[-1][1][4:6] for batch in listener.kept.batches for refusal in batch.refusals}
    came = {seq.to_bytes(2, "little") for seq in listener.kept.seqs}
    assert refused & came  # damaged the first time, and whole the second
    readings = {reading for batch in listener.kept.batches for reading in map(str, batch.readings)}
    assert len(readings) == len(set(listener.kept.seqs))  # what came twice is the same reading
    assert len(readings) + listener.gaps.values_in(listener.reports[0].missing) == 60
