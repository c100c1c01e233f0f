"""Sends the spool over MQTT until the gateway has answered for each message, and takes its commands.

``…/status`` says whether the edge is online; the broker says that it is not when it is gone without a word.

paho runs a thread of its own; whatever it learns is handed to the event loop, and only the loop touches the spool.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device_gateway.transports.edge.messages import OutcomeMessage, parse_outcome, payload
from device_gateway.transports.edge.state import Edge, EdgeState
from device_gateway.transports.mqtt.broker_url import parse_broker_url
from device_gateway.transports.mqtt.tls import tls_context
from device_gateway.transports.spool import Spooled, SpoolFull

T = TypeVar("T")

QOS = 1
WINDOW = 20  # messages under way without an outcome: enough to fill the way to the gateway and back
RESEND_AFTER_S = 30.0  # an outcome takes milliseconds; after this the gateway was away, or the message was lost
LONGEST_PAUSE_S = 600.0  # while the gateway is away its broker queues all that we send: not more than it must
KEEP_ALIVE_S = 30
RECONNECT_MIN_S, RECONNECT_MAX_S = 1, 60
ONLINE, OFFLINE = b'{"online":true}', b'{"online":false}'
GOODBYE_S = 1.0  # for the last words of an edge that ends

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Attempt:
    """Sendings of one message. Until `under_way_until` it takes a place in the window; it is sent again at `due`.

    The first never comes after the second: a message that nobody answers must not hold up the others.
    """

    count: int = 0
    under_way_until: float = 0.0
    due: float = 0.0


class Publisher:
    """One MQTT session that lasts over reconnects and restarts: client id and user name are the edge's id."""

    def __init__(self, edge: Edge, state: EdgeState, *, resend_after_s: float = RESEND_AFTER_S) -> None:
        self.commanded: Callable[[bytes], None] = _unheard  # called on the event loop with each command's payload
        self._edge = edge
        self._state = state
        self._resend_after_s = resend_after_s
        self._pause_s = resend_after_s  # doubles as long as nothing at all is answered
        self._answered = True
        self._attempts: dict[str, Attempt] = {}
        self._subscribed = False
        self._show_anew: Callable[[], None] = _nothing_to_show
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=edge.edge_id, clean_session=False, protocol=mqtt.MQTTv311
        )
        client.username_pw_set(edge.username, edge.password)
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.will_set(self._status_topic, OFFLINE, QOS, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message

    @property
    def _status_topic(self) -> str:
        return f"{self._edge.topic_prefix}/status"

    def tell(self, message: Spooled) -> None:
        """Something that happened, in the spool and on its way. A full spool has no room for news."""
        try:
            with self._state.transaction():
                self._state.spool.put(message)
        except SpoolFull:
            _log.warning("edge.event_not_kept", why="the spool is full")
        self.wake()

    def wake(self) -> None:
        """There is something new in the spool."""
        self._wake.set()

    async def run(self) -> None:
        """Sends until it is cancelled. Raises OSError for a certificate file that cannot be read."""
        url = parse_broker_url(self._edge.mqtt_url)
        if url.tls:
            certificate = Path(self._edge.certificate) if self._edge.certificate else None
            context = tls_context(Path(self._edge.ca) if self._edge.ca else None, certificate)
            self._client.tls_set_context(context)
            if certificate is not None:
                self._show_anew = partial(context.load_cert_chain, certificate)
        self._client.connect_async(url.host, url.port, KEEP_ALIVE_S)
        self._client.loop_start()
        try:
            while True:
                self._wake.clear()
                wait_s = self._send_due(time.monotonic())
                try:
                    await asyncio.wait_for(self._wake.wait(), wait_s)
                except TimeoutError:
                    continue
        finally:
            if self._client.is_connected():  # a will is for those who do not say goodbye
                said = self._client.publish(self._status_topic, OFFLINE, QOS, retain=True)
                with suppress(RuntimeError, ValueError):
                    await asyncio.to_thread(said.wait_for_publish, GOODBYE_S)
            self._client.disconnect()
            await asyncio.to_thread(self._client.loop_stop)

    def _send_due(self, now: float) -> float | None:
        """Sends what the window allows; returns the seconds until there is something to do, None when there is not."""
        if not self._subscribed:
            return None
        for message_id in [key for key in self._attempts if self._state.spool.expected(key) is None]:
            del self._attempts[message_id]
        if any(attempt.due <= now for attempt in self._attempts.values()):
            self._pause_s = self._resend_after_s if self._answered else min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._answered = False
        places = WINDOW - sum(attempt.under_way_until > now for attempt in self._attempts.values())
        resting = {message_id for message_id, attempt in self._attempts.items() if attempt.due > now}
        for message in self._state.spool.oldest(places, resting):
            attempt = self._attempts.setdefault(message.message_id, Attempt())
            attempt.count += 1
            attempt.under_way_until = now + self._pause_s
            attempt.due = now + min(self._pause_s * 2 ** (attempt.count - 1), LONGEST_PAUSE_S)
            if attempt.count > 1:
                _log.info("edge.message_sent_again", message_id=message.message_id, attempt=attempt.count)
            self._client.publish(f"{self._edge.topic_prefix}/{message.channel}", payload(message), QOS)
        moments = [moment for a in self._attempts.values() for moment in (a.under_way_until, a.due) if moment > now]
        return min(moments) - now if moments else None

    def _settle(self, answered: OutcomeMessage) -> None:
        """The gateway's answer: once it speaks of every reading of the message, the message is done with."""
        expected = self._state.spool.expected(answered.message_id)
        if expected is None:
            return
        self._answered = True
        missing = set(range(expected)) - {line.index for line in answered.outcomes}
        if missing:
            _log.warning("edge.outcome_incomplete", message_id=answered.message_id, missing=len(missing))
            return
        rejected = sorted(
            {f"{line.pointer}: {line.reason}" for line in answered.outcomes if line.outcome == "rejected"}
        )
        if rejected and expected:
            _log.warning("edge.readings_rejected", message_id=answered.message_id, reasons=rejected)
        with self._state.transaction():
            device = self._state.spool.device(answered.message_id)
            if device is not None and any(line.outcome == "rejected" for line in answered.outcomes):
                self._state.note_refused(device)
            self._state.spool.remove(answered.message_id)
        self._attempts.pop(answered.message_id, None)
        self._wake.set()

    def _on_connect(
        self, client: mqtt.Client, _data: Any, flags: mqtt.ConnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        if reason.is_failure:
            _log.warning("edge.broker_refused", reason=str(reason))
            return
        if not flags.session_present:  # a broker that forgot our session may have forgotten what it had acknowledged
            self._hand_over(self._start_over, None)
        client.subscribe([(f"{self._edge.topic_prefix}/{kind}", QOS) for kind in ("outcome", "command")])

    def _on_subscribe(
        self, client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            _log.warning("edge.subscription_refused", reasons=[str(reason) for reason in reasons])
            return
        _log.info("edge.broker_connected")
        client.publish(self._status_topic, ONLINE, QOS, retain=True)
        self._hand_over(self._online, True)

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: Any,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _props: Properties | None,
    ) -> None:
        _log.info("edge.broker_disconnected", reason=str(reason))
        self._show_anew()  # the certificate may be another one by now
        self._hand_over(self._online, False)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/command"):
            self._hand_over(self.commanded, bytes(message.payload))
            return
        try:
            answered = parse_outcome(bytes(message.payload))
        except msgspec.DecodeError:
            _log.warning("edge.outcome_unreadable")
            return
        self._hand_over(self._settle, answered)

    def _hand_over(self, call: Callable[[T], None], argument: T) -> None:
        """From paho's thread to the event loop; a loop that is closed needs to know nothing more."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, argument)

    def _start_over(self, _: None) -> None:
        self._attempts.clear()
        self._pause_s = self._resend_after_s

    def _online(self, subscribed: bool) -> None:
        self._subscribed = subscribed
        self._wake.set()


def _nothing_to_show() -> None:
    """An edge that signs in with its password."""


def _unheard(_command: bytes) -> None:
    """Before anybody listens."""
