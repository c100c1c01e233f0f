"""An edge over the virtual radio: what decoding and storing add to a transfer, and what twenty devices lose.

The radio and the meters are processes of their own; the edge's part runs here, with its spool on this disk.
"""

import asyncio
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

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
from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.running import join_air

PASSKEY = 271_828
RECORDS = 500
ROUNDS = 7  # each of both kinds, in turn; the median counts
MOST_RATIO = 1.3
DEVICES, RECORDS_EACH = 20, 100
PATIENCE_S = 90.0


class Agent(PairingAgent):
    """Knows the passkey."""

    async def passkey(self, address: str) -> int | None:  # noqa: ARG002  every meter has the same one
        return PASSKEY


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with _air(place) as radio:
            with _meters(radio, 1, RECORDS):
                transfer = asyncio.run(_transfer(radio, place))
            with _meters(radio, DEVICES, RECORDS_EACH):
                lost = asyncio.run(_lost(radio, place))
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
    async with connected(radio, (await find(radio, _address(0), 10)).device) as link:
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


async def _lost(spec: str, place: Path) -> Figure:
    home = place / "home"
    configure(home, edge_id="bench", mqtt_url="mqtt://127.0.0.1:1883", password="none")  # noqa: S106  nobody listens there
    for number in range(DEVICES):
        add_meter(home, device_id=f"meter-{number}", address=_address(number), passkey=PASSKEY)
    expected = DEVICES * RECORDS_EACH
    with opened(home) as state:
        attendant = Attendant(state, Publisher(state.edge(), state), 15.0)
        deadline = time.monotonic() + PATIENCE_S
        async with open_radio(spec, home / "bonds.json", Agent()) as radio:
            await attendant.attend(radio, lambda: len(_spooled(state)) >= expected or time.monotonic() > deadline)
        lost = expected - len(_spooled(state))
    return Figure(
        "ble-edge-20-devices-lost", lost, 0, None, "readings",
        f"{DEVICES} meters with {RECORDS_EACH} records each, read by one edge; 0",
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


@contextmanager
def _meters(spec: str, count: int, records: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_serve, args=(spec, count, records, ready), daemon=True)
    process.start()
    ready.wait(60)
    yield
    process.terminate()
    process.join()


def _serve(spec: str, count: int, records: int, ready: Event) -> None:
    asyncio.run(_stay(spec, count, records, ready))


async def _stay(spec: str, count: int, records: int, ready: Event) -> None:
    for number in range(count):
        meter = GlucoseMeter(MeterOptions(address=_address(number), passkey=PASSKEY, records=records, seed=number))
        await meter.start(await join_air(spec))
    ready.set()
    await asyncio.Event().wait()


def _address(number: int) -> str:
    return f"C0:00:00:00:BE:{number:02X}"
