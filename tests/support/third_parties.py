"""What stands round the product, played with other people's software: a device over paho-mqtt, a person in Chromium.

No line of the product is imported here.
"""

import json
import queue
import ssl
import threading
import uuid
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Page

ANSWER_S = 20.0  # seconds in which an outcome, a PUBACK or a disconnection has to come

Json = dict[str, Any]


class NotAnswered(AssertionError):
    """Nothing came in time."""


class MqttDevice:
    """A device that speaks the gateway's own dialect. Use in ``with``; entering raises ConnectionRefusedError."""

    def __init__(self, at: Json, username: str, password: str, topic: str) -> None:
        """`at`: host, port, tls and, with TLS, the authority, as a file (demo.json) or in PEM (a claim's answer)."""
        self._address = at["host"], at["port"]
        self._topic = topic
        self._outcomes: queue.Queue[Json] = queue.Queue()
        self._connected = threading.Event()
        self._refused = ""
        self.disconnected = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=username, clean_session=False)
        self._client.username_pw_set(username, password)
        if at["tls"]:
            pem = at["ca"].startswith("-----BEGIN")
            trusted = {"cadata": at["ca"]} if pem else {"cafile": at["ca"]}
            self._client.tls_set_context(ssl.create_default_context(**trusted))
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._connected.set()
        self._client.on_disconnect = lambda *_: self.disconnected.set()
        self._client.on_message = lambda _client, _data, message: self._outcomes.put(json.loads(message.payload))

    def __enter__(self) -> Self:
        self._client.connect(*self._address)
        self._client.loop_start()
        if not self._connected.wait(ANSWER_S):
            raise NotAnswered("the broker did not let the device in")
        if self._refused:
            self._client.loop_stop()
            raise ConnectionRefusedError(self._refused)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, payload: bytes | str, topic: str | None = None) -> None:
        """QoS 1; returns once the broker has acknowledged."""
        sent = self._client.publish(topic or self._topic, payload, qos=1)
        sent.wait_for_publish(ANSWER_S)
        if not sent.is_published():
            raise NotAnswered("no PUBACK")

    def send(self, *readings: Json, message_id: str | None = None) -> list[Json]:
        """One message with `readings`; returns its outcomes, once the gateway has told them."""
        message_id = message_id or str(uuid.uuid4())
        self.publish(json.dumps({"message_id": message_id, "sent_at": iso(datetime.now(UTC)), "readings": readings}))
        return self.outcomes_of(message_id)

    def outcomes_of(self, message_id: str) -> list[Json]:
        while True:
            try:
                answer = self._outcomes.get(timeout=ANSWER_S)
            except queue.Empty:
                raise NotAnswered(f"no outcome of {message_id}") from None
            if answer["message_id"] == message_id:
                return list(answer["outcomes"])

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            self._connected.set()
        else:
            client.subscribe(f"{self._topic.rpartition('/')[0]}/outcome", 1)


def device_of(demo: Json, entry: Json) -> MqttDevice:
    """The device of an entry of demo.json's `devices`."""
    return MqttDevice(demo["mqtt"], entry["mqtt_username"], entry["mqtt_password"], entry["topic"])


def device_of_claim(answer: Json) -> MqttDevice:
    """The device of an answer to a claim code."""
    at = answer["mqtt"]
    return MqttDevice(at, at["username"], at["password"], answer["topics"]["readings"])


def iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def weight(value: str, at: str, /, **changed: Any) -> Json:
    """A reading in the gateway's own dialect."""
    return {"metric": "body-weight", "value": value, "unit": "kg", "at": at} | changed


def sign_in(page: Page, base_url: str, person: Json) -> None:
    page.goto(f"{base_url}/login")
    fill_sign_in(page, person)
    page.wait_for_url(lambda url: "/login" not in url)


def fill_sign_in(page: Page, person: Json) -> None:
    page.fill("[name=username]", person["username"])
    page.fill("[name=password]", person["password"])
    page.locator("form[action='/login'] button").click()


def decide(page: Page, person: Json, purposes: tuple[str, ...] | None, *, redirect_uri: str) -> Json:
    """On the way to the consent page, sign in where asked; agree to `purposes`, or refuse for None.

    Returns the parameters that came back to the redirect URI.
    """
    page.wait_for_selector("[name=password], [name=decision]")
    if page.locator("[name=password]").count():
        fill_sign_in(page, person)
        page.wait_for_selector("[name=decision]")
    boxes = page.locator("[name=purpose]")
    for number in range(boxes.count()):
        box = boxes.nth(number)
        box.set_checked(purposes is not None and box.get_attribute("value") in purposes)
    page.locator(f"[name=decision][value={'deny' if purposes is None else 'approve'}]").click()
    page.wait_for_url(lambda url: url.startswith(redirect_uri))
    return answer_in(page.url)


def journal_of(page: Page, base_url: str, person: Json) -> list[str]:
    """The first page of the journal in English, newest first."""
    sign_in(page, base_url, person)
    page.goto(f"{base_url}/journal")
    page.locator("[name=language][value=en]").click()
    page.wait_for_selector("html[lang=en]")
    lines = [" ".join(line.split()) for line in page.locator("main li").all_inner_texts()]
    page.locator("[name=language][value=fr]").click()
    page.wait_for_selector("html[lang=fr]")
    return lines


def answer_in(url: str) -> Json:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
