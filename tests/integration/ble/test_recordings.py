"""Sessions recorded on the virtual radio, and played there again as devices."""

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ble_world import PASSKEY, Program, process_address, until
from bleak import BleakScanner
from edge_world import Gateway

from device_gateway.readings.model import Reading
from device_gateway.transports.ble.adapter import record_adapter
from device_gateway.transports.ble.link import AttributeRefused, Link, connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.sync import Patience, sync_records
from device_gateway.transports.ble.transfer import Batch
from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.recording.capture import record_all, record_sync
from device_gateway.transports.recording.decoding import readings_in
from device_gateway.transports.recording.session_file import Notified, Read, Recorder, Written, read_session
from device_simulators.ble.running import join_air
from device_simulators.replay.command import run_replay
from device_simulators.replay.player import Player
from device_simulators.replay.recording import read_recording

SESSIONS = Path(__file__).parents[2] / "golden" / "ble" / "sessions"
NAMES = sorted(file.name.removesuffix(".readings.jsonl") for file in SESSIONS.glob("*.readings.jsonl"))
CONTROL_POINT = "00002a52-0000-1000-8000-00805f9b34fb"
PATIENCE = Patience(first_s=60, next_s=60, live_s=60)

Play = Callable[..., Awaitable[tuple[str, Player]]]
_addresses = itertools.count(0xA0)


@pytest.fixture
async def play(air: str) -> AsyncIterator[Play]:
    """Plays a recording on the radio; its address, and the player."""
    async with AsyncExitStack() as playing:

        async def start(file: Path, **options: Any) -> tuple[str, Player]:
            address = process_address(next(_addresses))
            player = Player(read_recording(file), address=address, **options)
            transport = await join_air(air)
            playing.push_async_callback(transport.close)
            await player.start(transport)
            return address, player

        yield start


async def synced(link: Link, key: str, last: Batch | None = None) -> list[Batch]:
    batches: list[Batch] = []

    async def keep(batch: Batch) -> None:
        batches.append(batch)

    after = (last.position, last.mark, last.session) if last else (None, None, None)
    await sync_records(
        link, record_adapter(key), after[0], keep, mark=after[1], session=after[2], patience=PATIENCE
    )  # fmt: skip
    return batches


async def device(radio: Radio, address: str) -> Any:
    found = await BleakScanner.find_device_by_address(address, 10, backend=radio.scanner_backend)
    assert found is not None
    return found


def readings(file: Path) -> list[Reading]:
    return [result for result in readings_in(read_session(file)) if isinstance(result, Reading)]


def said_in_first_sync(file: Path) -> int:
    """How many notifications; what comes after the last request is the answer to "anything new?"."""
    events = read_session(file).events
    written = [place for place, event in enumerate(events) if isinstance(event, Written)]
    return sum(isinstance(event, Notified) for event in events[: written[-1] if written else None])


async def leave(player: Player) -> None:
    """The played device drops the link."""
    for connection in list(player.device.connections.values()):
        await connection.disconnect()


