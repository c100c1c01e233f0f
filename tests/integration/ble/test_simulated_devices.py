"""The simulated devices beside the glucose meter, each met by a bare bleak client on the virtual radio."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ble_world import PASSKEY, Person, Program, process_address, until
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError

from device_simulators.ble.blood_pressure_cuff import BloodPressureCuff, CuffOptions
from device_simulators.ble.body_scale import BodyScale, BodyScaleOptions
from device_simulators.ble.cgm import Cgm, CgmOptions, run_cgm
from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.heart_rate_belt import BeltOptions, HeartRateBelt
from device_simulators.ble.oximeter import Oximeter, OximeterOptions
from device_simulators.ble.running import join_air
from device_simulators.ble.simulated_device import SimulatedDevice
from device_simulators.ble.thermometer import Thermometer, ThermometerOptions
from device_simulators.ble.weight_scale import WeightScale, WeightScaleOptions
from device_simulators.radio.bleak_backend import VirtualRadio

WAIT_S = 20.0
Values = asyncio.Queue[bytes]


def uuid(number: int) -> str:
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


def crc(octets: bytes) -> bytes:
    """CRC-16/MCRF4XX bit by bit, written once more."""
    register = 0xFFFF
    for bit in (octet >> place & 1 for octet in octets for place in range(8)):
        carry = register & 1 ^ bit
        register = register >> 1 ^ 0x8408 * carry
    return register.to_bytes(2, "little")


class Ward:
    """Simulated devices in this process, and a place on their radio."""

    def __init__(self, air: str, bonds: Path) -> None:
        self._air = air
        self.person = Person()
        self.radio = VirtualRadio(air, bonds=bonds, agent=self.person)
        self._running: list[asyncio.Task[None]] = []
        self._transports: list[Any] = []

    async def start(self, device: SimulatedDevice) -> SimulatedDevice:
        transport = await join_air(self._air)
        self._transports.append(transport)
        await device.start(transport)
        self._running.append(asyncio.create_task(device.live()))
        return device

    async def end(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.radio.close()
        for transport in self._transports:
            await transport.close()

    @asynccontextmanager
    async def meet(self, address: str, *, pair: bool = True) -> AsyncIterator[BleakClient]:
        found = await BleakScanner.find_device_by_address(address, WAIT_S, backend=self.radio.scanner_backend)
        assert found is not None
        async with BleakClient(found, backend=self.radio.client_backend, pair=pair) as client:
            yield client


@pytest.fixture
async def ward(air: str, tmp_path: Path) -> AsyncIterator[Ward]:
    ward = Ward(air, tmp_path / "bonds.json")
    yield ward
    await ward.end()


_numbers = iter(range(0x80, 0xE0))


@pytest.fixture
def address() -> str:
    return process_address(next(_numbers))


async def listen(client: BleakClient, number: int) -> Values:
    values: Values = asyncio.Queue()
    await client.start_notify(uuid(number), lambda _characteristic, value: values.put_nowait(bytes(value)))
    return values


async def take(values: Values, count: int = 1) -> list[bytes]:
    async with asyncio.timeout(WAIT_S):
        return [await values.get() for _ in range(count)]


async def ask(client: BleakClient, answers: Values, number: int, octets: str | bytes) -> bytes:
    """Writes to a control point and takes its answer."""
    await client.write_gatt_char(uuid(number), bytes.fromhex(octets) if isinstance(octets, str) else octets, True)
    return (await take(answers))[0]


async def test_a_cgm_hands_out_its_session_by_time_offset_and_goes_on_live(ward: Ward, address: str) -> None:
    cgm = Cgm(
        CgmOptions(address=address, passkey=PASSKEY, records=100, interval_s=0.3, per_packet=4, patient="child#002")
    )
    await ward.start(cgm)
    async with ward.meet(address) as client:
        feature = await client.read_gatt_char(uuid(0x2AA8))
        assert feature[3:] == b"\x59\xff\xff"
        assert not int.from_bytes(feature[:3], "little") & 1 << 12
        assert await client.read_gatt_char(uuid(0x2AAB)) == struct.pack("<H", 240)
        began = await client.read_gatt_char(uuid(0x2AAA))
        assert (len(began), began[0:2]) == (9, cgm.memory.began.year.to_bytes(2, "little"))
        values, answers = await listen(client, 0x2AA7), await listen(client, 0x2A52)
        assert (await client.read_gatt_char(uuid(0x2A19)), len(await client.read_gatt_char(uuid(0x2A2B)))) == (
            b"\x57",
            10,
        )
        count = await ask(client, answers, 0x2A52, "0401")
        assert count[:2] == b"\x05\x00"
        assert int.from_bytes(count[2:], "little") >= 100
        assert (
            await ask(client, answers, 0x2A52, bytes.fromhex("010401") + struct.pack("<HH", 35, 130)) == b"\x06\0\1\1"
        )
        stored = await take(values, 1)
        while not values.empty():
            stored.append(values.get_nowait())
        offsets = [offset for packet in stored for offset in offsets_of(packet)]
        assert set(range(35, 131, 5)) <= set(offsets)
        assert max(len(offsets_of(packet)) for packet in stored) == 4
        live = [offset for packet in await take(values, 3) for offset in offsets_of(packet)]
        assert live == sorted(live)
        assert min(live) > 500


def offsets_of(packet: bytes) -> list[int]:
    """Time offsets of the records in a CGM Measurement."""
    found = []
    while packet:
        found.append(int.from_bytes(packet[4:6], "little"))
        packet = packet[packet[0] :]
    return found


async def test_a_cgm_protects_what_it_sends_and_asks_for_the_same(ward: Ward, address: str) -> None:
    await ward.start(Cgm(CgmOptions(address=address, passkey=PASSKEY, records=200, bad_crc=True, low_battery=True)))
    async with ward.meet(address) as client:
        for number in (0x2AA8, 0x2AA9, 0x2AAA, 0x2AAB):
            value = bytes(await client.read_gatt_char(uuid(number)))
            assert crc(value[:-2]) == value[-2:]
        assert int.from_bytes((await client.read_gatt_char(uuid(0x2AA8)))[:3], "little") & 1 << 12
        assert (await client.read_gatt_char(uuid(0x2AA9)))[2] == 0x02
        assert await client.read_gatt_char(uuid(0x2A19)) == b"\x04"
        values, records = await listen(client, 0x2AA7), await listen(client, 0x2A52)
        assert await ask(client, records, 0x2A52, "0101") == b"\x06\0\1\1"
        packets = await take(values, 200)
        wrong = [packet for packet in packets if crc(packet[:-2]) != packet[-2:]]
        assert 10 < len(wrong) < 90
        answers = await listen(client, 0x2AAC)
        get_interval = b"\x02" + crc(b"\x02")
        assert await ask(client, answers, 0x2AAC, get_interval) == b"\x03\xff" + crc(b"\x03\xff")
        for octets, code in ((b"\x02", 0x80), (b"\x02\0\0", 0x81)):
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(uuid(0x2AAC), octets, True)
            assert refused.value.code == code


async def test_a_cgm_starts_a_new_session_and_is_told_the_time(ward: Ward, address: str) -> None:
    cgm = Cgm(CgmOptions(address=address, passkey=PASSKEY, records=5))
    await ward.start(cgm)
    async with ward.meet(address) as client:
        answers = await listen(client, 0x2AAC)
        assert await ask(client, answers, 0x2AAC, "1a") == b"\x1c\x1a\x04"  # one is running
        assert await ask(client, answers, 0x2AAC, "1b") == b"\x1c\x1b\x01"
        assert (await client.read_gatt_char(uuid(0x2AA9)))[2] == 0x01
        assert await ask(client, answers, 0x2AAC, "1a") == b"\x1c\x1a\x01"
        assert (await client.read_gatt_char(uuid(0x2AA9)))[:4] == bytes.fromhex("00000001")
        assert (await client.read_gatt_char(uuid(0x2AAA)))[:7] == bytes(7)
        await client.write_gatt_char(uuid(0x2AAA), bytes.fromhex("ea07 0b 16 0c 00 00 04 00"), True)
        began = datetime(*struct.unpack_from("<HBBBBB", await client.read_gatt_char(uuid(0x2AAA))))  # noqa: DTZ001
        assert 0 <= (datetime(2026, 11, 22, 12) - began).total_seconds() < 60  # noqa: DTZ001
        records = await listen(client, 0x2A52)
        assert await ask(client, records, 0x2A52, "0401") == b"\x05\0\0\0"
        assert await ask(client, answers, 0x2AAC, "08") == b"\x09\xb4\x00"  # alert above 180 mg/dL
        assert await ask(client, answers, 0x2AAC, "07c800") == b"\x1c\x07\x01"
        assert await ask(client, answers, 0x2AAC, "08") == b"\x09\xc8\x00"
        assert await ask(client, answers, 0x2AAC, "070a00") == b"\x1c\x07\x05"
        assert await ask(client, answers, 0x2AAC, "04") == b"\x1c\x04\x02"


async def test_a_scale_hands_over_what_waits_once(ward: Ward, address: str) -> None:
    await ward.start(WeightScale(WeightScaleOptions(address=address, records=4, patient="adult#003", interval_s=1.5)))
    async with ward.meet(address) as client:
        packets = await take(await listen(client, 0x2A9D), 5)  # the last was stepped on just now
        assert {packet[0] for packet in packets} == {0x02}
        weights = [int.from_bytes(packet[1:3], "little") * 0.005 for packet in packets]
        assert weights == pytest.approx([81.6] * 5, abs=3)
        times = [struct.unpack_from("<HBBBBB", packet, 3) for packet in packets]
        assert times == sorted(times)
        assert int.from_bytes(await client.read_gatt_char(uuid(0x2A9E)), "little") & 0x7F == 0x39
    async with ward.meet(address) as client:
        again = await take(await listen(client, 0x2A9D))
        assert again[0] not in packets


async def test_a_scale_that_tells_people_apart_is_silent_before_consent(ward: Ward, address: str) -> None:
    await ward.start(BodyScale(BodyScaleOptions(address=address, records=12, users=2, unit="lb")))
    async with ward.meet(address) as client:
        composition, weights = await listen(client, 0x2A9C), await listen(client, 0x2A9D)
        users = await listen(client, 0x2A9F)
        await asyncio.sleep(0.6)
        assert composition.empty()
        assert await client.read_gatt_char(uuid(0x2A9A)) == b"\xff"
        assert await ask(client, users, 0x2A9F, "020100ff") == bytes.fromhex("200203")  # no such code can be
        assert await ask(client, users, 0x2A9F, bytes([2, 1]) + struct.pack("<H", 1001)) == bytes.fromhex("200205")
        assert await ask(client, users, 0x2A9F, bytes([2, 1]) + struct.pack("<H", 1000)) == bytes.fromhex("200201")
        assert await client.read_gatt_char(uuid(0x2A9A)) == b"\x01"
        packet = (await take(composition))[0]
        flags, fat = struct.unpack_from("<HH", packet)
        assert flags == 0x0FFF
        assert len(packet) == 2 + 2 + 7 + 1 + 2 * 9
        assert 50 <= fat <= 550
        assert packet[11] in (1, 0xFF)
        weight = (await take(weights))[0]
        assert weight[0] & 0x07 == 0x07
        assert await ask(client, users, 0x2A9F, bytes([1]) + struct.pack("<H", 77)) == bytes.fromhex("20010103")
        assert await ask(client, users, 0x2A9F, "7f") == bytes.fromhex("207f02")


async def test_a_body_scale_with_small_packets_sends_two_for_one_measurement(ward: Ward, address: str) -> None:
    await ward.start(BodyScale(BodyScaleOptions(address=address, records=1, mtu=23)))
    async with ward.meet(address) as client:
        first, second = await take(await listen(client, 0x2A9C), 2)
        assert (len(first), len(second)) == (17, 16)
        assert first[1] & second[1] & 0x10


async def test_a_cuff_shows_its_pressure_while_it_measures_and_forgets_its_bond_when_told_to(
    ward: Ward, address: str
) -> None:
    await ward.start(BloodPressureCuff(CuffOptions(address=address, records=2, interval_s=1, forget_bond=True)))
    async with ward.meet(address) as client:
        shown = await listen(client, 0x2A36)
        stored = await take(await listen(client, 0x2A35), 3)
        for packet in stored:
            systolic, diastolic, mean = struct.unpack_from("<HHH", packet, 1)
            assert 40 < diastolic < mean < systolic < 200
            assert packet[0] == 0x16
        assert (await take(shown))[0][3:] == b"\xff\x07\xff\x07"
    with pytest.raises((BleakError, TimeoutError)):
        async with ward.meet(address):
            pass
    await BleakClient(address, backend=ward.radio.client_backend).unpair()
    async with ward.meet(address) as client:
        await take(await listen(client, 0x2A35))


async def test_a_thermometer_sends_everything_twice_when_told_to(ward: Ward, address: str) -> None:
    await ward.start(Thermometer(ThermometerOptions(address=address, records=2, duplicate=True, unit="degF")))
    async with ward.meet(address) as client:
        assert await client.read_gatt_char(uuid(0x2A1D)) == b"\x03"
        packets = await take(await listen(client, 0x2A1C), 4)
        assert packets[0] == packets[1] != packets[2] == packets[3]
        assert packets[0][0] == 0x07
        mantissa, exponent = int.from_bytes(packets[0][1:4], "little"), packets[0][4]
        assert (90 < mantissa / 10 < 105, exponent) == (True, 0xFF)
        await client.write_gatt_char(uuid(0x2A21), b"\x3c\0", True)
        assert await client.read_gatt_char(uuid(0x2A21)) == b"\x3c\0"


async def test_an_oximeter_keeps_spot_checks_and_streams(ward: Ward, address: str) -> None:
    await ward.start(Oximeter(OximeterOptions(address=address, records=2, continuous_s=0.2, clock_skew_s=86_400 * 400)))
    async with ward.meet(address) as client:
        stream, spots = await listen(client, 0x2A5F), await take(await listen(client, 0x2A5E), 2)
        flags, saturation, pulse, year = struct.unpack_from("<BHHH", spots[0])
        assert (flags, 85 < saturation <= 100, 40 < pulse < 120) == (0x0F, True, True)
        assert year > 2026
        for packet in await take(stream, 2):
            assert (packet[0], len(packet)) == (0x1F, 1 + 12 + 2 + 3 + 2)
        assert len(await client.read_gatt_char(uuid(0x2A60))) == 7


async def test_a_belt_streams_to_whoever_listens(ward: Ward, address: str) -> None:
    await ward.start(HeartRateBelt(BeltOptions(address=address, interval_s=0.2)))
    async with ward.meet(address, pair=False) as client:
        assert await client.read_gatt_char(uuid(0x2A38)) == b"\x01"
        for packet in await take(await listen(client, 0x2A37), 3):
            flags, bpm, _energy, interval = struct.unpack_from("<BBHH", packet)
            assert flags == 0x1E
            assert interval / 1024 == pytest.approx(60 / bpm, abs=0.15)
        await client.write_gatt_char(uuid(0x2A39), b"\x01", True)
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_char(uuid(0x2A39), b"\x02", True)
        assert refused.value.code == 0x80


async def test_a_scale_shows_nothing_to_somebody_who_has_no_bond(ward: Ward, address: str) -> None:
    await ward.start(WeightScale(WeightScaleOptions(address=address)))
    async with ward.meet(address, pair=False) as client:
        with pytest.raises(BleakGATTProtocolError) as refused:
            await listen(client, 0x2A9D)
        assert refused.value.code in (0x05, 0x0F)


async def test_a_meter_that_mixes_and_drops_is_heard_out_in_the_end(ward: Ward, address: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "time,value,unit\n" + "".join(f"2026-11-01T{hour:02}:00,5.{hour % 10},mmol/L\n" for hour in range(24))
    )
    meter = GlucoseMeter(
        MeterOptions(address=address, passkey=PASSKEY, replay=file, reorder=True, drop_link=0.04, seed=3, records=0)
    )
    await ward.start(meter)
    heard: list[int] = []
    for _ in range(20):
        values: Values = asyncio.Queue()
        try:
            async with ward.meet(address) as client:
                values, answers = await listen(client, 0x2A18), await listen(client, 0x2A52)
                await client.write_gatt_char(uuid(0x2A52), b"\x01\x01", True)
                lost = asyncio.create_task(gone(client))
                done, _ = await asyncio.wait({lost, asyncio.create_task(answers.get())}, return_when="FIRST_COMPLETED")
                complete = lost not in done
                lost.cancel()
        except BleakError:
            complete = False
        seqs = [int.from_bytes(value[1:3], "little") for value in [values.get_nowait() for _ in range(values.qsize())]]
        heard.append(len(seqs))
        if complete:
            break
    assert complete
    assert sorted(seqs) == list(range(1, 25))
    assert seqs != sorted(seqs)
    assert len(heard) > 1


async def gone(client: BleakClient) -> None:
    await until(lambda: not client.is_connected)


async def test_a_device_joins_by_any_transport_that_bumble_knows(air: str, ward: Ward, address: str) -> None:
    transport = await join_air(f"hci:{air}")  # the same words open a real adapter: hci:usb:0
    belt = HeartRateBelt(BeltOptions(address=address))
    await belt.start(transport)
    async with ward.meet(address, pair=False) as client:
        assert await client.read_gatt_char(uuid(0x2A38)) == b"\x01"
    await transport.close()


async def test_devices_run_as_programs_and_keep_their_bonds(air: str, ward: Ward, address: str, tmp_path: Path) -> None:
    monitor = CgmOptions(address=address, passkey=PASSKEY, records=30, state=tmp_path / "cgm.json", name="mine")
    person, seen = ward.person, []
    for _ in range(2):
        program = Program(run_cgm, air, monitor)
        assert program.ready("cgm ready") == f"cgm ready {address} mine"
        async with ward.meet(address) as client:
            values, answers = await listen(client, 0x2AA7), await listen(client, 0x2A52)
            assert await ask(client, answers, 0x2A52, "0101") == b"\x06\0\1\1"
            seen.append(await take(values, 30))
        assert program.stop() == 0
    assert seen[0] == seen[1]
    assert person.asked == 1
