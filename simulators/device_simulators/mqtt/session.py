"""A device's MQTT session: client id = user name, kept over reconnects; what is not answered is sent again."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

CONNECT_S = 15.0
REFUSED_FOR_S = 30.0  # a session that was let in once is tried again so long: the broker may have been restarted
KEEPALIVE_S = 30


class Refused(Exception):
    """The broker refuses these credentials."""


class Unreachable(Exception):
    """Nobody answers at that address."""


class Session:
    """`on_message` is called in the network thread with topic and payload."""

    def __init__(
        self, url: str, username: str, password: str, ca: Path | None, on_message: Callable[[str, bytes], None]
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError("mqtt://host:port or mqtts://host:port is needed")
        tls = parts.scheme == "mqtts"
        self._url = url
        self._host, self._port = parts.hostname, parts.port or (8883 if tls else 1883)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=username, clean_session=False)
        self._client.username_pw_set(username, password)
        if tls:
            self._client.tls_set(ca_certs=str(ca) if ca else None)
        self._client.reconnect_delay_set(1, 5)
        self._client.on_connect = self._on_connect
        self._client.on_message = lambda _client, _data, message: on_message(message.topic, bytes(message.payload))
        self._client.on_publish = self._on_publish
        self._subscriptions: list[str] = []
        self._acknowledged: set[int] = set()
        self._changed = threading.Condition()
        self._connected_once = False
        self._refused_since: float | None = None

    def open(self, subscriptions: list[str]) -> None:
        """Raises Refused or Unreachable."""
        self._subscriptions = subscriptions
        try:
            self._client.connect(self._host, self._port, KEEPALIVE_S)
        except OSError as error:
            raise Unreachable(f"{self._url}: {error.strerror or error}") from error
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._connected_once or self._refused_since is not None, CONNECT_S)
        if self._refused_since is not None:
            raise Refused
        if not self._connected_once:
            raise Unreachable(f"{self._url}: no answer within {CONNECT_S:g} s")

    def publish(self, topic: str, payload: bytes) -> int:
        """QoS 1: paho keeps it until the broker has acknowledged it. Returns its packet id.

        Raises Refused when the broker has let us in before and does no more.
        """
        refused_since = self._refused_since
        if refused_since is not None and time.monotonic() - refused_since > REFUSED_FOR_S:
            raise Refused
        return self._client.publish(topic, payload, qos=1).mid

    def acknowledged(self, packet_id: int, seconds: float) -> bool:
        """Whether the broker has acknowledged it within `seconds`."""
        with self._changed:
            if not self._changed.wait_for(lambda: packet_id in self._acknowledged, seconds):
                return False
            self._acknowledged.remove(packet_id)
            return True

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._changed:
            if reason.is_failure:
                self._refused_since = self._refused_since or time.monotonic()
            else:
                self._connected_once = True
                self._refused_since = None
                for topic in self._subscriptions:
                    client.subscribe(topic, 1)
            self._changed.notify_all()

    def _on_publish(self, _client: mqtt.Client, _data: Any, packet_id: int, _reason: Any, _properties: Any) -> None:
        with self._changed:
            self._acknowledged.add(packet_id)
            self._changed.notify_all()
