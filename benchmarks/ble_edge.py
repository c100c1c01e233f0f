"""An edge over the virtual radio: what decoding and storing add to a transfer, and what twenty devices lose.

The radio and the meters are processes of their own; the edge's part runs here, with its spool on this disk.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ble_devices import PASSKEY, Numbers, Running, Wanted, address, devices
from benchmarks.figure import Figure
from device_gateway.transports.ble.link import Link, connected
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import Radio, open_radio
from device_gateway.transports.ble.record_access import RecordAccess, Selection
from device_gateway.transports.ble.scan import find
from device_gateway.transports.ble.sync import sync_records
from device_gateway.transports.ble.transfer import Batch
from device_gateway.transports.edge.attending import Attendant
from device_gateway.transports.edge.messages import messages_of
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.state import EdgeState, add_meter, configure, opened
from device_gateway_ble.glucose import GlucoseMeter as GlucoseAdapter

RECORDS = 500
ROUNDS = 7  # each of both kinds, in turn; the median counts
MOST_RATIO = 1.3
METERS, SENSORS = 10, 10
RECORDS_EACH = 50  # in memory at first
NEW_S = 1.0  # between new values of each device
LIVE_S = 20.0  # how long all of them measure once the first records are here
POLL_S = 3.0
PATIENCE_S = 90.0


class Agent(PairingAgent):
    """Knows the passkey, which is the same for every device."""

    async def passkey(self, _address: str) -> int | None:
        return PASSKEY


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with _air(place) as radio:
            with devices(radio, Wanted(1, 0, RECORDS)):
                transfer = asyncio.run(_transfer(radio, place))
            with devices(radio, Wanted(METERS, SENSORS, RECORDS_EACH, NEW_S)) as running:
                lost = asyncio.run(_lost(radio, place, running))
    return [transfer, lost]


async def _transfer(spec: str, place: Path) -> Figure:
    configure(place, edge_id="bench", mqtt_url="mqtt://127.0.0.1:1883", password="none")  # noqa: S106  nobody listens there
    bare, ours = [], []
    with opened(place) as state:
        async with open_radio(spec, place / "bonds.json", Agent()) as radio:
            for _ in range(ROUNDS):
                bare.append(await _timed(radio, _bare))
                ours.append(await _timed(radio, lambda link: _stored(link, state)))
    ratio = statistics.median(ours) / statistics.median(bare)
    return Figure(
        "ble-racp-500-vs-bare", statistics.median(ours) * 1000, statistics.median(bare) * 1000, ratio, "ms",
        f"{RECORDS} records decoded and spooled ÷ the same transfer with neither; ≤ {MOST_RATIO}",
    )  # fmt: skip


async def _timed(radio: Radio, work: Callable[[Link], Awaitable[None]]) -> float:
    async with connected(radio, (await find(radio, address(0), 10)).device) as link:
        began = time.perf_counter()
        await work(link)
        return time.perf_counter() - began


async def _bare(link: Link) -> None:
    adapter = GlucoseAdapter
    assert adapter.record_access
    for uuid in (*adapter.notifies, adapter.record_access):
        await link.subscribe(uuid)
    access = RecordAccess(link, adapter.record_access)
    count = await access.count(Selection.every())
    came = 0

    async def packet(_uuid: str, _value: bytes) -> None:
        nonlocal came
        came += 1

    await access.report(Selection.every(), packet, count)
    assert came >= count == RECORDS


async def _stored(link: Link, state: EdgeState) -> None:
    async def keep(batch: Batch) -> None:
        with state.transaction():
            for message in messages_of(batch, "meter", "ble-glucose", None, None):
                state.spool.put(message)
            state.advance("meter", batch.position, batch.mark, batch.session)

    report = await sync_records(link, GlucoseAdapter(), None, keep)
    assert report.records == RECORDS
    assert report.complete


async def _lost(spec: str, place: Path, running: Running) -> Figure:
    """Devices that measure all the time, until they stop; then what they measured and sent against the spool."""
    home = place / "home"
    configure(home, edge_id="bench", mqtt_url="mqtt://127.0.0.1:1883", password="none")  # noqa: S106  nobody listens there
    for number in range(METERS + SENSORS):
        key = "ble-glucose" if number < METERS else "ble-cgm"
        add_meter(home, device_id=address(number), address=address(number), adapter=key, passkey=PASSKEY)
    measured: Numbers = {}
    notified = 0
    with opened(home) as state:
        attendant = Attendant(state, Publisher(state.edge(), state), POLL_S)
        deadline = time.monotonic() + PATIENCE_S

        async def watch() -> None:
            nonlocal measured, notified
            for _ in range(int(PATIENCE_S / POLL_S)):
                if len({device for device, _ in _spooled(state)}) == METERS + SENSORS:
                    break
                await asyncio.sleep(POLL_S)
            await asyncio.sleep(LIVE_S)
            measured, notified = await asyncio.to_thread(running.stop_measuring)

        def are_here() -> bool:
            """All records of the meters. What a sensor sent last is kept when it is left alone."""
            here = _spooled(state)
            meters = {(at, seq) for at, seqs in measured.items() for seq in seqs if at < address(METERS)}
            return bool(measured) and (meters <= here or time.monotonic() > deadline)

        async with open_radio(spec, home / "bonds.json", Agent()) as radio:
            watching = asyncio.create_task(watch())
            await attendant.attend(radio, are_here)
            await watching
        here = _spooled(state)
    sent = {(at, seq) for at, seqs in measured.items() for seq in seqs}
    return Figure(
        "ble-edge-20-devices-lost", len(sent - here), 0, None, "readings",
        f"{METERS} meters and {SENSORS} sensors with live notifications, each with {RECORDS_EACH} records and a new "
        f"one every {NEW_S:g} s for {LIVE_S:g} s; of {len(sent)} records measured, {notified} notified until they "
        "stopped; 0",
    )  # fmt: skip


def _spooled(state: EdgeState) -> set[tuple[str, int]]:
    """(device, sequence number) of each reading that the spool holds."""
    messages = state.spool.oldest(1_000_000, set())
    bodies = [json.loads(message.body) for message in messages if message.channel == "readings"]
    return {(reading["device"], reading["seq"]) for body in bodies for reading in body["readings"]}


@contextmanager
def _air(place: Path) -> Iterator[str]:
    spec = f"unix:{place}/air.sock"
    process = subprocess.Popen([sys.executable, "-m", "device_simulators.radio.air", spec], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield spec
    process.terminate()
    process.wait()
