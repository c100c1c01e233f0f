"""Numbers that are missing, roll over or begin anew: what a device still has is fetched, and nothing is taken twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from ble_world import PASSKEY, Kept, process_address, sync
from bumble.device import Connection

from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.transfer import Batch
from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.glucose_record import GlucoseRecord
from device_simulators.ble.running import join_air

StartHere = Callable[[GlucoseMeter], Awaitable[None]]
ADDRESS = process_address(0xA0)


class Forgetful(GlucoseMeter):
    """Leaves out some records of its first long report, though it counts them."""

    left_out: frozenset[int] = frozenset()
    reports = 0

    async def report(self, connection: Connection, records: list[GlucoseRecord]) -> None:
        self.reports += 1
        if len(records) > 10:
            records, self.left_out = [r for r in records if r.seq not in self.left_out], frozenset()
        await super().report(connection, records)


class Silent(Forgetful):
    """Never sends some of the records that it counts."""

    async def report(self, connection: Connection, records: list[GlucoseRecord]) -> None:
        await GlucoseMeter.report(self, connection, [r for r in records if r.seq not in (5, 6)])


@pytest.fixture
async def start_here(air: str) -> AsyncIterator[StartHere]:
    """Switches a meter on within this process."""
    transports = []

    async def start(meter: GlucoseMeter) -> None:
        transport = await join_air(air)
        transports.append(transport)
        await meter.start(transport)

    yield start
    for transport in transports:
        await transport.close()


def options(records: int = 40) -> MeterOptions:
    return MeterOptions(address=ADDRESS, passkey=PASSKEY, records=records)


async def test_records_that_did_not_come_are_asked_for_once_more(radio: Radio, start_here: StartHere) -> None:
    meter = Forgetful(options())
    meter.left_out = frozenset({7, 8, 20})
    await start_here(meter)
    kept = Kept()
    report = await sync(radio, ADDRESS, kept)
    assert (report.complete, report.missing, report.records) == (True, (), 40)
    assert sorted(kept.seqs) == list(range(1, 41))
    assert kept.position == 40
    assert meter.reports == 3  # everything, then 7-8 and 20


async def test_what_never_comes_is_reported_by_its_numbers(radio: Radio, start_here: StartHere) -> None:
    await start_here(Silent(options()))
    kept = Kept()
    report = await sync(radio, ADDRESS, kept)
    assert (report.complete, report.missing) == (False, ((5, 6),))
    assert len(kept.seqs) == 38
    assert kept.position == 40


async def test_records_that_somebody_deleted_on_the_meter_are_not_missing(radio: Radio, start_here: StartHere) -> None:
    meter = Forgetful(options())
    await start_here(meter)
    meter.memory.forget(meter.memory.records[4:9])
    report = await sync(radio, ADDRESS, Kept())
    assert (report.announced, report.records, report.complete, meter.reports) == (35, 35, True, 1)


async def test_numbers_that_roll_over_go_on(radio: Radio, start_here: StartHere) -> None:
    meter = Forgetful(options(12))
    meter.memory.records = [
        replace(record, seq=(65530 + index) % 65536) for index, record in enumerate(meter.memory.records)
    ]
    first, meter.memory.records = meter.memory.records, meter.memory.records[:4]
    await start_here(meter)
    kept = Kept()
    await sync(radio, ADDRESS, kept)
    assert kept.position == 65533
    meter.memory.records = first
    await sync(radio, ADDRESS, kept)
    assert kept.position == 5
    assert set(kept.seqs) == {record.seq for record in first}
    assert (await sync(radio, ADDRESS, kept)).records == 0


async def test_a_meter_that_numbers_anew_beyond_the_last_number_kept_is_read_from_its_beginning(
    radio: Radio, start_here: StartHere
) -> None:
    meter = Forgetful(options(10))
    await start_here(meter)
    kept = Kept()
    await sync(radio, ADDRESS, kept)
    meter.memory.records = [
        replace(record, base_time=record.base_time - timedelta(days=2000))
        for record in GlucoseMeter(options(25)).memory.records
    ]
    report = await sync(radio, ADDRESS, kept)
    assert (report.announced, report.records) == (25, 25)
    assert kept.seqs[10:] == list(range(1, 26))
    assert (await sync(radio, ADDRESS, kept)).records == 0


async def test_the_same_number_on_another_record_is_another_record(radio: Radio, start_here: StartHere) -> None:
    meter = Forgetful(options(3))
    await start_here(meter)
    kept = Kept([Batch((), (), 3, b"what record 3 was before")])
    assert (await sync(radio, ADDRESS, kept)).records == 3
