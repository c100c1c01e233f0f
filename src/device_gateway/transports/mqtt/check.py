"""What a broker does and what it should: for `doctor`. Nothing is published where anybody listens."""

import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from device_gateway.transports.mqtt.broker_url import BrokerUrl
from device_gateway.transports.mqtt.tls import tls_context

WAIT_S = 5.0
LONGEST_PAYLOAD = 262_144  # bytes that a device may send in one message
PROBE = "dg-check"  # client ids; a topic of that name is nobody's, and no session of ours listens to it


class Unanswered(Exception):
    """Why a session could not be opened, in words."""


def broker_problem(url: BrokerUrl, ca: Path | None = None, certificate: Path | None = None) -> str | None:
    """None when a clean session can be opened with the URL's credentials; otherwise what is wrong."""
    try:
        with _Session(url, url.username, url.password, ca, certificate):
            return None
    except Unanswered as why:
        return str(why)


def broker_faults(url: BrokerUrl, ca: Path | None = None, certificate: Path | None = None) -> Sequence[str]:
    """What a broker that is not ours should not do, in words. Raises Unanswered.

    What a client cannot see, such as whether a message is on disk before it is acknowledged, docs/brokers.md tells.
    """
    return [fault for check in CHECKS if (fault := check(url, ca, certificate)) is not None]


def _lets_anybody_in(url: BrokerUrl, ca: Path | None, certificate: Path | None) -> str | None:
    for user, password in ((None, None), (url.username, f"not-{uuid4().hex}")):
        try:
            with _Session(url, user, password, ca, certificate):
                who = "anybody without a name" if user is None else "ingestion with any password"
                return f"it lets in {who}: forbid that (Mosquitto: allow_anonymous false)"
        except Unanswered:
            continue
    return None


def _forgets_sessions(url: BrokerUrl, ca: Path | None, certificate: Path | None) -> str | None:
    """A session that is not kept loses what devices send while ingestion is away."""
    name = f"{PROBE}-{uuid4().hex[:8]}"
    for _ in range(2):
        with _Session(url, url.username, url.password, ca, certificate, name=name, clean=False) as session:
            present = session.present
    with _Session(url, url.username, url.password, ca, certificate, name=name):
        pass  # a clean session: the other one ends
    return None if present else "it keeps no session for a client that is away: what devices send meanwhile is lost"


def _lets_ingestion_hear_everything(url: BrokerUrl, ca: Path | None, certificate: Path | None) -> str | None:
    with _Session(url, url.username, url.password, ca, certificate) as session:
        granted = session.subscribed("#")
        if granted and session.hears_itself(f"{PROBE}/{uuid4().hex}", b""):
            return "the user of ingestion may publish and read on any topic: give it the rights of docs/brokers.md"
    return None


def _ends_long_messages(url: BrokerUrl, ca: Path | None, certificate: Path | None) -> str | None:
    with _Session(url, url.username, url.password, ca, certificate) as session:
        if session.acknowledged(f"{PROBE}/{uuid4().hex}", b"\0" * LONGEST_PAYLOAD):
            return None
    return f"a message of {LONGEST_PAYLOAD // 1024} kB ends the connection: raise its limit of a message's size"


CHECKS: Sequence[Callable[[BrokerUrl, Path | None, Path | None], str | None]] = (
    _lets_anybody_in,
    _forgets_sessions,
    _lets_ingestion_hear_everything,
    _ends_long_messages,
)


class _Session:
    """One connection, open inside `with`. Raises Unanswered."""

    def __init__(  # what a CONNECT says
        self,
        url: BrokerUrl,
        user: str | None,
        password: str | None,
        ca: Path | None,
        certificate: Path | None,
        *,
        name: str | None = None,
        clean: bool = True,
    ) -> None:
        self.present = False
        self._url = url
        self._refusal: str | None = None
        self._changed = threading.Condition()
        self._seen: set[str] = set()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name or f"{PROBE}-{uuid4().hex[:8]}", clean_session=clean
        )
        self._client.username_pw_set(user, password)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._saw("ended")
        self._client.on_subscribe = lambda _c, _d, _m, codes, _p: self._saw(
            "refused" if any(code.is_failure for code in codes) else "granted"
        )
        self._client.on_publish = lambda *_: self._saw("acknowledged")
        self._client.on_message = lambda *_: self._saw("heard")
        if url.tls:
            try:
                self._client.tls_set_context(tls_context(ca, certificate))
            except OSError as error:
                raise Unanswered(f"the certificates cannot be read: {error}") from error

    def __enter__(self) -> Self:
        try:
            self._client.connect(self._url.host, self._url.port, 10)
        except (OSError, ssl.SSLError) as error:
            raise Unanswered(f"nobody answers at {self._url.host}:{self._url.port}: {error}") from error
        self._client.loop_start()
        if self._first("connected", "refused", "ended") != "connected":
            self.__exit__(None, None, None)
            why = f"it refuses the credentials of DEVICE_GATEWAY_MQTT_URL: {self._refusal}"
            raise Unanswered(why if self._refusal else "it does not answer CONNECT")
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribed(self, topic: str) -> bool:
        self._client.subscribe(topic, 1)
        return self._first("granted", "refused", "ended") == "granted"

    def acknowledged(self, topic: str, payload: bytes) -> bool:
        self._client.publish(topic, payload, 1)
        return self._first("acknowledged", "ended") == "acknowledged"

    def hears_itself(self, topic: str, payload: bytes) -> bool:
        """A broker delivers to a session in the order of its publishing, so the acknowledgement of a second message
        comes behind the first one."""
        if not self.acknowledged(topic, payload):
            return False
        self._seen.discard("acknowledged")
        return self.acknowledged(topic, payload) and "heard" in self._seen

    def _first(self, *wanted: str) -> str | None:
        """Which of them was seen, the first in this order; None when none is within `WAIT_S`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._seen.isdisjoint(wanted), WAIT_S)
            return next((one for one in wanted if one in self._seen), None)

    def _saw(self, what: str) -> None:
        with self._changed:
            self._seen.add(what)
            self._changed.notify_all()

    def _on_connect(self, _client: mqtt.Client, _data: Any, flags: Any, reason: Any, _props: Any) -> None:
        """Any: paho's own types, which differ from version to version."""
        self.present = flags.session_present
        self._refusal = str(reason) if reason.is_failure else None
        self._saw("refused" if reason.is_failure else "connected")
