"""How much decoding a Glucose Measurement costs beside the least that any decoder has to do.

The least is struct.unpack and one frozen object of the same fields. What that object is decides the figure, so there
are three:

a frozen dataclass of the twelve numbers as they stand, which Python sets one by one;
a frozen msgspec struct of the same twelve numbers, which costs a fraction of it;
a frozen msgspec struct of what a `Reading` says: the time as a datetime with its offset added, the value as a decimal
string (of the mantissa alone: no exponent, no special values), unit, number, and constants for all that is named.
None of them checks anything.
"""

import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

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


class Said(msgspec.Struct, frozen=True, gc=False):
    """What a reading says, in fields."""

    metric: str
    unit: str
    at: datetime
    value: str
    seq: int
    sample_type: str
    sample_location: str
    sensor_status: int


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

    def as_said() -> None:
        for packet in packets:
            _, seq, year, month, day, hour, minute, second, offset_min, word, _, status = struct.unpack(LAYOUT, packet)
            at = datetime(year, month, day, hour, minute, second) + timedelta(minutes=offset_min)  # noqa: DTZ001
            Said("blood-glucose", "mg/dL", at, str(word & 0x0FFF), seq, "capillary-whole-blood", "finger", status)

    def ours() -> None:
        decoder = GlucoseMeter.decoder()
        for packet in packets:
            decoder.feed(MEASUREMENT, packet)

    decoder = GlucoseMeter.decoder()
    assert all(decoder.feed(MEASUREMENT, packet)[0].seq == seq for seq, packet in enumerate(packets))
    dataclass_us = msgspec_us = said_us = ours_us = math.inf
    for _ in range(ROUNDS):  # by turns: what else the machine does only ever adds, so the fastest counts
        dataclass_us = min(dataclass_us, _microseconds(with_dataclass))
        msgspec_us = min(msgspec_us, _microseconds(with_msgspec))
        said_us = min(said_us, _microseconds(as_said))
        ours_us = min(ours_us, _microseconds(ours))
    how = "0x2A18 with all its fields, bytes to Reading; limit: struct.unpack and a frozen {}; aim: 3 times"
    return [
        _figure("ble-decode-vs-struct", ours_us, dataclass_us, how.format("dataclass of the 12 numbers")),
        _figure("ble-decode-vs-msgspec-struct", ours_us, msgspec_us, how.format("msgspec struct of the 12 numbers")),
        _figure("ble-decode-vs-said-fields", ours_us, said_us, how.format("msgspec struct with datetime and text")),
    ]


def _figure(name: str, ours_us: float, least_us: float, how: str) -> Figure:
    return Figure(name, round(ours_us, 2), round(least_us, 2), round(ours_us / least_us, 2), "us", how)


def _microseconds(work: Callable[[], None]) -> float:
    """For one packet."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) / PACKETS * 1e6
