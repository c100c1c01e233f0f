"""paho over a socket that reads and writes for many packets at once; the other end of the wire is this test."""

import socket
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode

from device_gateway.transports.mqtt import packets
from device_gateway.transports.mqtt.bulk import PACKET_IDS, READ_BYTES, WRITE_BYTES, BulkClient, GatheringSocket
from device_gateway.transports.mqtt.packets import Arrived

CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"
BAD_CONNACK = b"\x20\x01\x00"


@pytest.fixture
def pair() -> Iterator[tuple[GatheringSocket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    gathering = GatheringSocket(near)
    yield gathering, far
    gathering.close()
    far.close()


class Wire:
    """A client as if it were connected, and the broker's end."""

    def __init__(self) -> None:
        near, self.far = socket.socketpair()
        near.setblocking(False)
        self.arrived: list[Arrived] = []
        self.client = BulkClient(self.arrived.extend, client_id="test")
        self.client._gathering = self.client._sock = GatheringSocket(near)

    def brings(self, octets: bytes) -> MQTTErrorCode:
        self.far.sendall(octets)
        return self.client.loop_read()

    def took(self) -> bytes:
        self.client.loop_write()
        self.far.setblocking(False)
        try:
            return self.far.recv(1 << 20)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        assert self.client._gathering
        self.client._gathering.close()
        self.far.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


def publish(topic: bytes, payload: bytes, packet_id: int = 0, flags: int = 0) -> bytes:
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", packet_id) if packet_id else b"") + payload
    length, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([0x30 | flags | (0x02 if packet_id else 0)]) + bytes(length) + body


MESSAGES = st.tuples(
    st.binary(max_size=40), st.binary(max_size=300), st.integers(0, 65_535), st.sampled_from([0, 1, 8, 9])
)
OTHERS = st.sampled_from([CONNACK, PINGRESP, b"\x40\x02\x00\x07"])


@given(messages=st.lists(MESSAGES | OTHERS, min_size=1, max_size=8), cuts=st.lists(st.integers(0, 5000), max_size=6))
def test_messages_arrive_whole_however_the_network_cuts_them(
    messages: list[tuple[bytes, bytes, int, int] | bytes], cuts: list[int]
) -> None:
    wire = Wire()
    octets = b"".join(each if isinstance(each, bytes) else publish(*each) for each in messages)
    for start, end in pairwise(sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})):
        assert wire.brings(octets[start:end]) == MQTTErrorCode.MQTT_ERR_SUCCESS
    assert wire.arrived == [
        Arrived(topic, payload, packet_id, bool(flags & 8), bool(flags & 1))
        for topic, payload, packet_id, flags in (each for each in messages if not isinstance(each, bytes))
    ]
    wire.close()


@given(st.binary(max_size=400))
def test_any_octets_are_messages_or_paho_s_affair_and_none_is_read_twice(octets: bytes) -> None:
    found = packets.read(octets)
    assert not found.other or octets[found.end :].startswith(found.other)
    read = [publish(m.topic, m.payload, m.packet_id, 8 * m.again + m.retained) for m in found.arrived]
    assert sum(map(len, read)) + 4 * len(found.acknowledged) <= found.end


def test_a_message_of_many_reads_is_put_together_once(wire: Wire) -> None:
    payload = bytes(range(256)) * 1024
    octets = publish(b"topic", payload, 7)
    for start in range(0, len(octets), READ_BYTES):
        wire.brings(octets[start : start + READ_BYTES])
    assert wire.arrived == [Arrived(b"topic", payload, 7, again=False, retained=False)]


@pytest.mark.parametrize(
    "octets",
    [
        b"\x32\x03\x00\x09x",  # a topic longer than its packet
        b"\x32\x01\x00",
        b"\x32\xff\xff\xff\xff\x01",  # a remaining length of five bytes
        BAD_CONNACK,
    ],
)
def test_what_is_malformed_ends_the_connection(wire: Wire, octets: bytes) -> None:
    assert wire.brings(publish(b"t", b"x", 1) + octets) != MQTTErrorCode.MQTT_ERR_SUCCESS
    assert len(wire.arrived) == 1


def test_the_end_of_the_connection_is_noticed(wire: Wire) -> None:
    wire.far.close()
    assert wire.client.loop_read() == MQTTErrorCode.MQTT_ERR_CONN_LOST


def test_messages_of_a_batch_go_out_together_and_are_kept_until_they_are_acknowledged(wire: Wire) -> None:
    wire.client.session_opened()
    assert wire.client.send([("a", b"x" * 200), ("b", b"y")]) == 0
    sent = wire.took()
    assert sent == publish(b"a", b"x" * 200, 1) + publish(b"b", b"y", 2)
    wire.brings(b"\x40\x02\x00\x01")
    wire.client.session_closed()
    wire.client.session_opened()
    assert wire.took() == publish(b"b", b"y", 2, flags=8)


def test_what_is_sent_without_a_connection_waits_for_one(wire: Wire) -> None:
    wire.client.send([("a", b"x")])
    assert wire.took() == b""
    wire.client.session_opened()
    assert wire.took() == publish(b"a", b"x", 1)


def test_no_packet_id_stands_for_two_messages(wire: Wire) -> None:
    wire.client.session_opened()
    wire.client.send([("a", b"first")])
    wire.client._last_mid = PACKET_IDS  # as if so many had been sent and acknowledged since
    wire.client.send([("a", b"second")])
    assert wire.took() == publish(b"a", b"first", 1) + publish(b"a", b"second", 2)
    assert wire.client.send([("a", b"")] * PACKET_IDS) == 3  # one more is left for a SUBSCRIBE


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


def test_paho_is_given_its_own_packets_only(pair: tuple[GatheringSocket, socket.socket]) -> None:
    near, far = pair
    far.sendall(publish(b"t", b"x") + PINGRESP + CONNACK)
    found = near.fill()
    assert found
    assert len(found.arrived) == 1
    assert near.recv(1) + near.recv(100) == PINGRESP
    near.again()
    assert near.recv(100) == CONNACK
    with pytest.raises(BlockingIOError):
        near.recv(1)
