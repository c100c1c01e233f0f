"""Whether a broker lets somebody in: for `doctor`."""

import ssl
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device_gateway.transports.mqtt.broker_url import BrokerUrl

WAIT_S = 5.0


def broker_problem(url: BrokerUrl, ca: Path | None = None) -> str | None:
    """None when a clean session can be opened with the URL's credentials; otherwise what is wrong."""
    answered = threading.Event()
    refusal: list[str] = []

    def on_connect(
        _client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        if reason.is_failure:
            refusal.append(str(reason))
        answered.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"dg-check-{uuid4().hex[:8]}", clean_session=True)
    client.username_pw_set(url.username, url.password)
    client.on_connect = on_connect
    try:
        if url.tls:
            client.tls_set(ca_certs=str(ca) if ca else None)
        client.connect(url.host, url.port, 10)
    except (OSError, ssl.SSLError) as error:
        return f"nobody answers at {url.host}:{url.port}: {error}"
    client.loop_start()
    try:
        if not answered.wait(WAIT_S):
            return "it does not answer CONNECT"
        return f"it refuses the credentials of DEVICE_GATEWAY_MQTT_URL: {refusal[0]}" if refusal else None
    finally:
        client.disconnect()
        client.loop_stop()
