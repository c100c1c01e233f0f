"""Packets of MQTT 3.1.1 that come and go in numbers, many at once: PUBLISH of QoS 0 and 1, and PUBACK."""

from collections.abc import Iterable
from typing import Final, NamedTuple

PUBLISH: Final = 0x30  # types of packet, in the high half of the first byte (2.2.1)
PUBACK: Final = 0x40
AGAIN: Final = 0x08  # flags of PUBLISH (3.3.1): DUP
QOS_2: Final = 0x04
QOS_1: Final = 0x02
RETAINED: Final = 0x01
MOST_BYTES: Final = 4  # of the remaining length (2.2.3)


class Arrived(NamedTuple):
    """A PUBLISH (3.3). `packet_id` is 0 where the message needs no acknowledgement."""

    topic: bytes
    payload: bytes
    packet_id: int
    again: bool
    retained: bool


class Found(NamedTuple):
    """What the beginning of some octets holds: messages, acknowledgements of ours, and what came behind them.

    end     up to where it was read
    other   the packet at `end`, if it is whole, of another kind; or octets that are no packet
    wanted  how many octets from `end` on the packet there has, 0 where too few are there to tell
    """

    arrived: list[Arrived]
    acknowledged: list[int]
    end: int
    other: bytes
    wanted: int


def read(octets: bytes) -> Found:
    """Whole packets, up to the first one that is another kind's affair, or is not all there."""
    arrived: list[Arrived] = []
    acknowledged: list[int] = []
    at, size = 0, len(octets)
    while at + 2 <= size:
        first, length = octets[at], octets[at + 1]
        start = at + 2
        if length & 0x80:
            length, start = _length(octets, at + 1)
            if not start:
                break
            if length < 0:
                return Found(arrived, acknowledged, at, octets[at:], 0)
        end = start + length
        if end > size:
            return Found(arrived, acknowledged, at, b"", end - at)
        if first & 0xF4 == PUBLISH and length >= 2:
            behind_topic = start + 2 + (octets[start] << 8 | octets[start + 1])
            behind_header = behind_topic + (first & QOS_1)  # a packet id has two bytes
            if behind_header > end:
                return Found(arrived, acknowledged, at, octets[at:end], 0)
            number = octets[behind_topic] << 8 | octets[behind_topic + 1] if first & QOS_1 else 0
            topic, payload = octets[start + 2 : behind_topic], octets[behind_header:end]
            arrived.append(Arrived(topic, payload, number, first & AGAIN != 0, first & RETAINED != 0))
        elif first == PUBACK and length == 2:
            acknowledged.append(octets[start] << 8 | octets[start + 1])
        else:
            return Found(arrived, acknowledged, at, octets[at:end], 0)
        at = end
    return Found(arrived, acknowledged, at, b"", 0)


def _length(octets: bytes, at: int) -> tuple[int, int]:
    """(remaining length, where it ends); the end is 0 where octets are missing, the length -1 where it has too many."""
    length = shift = 0
    for place in range(at, at + MOST_BYTES):
        if place >= len(octets):
            return 0, 0
        length |= (octets[place] & 0x7F) << shift
        if not octets[place] & 0x80:
            return length, place + 1
        shift += 7
    return -1, at


def publish(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH of QoS 1."""
    left = 4 + len(topic) + len(payload)
    length = b""
    while left > 0x7F:
        length += bytes((left & 0x7F | 0x80,))
        left >>= 7
    return b"\x32%b%c%b%b%b%b" % (
        length, left, len(topic).to_bytes(2, "big"), topic, packet_id.to_bytes(2, "big"), payload,
    )  # fmt: skip


def again(packet: bytes) -> bytes:
    """The same PUBLISH, as one that is sent another time."""
    return bytes((packet[0] | AGAIN,)) + packet[1:]


def acknowledgements(packet_ids: Iterable[int]) -> bytes:
    """A PUBACK for each (3.4)."""
    return b"".join([b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids])
