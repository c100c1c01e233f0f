"""paho over a socket that reads and writes for many packets at once; the other end of the wire is this test."""

import socket
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode

from device_gateway.transports.mqtt.bulk import READ_BYTES, WRITE_BYTES, Arrived, BulkClient, GatheringSocket


@pytest.fixture
def pair() -> Iterator[tuple[GatheringSocket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    gathering = GatheringSocket(near)
    yield gathering, far
    gathering.close()
    far.close()


def publish(topic: bytes, payload: bytes, packet_id: int = 0, flags: int = 0) -> bytes:
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", packet_id) if packet_id else b"") + payload
    length, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([0x30 | flags | (0x02 if packet_id else 0)]) + bytes(length) + body


def taken(octets: bytes, cuts: list[int]) -> list[Arrived]:
    """What arrives of `octets` when the network brings them in pieces."""
    near, far = socket.socketpair()
    near.setblocking(False)
    arrived: list[Arrived] = []
    client = BulkClient(arrived.append, client_id="test")
    client._gathering = client._sock = GatheringSocket(near)  # as if it were connected
    edges = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        far.sendall(octets[start:end])
        assert client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
    far.close()
    near.close()
    return arrived


MESSAGES = st.tuples(
    st.binary(max_size=40), st.binary(max_size=300), st.integers(0, 65_535), st.sampled_from([0, 1, 8, 9])
)


@given(messages=st.lists(MESSAGES, min_size=1, max_size=8), cuts=st.lists(st.integers(0, 5000), max_size=6))
def test_messages_arrive_whole_however_the_network_cuts_them(
    messages: list[tuple[bytes, bytes, int, int]], cuts: list[int]
) -> None:
    octets = b"".join(publish(*message) for message in messages)
    assert taken(octets, cuts) == [
        Arrived(topic, payload, packet_id, bool(flags & 8), bool(flags & 1))
        for topic, payload, packet_id, flags in messages
    ]


def test_a_message_that_is_malformed_ends_the_connection() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    client = BulkClient(lambda _: None, client_id="test")
    client._gathering = client._sock = GatheringSocket(near)
    far.sendall(b"\x32\x03\x00\x09x")
    assert client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS
    far.close()


def test_what_was_written_goes_out_together_and_in_order(pair: tuple[GatheringSocket, socket.socket]) -> None:
    near, far = pair
    for part in (b"one", b"two", b"three"):
        assert near.send(part) == len(part)
    assert near.unsent() == 11
    near.flush()
    assert (far.recv(100), near.unsent()) == (b"onetwothree", 0)


def test_a_network_that_takes_nothing_is_waited_for_and_nothing_is_lost(
    pair: tuple[GatheringSocket, socket.socket],
) -> None:
    near, far = pair
    sent = 0
    with pytest.raises(BlockingIOError):  # noqa: PT012  # it takes what the socket's own buffers take
        for _ in range(1000):
            sent += near.send(bytes(WRITE_BYTES // 4))
    far.setblocking(False)
    received = 0
    while near.unsent() or received < sent:
        received += len(far.recv(1 << 20))
        near.flush()
    assert received == sent


def test_what_was_read_in_advance_is_pending(pair: tuple[GatheringSocket, socket.socket]) -> None:
    near, far = pair
    far.sendall(bytes(100))
    assert (len(near.recv(1)), near.pending()) == (1, 99)
    assert (len(near.recv(READ_BYTES)), near.pending()) == (99, 0)
    with pytest.raises(BlockingIOError):
        near.recv(1)
