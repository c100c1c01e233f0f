"""From a device's PUBLISH to a FHIR request that finds the reading, while the gateway works at a tenth of what it can.

One device publishes and an app asks for its newest weight, again and again, until it is there; 64 others keep ingestion
busy. The moment counts at which the request was sent that found it: what a search takes is another figure's. The limit
is the time that ingestion waits for a batch to fill.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import msgspec
from paho.mqtt import client as mqtt

from benchmarks import mqtt as stage_of
from benchmarks.figure import Figure
from device_gateway.database.pool import open_pool
from device_gateway.devices.topics import sent_filters, topic_of
from device_gateway.settings import load_settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))  # apps with tokens

from fhir_world import Session, World

BUSY_RATE = 600  # messages a second: a tenth of what one worker takes in
PROBES, WARM_UP = 200, 20
PATIENCE_S = 30.0
SEARCH = "Observation?code=http://loinc.org|29463-7&_sort=-date&_count=1"
MOST_RATIO = 3


def run() -> list[Figure]:
    window_s = load_settings().ingest_batch_ms / 1000
    with TemporaryDirectory(prefix="dg-bench-") as directory, stage_of.staged(Path(directory)) as stage:
        stage_of.session(stage, "dg-ingest-0", sent_filters())
        with stage_of.ingesting(stage, 1), _busy(stage):
            taken = asyncio.run(_probe(stage))
    p99 = quantiles(taken, n=100)[98]
    how = f"publish to readable over FHIR at {BUSY_RATE} messages/s, p99; limit: the batch window; aim < {MOST_RATIO}"
    print(f"latency: median {median(taken) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
    return [
        Figure("latency-p99-vs-window", round(p99 * 1000, 1), window_s * 1000, round(p99 / window_s, 2), "ms", how),
        Figure("latency-median", round(median(taken) * 1000, 1), None, None, "ms", how.replace("p99", "median")),
    ]


async def _probe(stage: stage_of.Stage) -> list[float]:
    """Seconds for each of PROBES readings."""
    async with open_pool(stage.postgres.url("gateway_app"), "gateway_app") as pool:
        world = World(pool, stage.postgres.url("gateway_owner"))
        async with world.client:
            session = await world.session("weight")
            device = session.space.device()
            client = stage_of.new_client("probe", clean=True)
            client.connect("127.0.0.1", stage.port)
            client.loop_start()
            taken = [await _one(session, client, device, number) for number in range(PROBES + WARM_UP)]
            client.disconnect()
            client.loop_stop()
    return taken[WARM_UP:]


async def _one(session: Session, client: mqtt.Client, device: UUID, number: int) -> float:
    at = datetime.now(UTC).replace(microsecond=number)
    body = {"readings": [{"metric": "body-weight", "value": "72.4", "unit": "kg", "at": at.isoformat()}]}
    payload = msgspec.json.encode(body)
    begun = time.perf_counter()
    client.publish(topic_of(device, "readings"), payload, qos=1)
    while (asked := time.perf_counter()) < begun + PATIENCE_S:
        if _instant(await session.search(SEARCH)) == at:
            return asked - begun
    raise RuntimeError("a reading was not to be read")


def _instant(bundle: dict[str, Any]) -> datetime | None:
    found = [entry["resource"]["effectiveDateTime"] for entry in bundle.get("entry", ()) if "resource" in entry]
    return datetime.fromisoformat(found[0]) if found else None


@contextmanager
def _busy(stage: stage_of.Stage) -> Iterator[None]:
    stop = threading.Event()
    payloads = stage.payloads(BUSY_RATE * 60, 1, answered=False)
    thread = threading.Thread(target=_publish_evenly, args=(stage, payloads, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _publish_evenly(stage: stage_of.Stage, payloads: Sequence[tuple[UUID, bytes]], stop: threading.Event) -> None:
    client = stage_of.new_client("busy", clean=True)
    client.connect("127.0.0.1", stage.port)
    client.loop_start()
    begun = time.monotonic()
    for number, (device, body) in enumerate(payloads):
        if stop.wait(max(0.0, begun + number / BUSY_RATE - time.monotonic())):
            break
        client.publish(topic_of(device, "readings"), body, qos=1)
    client.disconnect()
    client.loop_stop()
