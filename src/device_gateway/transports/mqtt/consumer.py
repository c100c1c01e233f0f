"""A persistent session at a broker that hands messages over and acknowledges only what it is told to.

paho runs its own thread, which waits when the inlet is full. A ticket carries the number of the connection on which the
message came: after a reconnect the broker sends what was not acknowledged again, and an old packet id may stand for
another message, so old tickets are dead.
"""

import itertools
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device_gateway.devices.topics import REMEMBERED, REMEMBERED_LENGTH
from device_gateway.ingest.message import Message
from device_gateway.transports.mqtt.broker_url import parse_broker_url
from device_gateway.transports.mqtt.bulk import BulkClient
from device_gateway.transports.mqtt.inlet import Inlet
from device_gateway.transports.mqtt.packets import Arrived
from device_gateway.transports.mqtt.tls import tls_context

KEEPALIVE_S = 30  # a broker that is gone without a word is noticed after 1.5 times this
RECONNECT_MAX_S = 5  # the messages wait at the broker; a longer pause would only make them older
SUBSCRIBE_AGAIN_S = 2.0  # a broker that just started may refuse a subscription that it grants a moment later
PACKET_ID_BITS = 16

# Numbers of connections, unique in the process: a ticket of a session that ended fits none that follows it.
_CONNECTIONS = itertools.count(1)

log = structlog.get_logger(__name__)


class Consumer:
    """One session. `start` returns at once; `ready` is set while every subscription is granted.

    prefix  what the broker puts before the topics of this session; messages are handed over without it
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        filters: Sequence[str],
        inlet: Inlet,
        *,
        slot: int = 0,
        prefix: str = "",
        ca: Path | None = None,
        certificate: Path | None = None,
    ) -> None:
        self.ready = threading.Event()
        self._url = parse_broker_url(url)
        self._filters = [(topic, 1) for topic in filters]
        self._inlet = inlet
        self._slot = slot
        self._prefix = prefix.encode()
        self._connection = next(_CONNECTIONS)
        self._in_hand: set[int] = set()  # tickets handed over and not yet acknowledged
        self._topics: dict[bytes, str] = {}
        self._subscribe_at: float | None = None
        self._stopping = False
        self._client = BulkClient(self._arrived, client_id=client_id, clean_session=False)
        self._client.username_pw_set(self._url.username, self._url.password)
        if self._url.tls:
            self._client.tls_set_context(tls_context(ca, certificate))
        self._client.reconnect_delay_set(1, RECONNECT_MAX_S)
        self._client.suppress_exceptions = True  # an error in a callback must not end the network thread
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe

    def start(self) -> None:
        self._client.connect_async(self._url.host, self._url.port, KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect. What was handed over and not acknowledged comes again to the next session of this client id."""
        self._stopping = True
        self.ready.clear()
        self._client.disconnect()
        self._client.loop_stop()

    def keep_subscribed(self) -> None:
        """To be called now and then: subscribes again where the broker refused."""
        if self._subscribe_at is not None and time.monotonic() >= self._subscribe_at:
            self._subscribe_at = None
            self._subscribe()

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """PUBACK each message that came on the present connection; the others come again, as duplicates."""
        tickets = [message.ticket for message in messages]
        self._in_hand.difference_update(tickets)
        now = self._connection
        self._client.acknowledge([t & 0xFFFF for t in tickets if t & 0xFFFF and t >> PACKET_ID_BITS == now])

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Each (topic, payload) with QoS 1; kept in memory until the broker has it. No limit but the packet ids."""
        if refused := self._client.send(messages):
            log.warning("the broker acknowledges no outcomes: some are not sent", outcomes=refused)

    def flush(self, seconds: float) -> None:
        """Wait until what was published and acknowledged is written out, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self._client.want_write() and self._client.is_connected() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _subscribe(self) -> None:
        code, _ = self._client.subscribe(self._filters)
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            log.warning("subscription not sent", code=code.name)

    def _on_connect(
        self,
        _client: mqtt.Client,
        _data: Any,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _props: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.warning("broker refused the ingest session", reason=str(reason))
            return
        self._forget_tickets()
        self._client.session_opened()
        self._subscribe()

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("broker refused a subscription of the ingest user")
            self._subscribe_at = time.monotonic() + SUBSCRIBE_AGAIN_S
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
        self._client.session_closed()
        self._subscribe_at = None
        self._forget_tickets()
        if not self._stopping:
            log.warning("lost the broker", reason=str(reason))

    def _forget_tickets(self) -> None:
        self._connection = next(_CONNECTIONS)
        self._in_hand = set()

    def _arrived(self, messages: Sequence[Arrived]) -> None:
        try:
            self._inlet.put(self._handed_over(messages), lambda: not self._stopping)
        except Exception as error:  # it must not end the network thread, and nobody else would hear of it
            log.error("messages could not be handed over", error=type(error).__name__, messages=len(messages))

    def _handed_over(self, messages: Sequence[Arrived]) -> list[Message]:
        handed: list[Message] = []
        now, slot, first = datetime.now(UTC), self._slot, self._connection << PACKET_ID_BITS
        in_hand, topics = self._in_hand, self._topics
        for octets, payload, packet_id, again, retained in messages:
            ticket = first | packet_id
            if packet_id:
                if ticket in in_hand:
                    continue  # sent again because it waits long; acknowledging the first one settles both
                in_hand.add(ticket)
            topic = topics.get(octets) or self._topic(octets)
            handed.append(Message(topic, payload, now, slot, ticket, again, retained))
        return handed

    def _topic(self, octets: bytes) -> str:
        own = octets.removeprefix(self._prefix)
        topic = own.decode("utf-8", "backslashreplace")  # not every broker sees to it that it is UTF-8
        if len(octets) <= REMEMBERED_LENGTH:
            if len(self._topics) >= REMEMBERED:
                self._topics.clear()
            self._topics[octets] = topic
        return topic
