"""How much decoding a Glucose Measurement costs beside the least that any decoder has to do.

The least is struct.unpack and one frozen object of the fields as they stand. What that object is decides the figure, so
there are two: a frozen dataclass, which sets its fields one by one in Python, and a frozen msgspec struct, as `Reading`
is one, which costs a fraction of it.
"""

import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, fields

import msgspec

from benchmarks.figure import Figure
from device_gateway_ble.glucose import GlucoseMeter

PACKETS = 500
ROUNDS = 200
LAYOUT = "<BHHBBBBBhHBH"  # all the fields of 0x2A18, each present
MEASUREMENT = GlucoseMeter.notifies[0]


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a Glucose Measurement as they stand in it."""

    flags: int
    seq: int
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    offset_min: int
    concentration: int
    type_location: int
    status: int


FieldsStruct = msgspec.defstruct(
    "FieldsStruct", [(field.name, int) for field in fields(Fields)], frozen=True, gc=False
)  # the same


def run() -> list[Figure]:
    packets = [
        struct.pack(
            LAYOUT,
            *(0x0B, seq, 2026, 1 + seq % 12, 1 + seq % 28, seq % 24, seq % 60, 5),
            *(60, 0xB000 | 40 + seq, 0x11, seq & 1),
        )
        for seq in range(PACKETS)
    ]

    def with_dataclass() -> None:
        for packet in packets:
            Fields(*struct.unpack(LAYOUT, packet))

    def with_msgspec() -> None:
        for packet in packets:
            FieldsStruct(*struct.unpack(LAYOUT, packet))

    def ours() -> None:
        decoder = GlucoseMeter.decoder()
        for packet in packets:
            decoder.feed(MEASUREMENT, packet)

    decoder = GlucoseMeter.decoder()
    assert all(decoder.feed(MEASUREMENT, packet)[0].seq == seq for seq, packet in enumerate(packets))
    dataclass_us = msgspec_us = ours_us = math.inf
    for _ in range(ROUNDS):  # by turns: what else the machine does only ever adds, so the fastest counts
        dataclass_us = min(dataclass_us, _microseconds(with_dataclass))
        msgspec_us = min(msgspec_us, _microseconds(with_msgspec))
        ours_us = min(ours_us, _microseconds(ours))
    how = "0x2A18 with all its fields, bytes to Reading; limit: struct.unpack and a frozen {} of them; aim: 3 times"
    return [
        _figure("ble-decode-vs-struct", ours_us, dataclass_us, how.format("dataclass")),
        _figure("ble-decode-vs-msgspec-struct", ours_us, msgspec_us, how.format("msgspec struct")),
    ]


def _figure(name: str, ours_us: float, least_us: float, how: str) -> Figure:
    return Figure(name, round(ours_us, 2), round(least_us, 2), round(ours_us / least_us, 2), "us", how)


def _microseconds(work: Callable[[], None]) -> float:
    """For one packet."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) / PACKETS * 1e6