def without_receipt(readings: list[Reading]) -> list[Reading]:
    """What has no time of its own has that of receipt."""
    return [
        msgspec.structs.replace(reading, at=None) if "effective-time" in (reading.context or {}) else reading
        for reading in readings
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_a_played_recording_is_read_as_the_device_was(radio: Radio, play: Play, name: str) -> None:
    file = SESSIONS / f"{name}.jsonl"
    key = read_session(file).session.adapter
    assert key is not None
    address, player = await play(file)
    async with connected(radio, await device(radio, address)) as link:
        syncing = asyncio.create_task(synced(link, key))
        await until(lambda: player.said >= said_in_first_sync(file))
        await leave(player)
        batches = await syncing
    came = [reading for batch in batches for reading in batch.readings]
    assert without_receipt(came) == without_receipt(readings(file))
    assert player.mismatches == 0


async def test_what_was_read_is_not_read_again(radio: Radio, play: Play) -> None:
    address, player = await play(SESSIONS / "ble-glucose.jsonl", passkey=271_828)
    found = await device(radio, address)
    async with connected(radio, found) as link:
        batches = await synced(link, "ble-glucose")
    async with connected(radio, found) as link:
        assert await synced(link, "ble-glucose", batches[-1]) == []
        assert await synced(link, "ble-glucose", batches[-1]) == []
    assert player.mismatches == 0


async def test_a_request_that_was_not_recorded_is_refused_and_told(
    radio: Radio, play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    address, player = await play(SESSIONS / "ble-glucose.jsonl")
    async with connected(radio, await device(radio, address)) as link:
        await link.subscribe(CONTROL_POINT)
        with pytest.raises(AttributeRefused) as refused:
            await link.write(CONTROL_POINT, b"\x02\x01")
    assert refused.value.code == 0x0E
    assert player.mismatches == 1
    assert "0201 was never written in the recording" in capsys.readouterr().out


async def test_the_recording_of_a_played_recording_is_read_alike(radio: Radio, play: Play, tmp_path: Path) -> None:
    address, _ = await play(SESSIONS / "ble-cgm.jsonl")
    file = tmp_path / "again.jsonl"
    with Recorder(file) as recorder:
        captured = await record_sync(
            radio, recorder, adapter=record_adapter("ble-cgm"), address=address, find_s=10, listen_s=0.3
        )
    assert readings(file) == readings(SESSIONS / "ble-cgm.jsonl")
    assert captured.readings == len(readings(file))
    assert read_session(file).session.address == address


async def test_listening_reads_what_can_be_read_and_hears_what_comes(radio: Radio, play: Play, tmp_path: Path) -> None:
    address, _ = await play(SESSIONS / "ble-heart-rate.jsonl")
    file = tmp_path / "heard.jsonl"
    with Recorder(file) as recorder:
        came = await record_all(radio, recorder, address=address, find_s=10, listen_s=0.5)
    heard = read_session(file)
    first = readings(SESSIONS / "ble-heart-rate.jsonl")
    assert without_receipt(readings(file)) == without_receipt(first)
    assert came == len(first)
    assert {"2A29", "2A19"} <= {event.uuid for event in heard.of(Read)}


@pytest.mark.usefixtures("edge_id")
async def test_an_edge_reads_a_played_recording_to_the_gateway(
    air: str, play: Play, start_edge: Callable[[], Program], gateway: Gateway, tmp_path: Path
) -> None:
    address, player = await play(SESSIONS / "ble-glucose.jsonl", passkey=PASSKEY)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=address, passkey=PASSKEY)
    edge = start_edge()
    await until(lambda: len(gateway.readings) == 12)
    assert gateway.seqs == [*range(1, 13)]
    said = player.said
    await until(lambda: player.said > said)  # the next round asks whether there is anything new
    assert edge.stop() == 0
    assert player.mismatches == 0
    assert set(gateway.readings.values()) == {1}


def test_commands_record_and_play(air: str, tmp_path: Path) -> None:
    address = process_address(0x9F)
    player = Program(run_replay, air, SESSIONS / "ble-thermometer.jsonl", address)
    try:
        assert player.ready("replay ready ") == f"replay ready {address} Recorded device"
        file = tmp_path / "thermometer.jsonl"
        asked = ["capture", str(file), "--address", address, "--seconds", "2", "--anonymous", "--json"]
        ran = started(*asked, "--radio", air, "--bonds", str(tmp_path / "bonds.json"))
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["readings"] == 4
        assert readings(file) == readings(SESSIONS / "ble-thermometer.jsonl")
    finally:
        assert player.stop() == 0


def started(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`device-gateway radio …` as somebody starts it from a shell."""
    asked = [sys.executable, "-m", "device_gateway", "radio", *arguments]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)


async def test_a_device_that_is_not_there_leaves_no_file(air: str, tmp_path: Path) -> None:
    file = tmp_path / "nothing.jsonl"
    asked = ["capture", str(file), "--address", process_address(0x9E), "--find", "0.2", "--radio", air]
    ran = await asyncio.to_thread(started, *asked, "--bonds", str(tmp_path / "bonds.json"))
    assert ran.returncode == 75
    assert "was not heard within 0.2 s" in ran.stderr
    assert not file.exists()


async def test_a_device_that_goes_leaves_what_was_recorded(radio: Radio, play: Play, tmp_path: Path) -> None:
    address, player = await play(SESSIONS / "ble-heart-rate.jsonl")
    file = tmp_path / "broken.jsonl"
    with Recorder(file) as recorder:
        listening = asyncio.create_task(record_all(radio, recorder, address=address, find_s=10, listen_s=60))
        await until(lambda: b'"event":"notified"' in file.read_bytes())
        await leave(player)
        assert await listening > 0
    assert '"event":"disconnected"' in file.read_text("utf-8")
