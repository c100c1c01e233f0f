"""A persistent session at a broker that hands messages over and acknowledges only what it is told to.

paho runs its own thread, which waits when `window` messages are handed over and not yet taken: the socket fills and the
broker holds the rest. A ticket carries the number of the connection on which the message came: after a reconnect the
broker sends what was not acknowledged again, and an old packet id may stand for another message: old tickets are dead.
"""

import queue
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device_gateway.ingest.message import Message
from device_gateway.transports.mqtt.broker_url import parse_broker_url

KEEPALIVE_S = 30  # a broker that is gone without a word is noticed after 1.5 times this
RECONNECT_MAX_S = 5  # the messages wait at the broker; a longer pause would only make them older
INFLIGHT_OUT = 1000  # outcomes on their way to the broker; more wait in paho's queue
PACKET_ID_BITS = 16

log = structlog.get_logger(__name__)


class Consumer:
    """One session. `start` returns at once; `ready` is set when every subscription is granted."""

    def __init__(self, url: str, client_id: str, filters: Sequence[str], window: int, ca: Path | None = None) -> None:
        self.ready = threading.Event()
        self.refused: str | None = None
        self._url = parse_broker_url(url)
        self._filters = [(topic, 1) for topic in filters]
        self._queue: queue.Queue[Message] = queue.Queue(window)
        self._connection = 0
        self._stopping = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, manual_ack=True
        )
        self._client.username_pw_set(self._url.username, self._url.password)
        if self._url.tls:
            self._client.tls_set(ca_certs=str(ca) if ca else None)
        self._client.max_inflight_messages_set(INFLIGHT_OUT)
        self._client.reconnect_delay_set(1, RECONNECT_MAX_S)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        self._client.connect_async(self._url.host, self._url.port, KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect. What was handed over and not acknowledged comes again to the next session of this client id."""
        self._stopping = True
        self.ready.clear()
        self._client.disconnect()
        while True:  # the network thread may be waiting for room
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        self._client.loop_stop()

    def take(self, limit: int, wait_s: float, linger_s: float) -> list[Message]:
        """Up to `limit` messages: waits `wait_s` for the first one, then `linger_s` in all for the batch to fill."""
        try:
            messages = [self._queue.get(timeout=wait_s)]
        except queue.Empty:
            return []
        deadline = time.monotonic() + linger_s
        while len(messages) < limit:
            try:
                messages.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK each message that came on the present connection; the others come again, as duplicates."""
        for message in messages:
            connection, packet_id = message.ticket >> PACKET_ID_BITS, message.ticket & 0xFFFF
            if packet_id and connection == self._connection:
                self._client.ack(packet_id, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """QoS 1; kept in memory until the broker has it."""
        self._client.publish(topic, payload, qos=1)

    def flush(self, seconds: float) -> None:
        """Wait until what was published and acknowledged is written out, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self._client.want_write() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        if reason.is_failure:
            self.refused = str(reason)
            log.warning("broker refused the ingest session", reason=str(reason))
            return
        self.refused = None
        self._connection += 1
        code, _ = client.subscribe(self._filters)
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            log.warning("subscription not sent", code=code.name)

    def _on_subscribe(
        self, client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.refused = "the broker refused a subscription of the ingest user"
            log.error("broker refused a subscription of the ingest user")
            client.disconnect()
            return
        self.ready.set()

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: Any,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _props: Properties | None,
    ) -> None:
        self.ready.clear()
        self._connection += 1  # tickets of the connection that ended are dead
        if not self._stopping:
            log.warning("lost the broker", reason=str(reason))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        ticket = self._connection << PACKET_ID_BITS | (message.mid if message.qos else 0)
        handed = Message(message.topic, bytes(message.payload), datetime.now(UTC), ticket)
        while not self._stopping:
            try:
                self._queue.put(handed, timeout=0.5)
            except queue.Full:
                continue
            return
