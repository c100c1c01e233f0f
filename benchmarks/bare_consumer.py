"""The least that a paho-mqtt consumer can do: count and acknowledge. Prints messages a second.

``python -m benchmarks.bare_consumer PORT SESSION MESSAGES WARM``: the clock starts after the share WARM of them.
"""

import sys
import threading
import time
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def rate(port: int, session: str, messages: int, warm: float) -> float:
    count, begun = 0, 0.0
    done = threading.Event()
    first = round(messages * warm)

    def on_message(_client: mqtt.Client, _data: Any, _message: mqtt.MQTTMessage) -> None:
        nonlocal count, begun
        count += 1
        if count == first:
            begun = time.perf_counter()
        elif count == messages:
            done.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=session, clean_session=False)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    if not done.wait(120):
        sys.exit(f"{count} messages of {messages} came")
    ended = time.perf_counter()
    client.disconnect()
    client.loop_stop()
    return (messages - first) / (ended - begun)


if __name__ == "__main__":
    port, session, messages, warm = sys.argv[1:]
    print(rate(int(port), session, int(messages), float(warm)))
