"""The write path against the fastest way PostgreSQL takes rows: a binary COPY of ready-made rows into the same table.

Ours is measured from payload bytes in to COMMIT with outcomes out: decoding, looking up devices and holdings,
units, plausibility, placing, COPY, activity, outcomes. Rounds of ours and of the limit alternate, and the median ratio
of neighbouring rounds is reported: what else runs on the machine strikes both.
"""

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import Connection

from benchmarks.figure import Figure
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import connect
from device_gateway.devices.topics import topic_of
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.message import Message
from device_gateway.readings.packed import ReadingRow
from device_gateway.readings.put import COPY, COPY_TYPES, IDENTITY, to_microseconds

DEVICES = 500
PER_MESSAGE = 50  # readings in a message: an edge that sends what a sensor measured in some hours
ROUNDS = {100: 60, 1_000: 30, 10_000: 16}
WARM_UP = 3
LIMIT_SERIES = 1_000_000  # series of the limit's rows: none of ours has such a number
START = datetime.now(UTC) - timedelta(days=20)

_MINUTES = itertools.count()  # every reading of this benchmark has a time of its own


def run() -> list[Figure]:
    with TemporaryDirectory(prefix="dg-bench-") as directory:
        server = EmbeddedPostgres(Path(directory))
        server.start()
        try:
            migrate(server.url("gateway_owner"))
            with connect(server.url("gateway_owner"), "gateway_owner") as owner:
                devices = [new_device(owner) for _ in range(DEVICES)]
            url = server.url("gateway_ingest")
            with connect(url, "gateway_ingest") as ours, connect(url, "gateway_ingest") as limit:
                gc.freeze()
                figures = [_fresh(ours, limit, devices, size) for size in ROUNDS]
                return [*figures, _replay(ours, limit, devices)]
        finally:
            server.stop()


def _fresh(ours: Connection[Any], limit: Connection[Any], devices: Sequence[UUID], size: int) -> Figure:
    writer = BatchWriter(ours, 90)
    times: list[tuple[float, float]] = []
    for number in range(ROUNDS[size] + WARM_UP):
        messages, rows = _messages(devices, size), _rows(size)
        pair = (
            _seconds(lambda messages=messages: writer.commit(messages)),
            _seconds(lambda rows=rows: _copy(limit, rows)),
        )
        if number >= WARM_UP:
            times.append(pair)
    return _figure(f"write-fresh-{size}", size, times, "fresh readings, bytes in to COMMIT with outcomes; limit: COPY")


def _replay(ours: Connection[Any], limit: Connection[Any], devices: Sequence[UUID]) -> Figure:
    writer = BatchWriter(ours, 90)
    messages = _messages(devices, 10_000)
    writer.commit(messages)
    times: list[tuple[float, float]] = []
    for number in range(10 + WARM_UP):
        rows = _rows(10_000)
        pair = _seconds(lambda: writer.commit(messages)), _seconds(lambda rows=rows: _copy(limit, rows))
        if number >= WARM_UP:
            times.append(pair)
    return _figure("write-replay-10000", 10_000, times, "nothing but duplicates; limit: COPY of fresh rows")


def _figure(name: str, size: int, times: Sequence[tuple[float, float]], how: str) -> Figure:
    ours, limit = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(theirs / mine for mine, theirs in times)
    return Figure(name, round(size / ours), round(size / limit), round(ratio, 3), "readings/s", how)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()  # a collection in one of a pair would be counted against it
    begun = time.perf_counter()
    work()
    taken = time.perf_counter() - begun
    gc.enable()
    return taken


def _copy(connection: Connection[Any], rows: Sequence[ReadingRow]) -> None:
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(COPY_TYPES)
        for row in rows:
            copy.write_row(row)


def new_device(owner: Connection[Any]) -> UUID:
    space = owner.execute("INSERT INTO gateway.space DEFAULT VALUES RETURNING id").fetchone()
    device = owner.execute(
        "INSERT INTO gateway.device (model, kind) VALUES ('dg-cgm', 'device') RETURNING id"
    ).fetchone()
    assert space
    assert device
    owner.execute(
        "INSERT INTO gateway.device_holding (device_id, space_id, during, name)"
        " VALUES (%s, %s, '[2020-01-01,)', 'CGM')",
        (device.id, space.id),
    )
    return UUID(str(device.id))


def _messages(devices: Sequence[UUID], size: int) -> list[Message]:
    messages = []
    for number in range(size // PER_MESSAGE):
        device = devices[number % len(devices)]
        readings = [
            {"metric": "interstitial-glucose", "value": str(70 + (number + index) % 200), "unit": "mg/dL",
             "at": _next_time().isoformat(), "seq": index}
            for index in range(PER_MESSAGE)
        ]  # fmt: skip
        payload = {"message_id": str(uuid4()), "sent_at": datetime.now(UTC).isoformat(), "readings": readings}
        messages.append(Message(topic_of(device, "readings"), msgspec.json.encode(payload), datetime.now(UTC)))
    return messages


def _rows(size: int) -> list[ReadingRow]:
    """As many rows, of as many series, in the order in which they are stored best."""
    rows: list[ReadingRow] = [
        (LIMIT_SERIES + (index // PER_MESSAGE) % DEVICES, to_microseconds(_next_time()), index % PER_MESSAGE,
         70.0 + index % 200, 0, 0, 1, None, None, None)
        for index in range(size)
    ]  # fmt: skip
    return sorted(rows, key=IDENTITY)


def _next_time() -> datetime:
    return START + timedelta(seconds=next(_MINUTES))
