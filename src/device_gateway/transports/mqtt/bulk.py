"""paho's client with its system calls made for many packets at once.

paho reads a packet's first bytes one by one and writes each packet by itself: most of what a message costs it. Here a
socket between it and the network reads as much as there is and writes what has gathered, the packets that are there are
handled without asking again whether there are any, and a message goes to one function without a search for whose it is.
Three of paho's own methods are touched, `_create_socket`, `_packet_queue` and `_handle_publish`; see
docs/decisions/015.
"""

import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

READ_BYTES: Final = 65_536  # some 400 small messages; what is unread stays with the broker
WRITE_BYTES: Final = 65_536  # gathered at most, then the network has to take some
PACKETS: Final = 1_000  # handled in a row: then acknowledgements and keep-alives have their turn
PUBACK: Final = 0x40  # MQTT 3.1.1, 3.4: fixed header of four bytes in all


class Arrived(NamedTuple):
    """A PUBLISH, MQTT 3.1.1, 3.3. `packet_id` is 0 where the message needs no acknowledgement."""

    topic: bytes
    payload: bytes
    packet_id: int
    again: bool
    retained: bool


class GatheringSocket:
    """A socket as paho uses one, not blocking. Not for use by several threads."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._read = b""
        self._at = 0
        self._unsent = bytearray()

    def recv(self, size: int) -> bytes:
        if self._at == len(self._read):
            self._read, self._at = self._socket.recv(READ_BYTES), 0
        found = self._read[self._at : self._at + size]
        self._at += len(found)
        return found

    def pending(self) -> int:
        """Bytes that can be read without asking the network."""
        inside = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return len(self._read) - self._at + inside

    def send(self, data: bytes | bytearray) -> int:
        """Gather; `flush` sends."""
        if len(self._unsent) >= WRITE_BYTES:
            self.flush()
        if len(self._unsent) >= WRITE_BYTES:
            raise BlockingIOError
        self._unsent += data
        return len(data)

    def flush(self) -> None:
        """As much as the network takes. That the connection is lost shows when it is read."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self._unsent.clear()

    def unsent(self) -> int:
        return len(self._unsent)

    def close(self) -> None:
        self.flush()
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # a socket's method
        self._socket.setblocking(flag)


class BulkClient(mqtt.Client):
    """As paho's, for many small messages of QoS 0 and 1: `arrived` is given each and acknowledges none."""

    def __init__(self, arrived: Callable[[Arrived], None], **options: Any) -> None:  # Any: paho's own options
        super().__init__(CallbackAPIVersion.VERSION2, manual_ack=True, **options)
        self._arrived = arrived
        self._gathering: GatheringSocket | None = None

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """PUBACK for each, in one write."""
        acks = b"".join(b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids)
        if acks:
            self._packet_queue(PUBACK, acks, 0, 0)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        code = super().loop_read(max_packets)
        for _ in range(PACKETS):
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._gathering is None or not self._gathering.pending():
                break
            code = super().loop_read(max_packets)
        return code

    def loop_write(self) -> MQTTErrorCode:
        code = super().loop_write()
        if self._gathering:
            self._gathering.flush()
        return code

    def want_write(self) -> bool:
        return super().want_write() or bool(self._gathering and self._gathering.unsent())

    def _handle_publish(self) -> MQTTErrorCode:
        flags, packet = self._in_packet["command"], self._in_packet["packet"]
        needs_answer = flags & 0x06 == 0x02  # QoS 1
        behind_topic = 2 + int.from_bytes(packet[:2], "big")
        behind_header = behind_topic + 2 * needs_answer
        if flags & 0x04 or len(packet) < behind_header:
            return super()._handle_publish()  # QoS 2, which nobody subscribed to, or malformed: paho says so
        packet_id = int.from_bytes(packet[behind_topic:behind_header], "big")
        topic, payload = bytes(packet[2:behind_topic]), bytes(packet[behind_header:])
        self._arrived(Arrived(topic, payload, packet_id, bool(flags & 0x08), bool(flags & 0x01)))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _create_socket(self) -> GatheringSocket:
        connected = super()._create_socket()
        assert isinstance(connected, socket.socket)  # noqa: S101  # it is no WebSocket
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an outcome shall not wait for the next one
        self._gathering = GatheringSocket(connected)
        return self._gathering
