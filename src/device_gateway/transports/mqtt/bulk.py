"""paho's client with what comes in numbers taken out of its hands: messages, their acknowledgements, and outcomes.

paho reads a packet's first bytes one by one, walks through a dozen methods for each and writes each by itself: most of
what a message costs it. Here the network is read by 64 kB, `packets` cuts that up, and paho is given only the packets
that are left: CONNACK, SUBACK, PINGRESP, what is malformed. Acknowledgements go out in one write, and so do messages,
which are kept here until the broker has them. Connecting, TLS, keep-alive and reconnecting stay paho's. Of
its own, `_create_socket`, `_packet_queue`, `_mid_generate` and `_last_bytes_received` are touched; see
docs/decisions/015 and 028.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from device_gateway.transports.mqtt import packets
from device_gateway.transports.mqtt.packets import PUBACK, Arrived, Found

READ_BYTES: Final = 65_536  # some 300 small messages; what is unread stays with the broker
WRITE_BYTES: Final = 65_536  # gathered at most, then the network has to take some
PACKET_IDS: Final = 65_535
NOTHING: Final = Found([], [], 0, b"", 0)


class GatheringSocket:
    """A socket as paho uses one, not blocking. Read by one thread.

    `fill` asks the network; `recv`, which paho calls, knows only what `hand_over` was given.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._read: list[bytes] = []  # not yet taken apart
        self._size = 0
        self._wanted = 1  # octets without which there is nothing to take apart
        self._for_paho = b""
        self._end: bytes | OSError | None = None  # how the connection ended
        self._unsent = bytearray()

    def fill(self) -> Found | None:
        """Read what there is and take it apart; None when there is nothing."""
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except OSError as error:
            self._end = error
            return None
        if not data:
            self._end = b""
            return None
        self._read.append(data)
        self._size += len(data)
        return self.again()

    def again(self) -> Found:
        """What was read and not taken apart, taken apart."""
        if self._size < self._wanted:
            return NOTHING
        octets = b"".join(self._read)
        found = packets.read(octets)
        rest = octets[found.end + len(found.other) :]
        self._for_paho = found.other
        self._read, self._size = [rest], len(rest)
        self._wanted = max(found.wanted, 1)
        return found

    def recv(self, size: int) -> bytes:
        if not self._for_paho:
            if isinstance(self._end, OSError):
                raise self._end
            if self._end is None:
                raise BlockingIOError
            return self._end
        found, self._for_paho = self._for_paho[:size], self._for_paho[size:]
        return found

    @property
    def ended(self) -> bool:
        return self._end is not None

    def pending(self) -> int:
        """Bytes that can be read without asking the network."""
        return self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0

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
    """As paho's, for many small messages of QoS 0 and 1: `arrived` is given them together and acknowledges none.

    `send`, which takes the place of `publish`, and `acknowledge` are for any thread. Whoever connects calls
    `session_opened` and `session_closed`.
    """

    def __init__(self, arrived: Callable[[Sequence[Arrived]], None], **options: Any) -> None:  # Any: paho's own options
        super().__init__(CallbackAPIVersion.VERSION2, manual_ack=True, **options)
        self._arrived = arrived
        self._gathering: GatheringSocket | None = None
        self._sending = threading.Lock()
        self._open = False
        self._unanswered: dict[int, bytes] = {}  # by packet id, in the order in which they were to be sent
        self._fresh: set[int] = set()  # of these, what no connection has carried yet

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """PUBACK for each, in one write."""
        if acks := packets.acknowledgements(packet_ids):
            self._packet_queue(PUBACK, acks, 0, 0)

    def send(self, messages: Iterable[tuple[str, bytes]]) -> int:
        """PUBLISH each (topic, payload) with QoS 1, now or when there is a connection; how many found no packet id."""
        refused = 0
        with self._sending:
            new: list[bytes] = []
            for topic, payload in messages:
                if (packet_id := self._free_id()) is None:
                    refused += 1
                    continue
                packet = packets.publish(topic.encode(), payload, packet_id)
                self._unanswered[packet_id] = packet
                if not self._open:
                    self._fresh.add(packet_id)
                new.append(packet)
            if new and self._open:
                self._queue(new)
        return refused

    def session_opened(self) -> None:
        """Send what the former connection was not told of to the end, first (4.4)."""
        with self._sending:
            self._open = True
            waiting = [
                packet if packet_id in self._fresh else packets.again(packet)
                for packet_id, packet in self._unanswered.items()
            ]
            self._fresh.clear()
            if waiting:
                self._queue(waiting)

    def session_closed(self) -> None:
        with self._sending:
            self._open = False

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        gathering = self._gathering
        if gathering is None:
            return super().loop_read(max_packets)
        found = gathering.fill()
        if found:
            self._last_bytes_received = time.monotonic()  # the clock of paho's keep-alive
        elif gathering.ended:
            return super().loop_read(max_packets)
        while found and self._gathering is gathering:
            if found.acknowledged:
                with self._sending:
                    for packet_id in found.acknowledged:
                        self._unanswered.pop(packet_id, None)
            if found.arrived:
                self._arrived(found.arrived)
            if not found.other:
                break
            code = super().loop_read(max_packets)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return code
            found = gathering.again()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def loop_write(self) -> MQTTErrorCode:
        code = super().loop_write()
        if self._gathering:
            self._gathering.flush()
        return code

    def want_write(self) -> bool:
        return super().want_write() or bool(self._gathering and self._gathering.unsent())

    def _queue(self, packets_to_send: Sequence[bytes]) -> None:
        """As if it were one packet of acknowledgements: paho asks of a PUBLISH whom to tell that it was sent."""
        self._packet_queue(PUBACK, b"".join(packets_to_send), 0, 0)

    def _free_id(self) -> int | None:
        if len(self._unanswered) >= PACKET_IDS - 1:  # one is left for a SUBSCRIBE
            return None
        while (packet_id := self._mid_generate()) in self._unanswered:
            pass
        return packet_id

    def _create_socket(self) -> GatheringSocket:
        connected = super()._create_socket()
        assert isinstance(connected, socket.socket)  # noqa: S101  # it is no WebSocket
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an outcome shall not wait for the next one
        self._gathering = GatheringSocket(connected)
        return self._gathering
