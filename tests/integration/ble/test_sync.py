"""Fetching records from a real GATT server over the virtual radio, through every way in which it can go wrong."""

import asyncio
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from ble_world import PASSKEY, Kept, Meter, process_address, sync, sync_link, until
from bumble.device import Connection

from device_gateway.transports.ble.errors import LinkLost, NoAnswer, RecordAccessRefused
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import find
from device_gateway.transports.ble.sync import Batch
from device_gateway_ble.uuids import assigned
from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.glucose_record import GlucoseRecord
from device_simulators.ble.running import join_air

StartMeter = Callable[..., Meter]


async def test_300_records_come_once_each_in_order_with_their_context(
    radio: Radio, start_meter: StartMeter, tmp_path: Path
) -> None:
    state = tmp_path / "meter.json"
    meter = start_meter(records=300, seed=7, state=state)
    kept = Kept()
    report = await sync(radio, meter.address, kept)
    assert (report.announced, report.records, report.readings, report.rejected, report.complete) == (
        300,
        300,
        300,
        0,
        True,
    )
    assert kept.seqs == list(range(1, 301))
    assert kept.position == 300
    assert len(kept.batches) == 6
    readings = [reading for batch in kept.batches for reading in batch.readings]
    shown = _records(state)
    assert [(reading.value, reading.at) for reading in readings] == [(r.value, r.base_time) for r in shown]
    meals = {1: "before-meal", 2: "after-meal", 3: "fasting", 4: "casual", 5: "bedtime", None: None}
    assert [(reading.context or {}).get("meal") for reading in readings] == [meals[record.meal] for record in shown]
    assert sum(record.meal is not None for record in shown) > 150
    assert all(earlier.at < later.at for earlier, later in pairwise(readings))
    again = await sync(radio, meter.address, kept)
    assert (again.announced, again.records) == (0, 0)
    assert kept.position == 300


async def test_a_meter_in_mmol_is_read_in_mmol(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=5, unit="mmol/L")
    kept = Kept()
    await sync(radio, meter.address, kept)
    readings = kept.batches[0].readings
    assert {reading.unit for reading in readings} == {"mmol/L"}
    assert all(
        reading.value is not None and 2 < float(reading.value) < 25 and reading.value[-2] == "." for reading in readings
    )


async def test_a_link_that_drops_in_the_middle_loses_nothing_and_resumes(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=300, drop_after=137)
    kept = Kept()
    with pytest.raises(LinkLost):
        await sync(radio, meter.address, kept)
    came = len(kept.seqs)
    assert 100 <= came <= 137
    assert kept.position == came
    report = await sync(radio, meter.address, kept)
    assert report.announced == 300 - came
    assert kept.seqs == list(range(1, 301))


async def test_a_meter_killed_in_the_middle_goes_on_where_it_was_after_its_restart(
    radio: Radio, start_meter: StartMeter, tmp_path: Path
) -> None:
    state = tmp_path / "meter.json"
    meter = start_meter(records=200, delay_s=0.005, state=state)
    kept = Kept()

    async def kill_later() -> None:
        await until(lambda: bool(kept.batches))
        meter.program.kill()

    killing = asyncio.create_task(kill_later())
    with pytest.raises(LinkLost):
        await sync(radio, meter.address, kept)
    await killing
    start_meter(state=state, address=meter.address)
    await sync(radio, meter.address, kept)
    assert kept.seqs == list(range(1, 201))


async def test_a_truncated_value_is_refused_with_its_octets_and_the_rest_is_read(
    radio: Radio, start_meter: StartMeter
) -> None:
    meter = start_meter(records=20, truncated_seq=20)
    kept = Kept()
    report = await sync(radio, meter.address, kept)
    assert (report.records, report.readings) == (20, 19)
    assert kept.seqs == list(range(1, 20))
    refusals = [refusal for batch in kept.batches for refusal in batch.refusals]
    assert refusals[0].rejected.pointer == "/type-sample-location"
    assert refusals[0].packets[0][0] == "2A18"
    assert len(refusals[0].packets[0][1]) == 14
    assert kept.position == 20
    assert (await sync(radio, meter.address, kept)).records == 0


async def test_a_meter_that_numbers_anew_is_read_from_its_beginning(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=12)
    kept = Kept([Batch((), (), 400)])
    report = await sync(radio, meter.address, kept)
    assert report.records == 12
    assert kept.seqs == list(range(1, 13))
    assert kept.position == 12


async def test_an_empty_meter_is_no_error(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=0)
    assert (await sync(radio, meter.address, Kept())).announced == 0


async def test_a_record_taken_later_is_fetched_alone(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=10, interval_s=0.5)
    kept = Kept()
    await sync(radio, meter.address, kept)
    first = len(kept.seqs)
    await asyncio.sleep(0.6)
    report = await sync(radio, meter.address, kept)
    assert report.records < 5
    assert len(kept.seqs) > first
    assert kept.seqs == list(range(1, len(kept.seqs) + 1))


async def test_a_busy_meter_is_told_to_stop_and_then_asked(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=50, delay_s=0.2)
    heard = await find(radio, meter.address, 10)
    kept = Kept([Batch((), (), 48)])
    async with connected(radio, heard.device) as link:
        for number in (0x2A18, 0x2A34, 0x2A52):
            await link.subscribe(assigned(number))
        await link.write(assigned(0x2A52), b"\x01\x01")
        report = await sync_link(link, kept)
    assert report.records == 2
    assert kept.seqs == [49, 50]


async def test_a_meter_that_falls_silent_is_given_up_and_aborted(radio: Radio, start_meter: StartMeter) -> None:
    meter = start_meter(records=50, delay_s=3)
    kept = Kept()
    started = time.monotonic()
    with pytest.raises(NoAnswer):
        await sync(radio, meter.address, kept, notification_timeout_s=0.5)
    assert time.monotonic() - started < 25
    assert kept.seqs in ([], [1])


async def test_a_meter_that_never_stops_sending_is_stopped(air: str, radio: Radio) -> None:
    class Endless(GlucoseMeter):
        async def report(self, connection: Connection, records: list[GlucoseRecord]) -> None:
            while True:
                await super().report(connection, records)

    address = process_address(0xEE)
    meter = Endless(MeterOptions(address=address, passkey=PASSKEY, records=10))
    transport = await join_air(air)
    await meter.start(transport)
    kept = Kept()
    started = time.monotonic()
    with pytest.raises(RecordAccessRefused, match="did not stop"):
        await sync(radio, address, kept)
    assert time.monotonic() - started < 25
    assert len(kept.seqs) <= 2 * 10 + 64
    assert set(kept.seqs) == set(range(1, 11))
    await transport.close()


def _records(state: Path) -> list[GlucoseRecord]:
    return [GlucoseRecord.from_json(record) for record in json.loads(state.read_text())["records"]]
