"""A consumer of our dialect and a broker, for edges that are tested without the rest of the gateway."""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from device_gateway.devices.topics import topic_of

MOSQUITTO = "/usr/sbin/mosquitto"


class Gateway:
    """A consumer of our dialect: keeps each reading once by its identity and answers when it is told to."""

    def __init__(self, port: int) -> None:
        self.answering = True
        self.readings: Counter[tuple[str, str, str, int]] = Counter()
        self.contents: dict[tuple[str, str, str, int], set[str]] = {}
        self.raw: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.status: list[dict[str, Any]] = []
        self.clocks: list[dict[str, str]] = []
        self.message_ids: Counter[str] = Counter()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="gateway", clean_session=False)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(f"dg/v1/+/+/{kind}", 1) for kind in ("readings", "raw", "event", "status")]
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    @property
    def seqs(self) -> list[int]:
        return sorted(seq for *_, seq in self.readings)

    def command(self, edge_id: str, command: dict[str, Any]) -> None:
        self._client.publish(topic_of(edge_id, "command"), json.dumps(command), 1)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"] == event]

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        received = json.loads(message.payload)
        if message.topic.endswith("/status"):
            self.status.append(received)
            return
        if message.topic.endswith("/event"):
            self.events.append(received)
        else:
            self.message_ids[received["message_id"]] += 1
            if not self.answering:
                return
        outcomes = []
        if message.topic.endswith("/raw"):
            self.raw.append(received)
            outcomes = [
                {"index": 0, "outcome": "rejected", "pointer": received["pointer"], "reason": received["reason"]}
            ]
        for index, reading in enumerate(received.get("readings", [])):
            identity = (reading["device"], reading["metric"], reading["at"], reading.get("seq", 0))
            self.contents.setdefault(identity, set()).add(json.dumps(reading, sort_keys=True))
            outcomes.append({"index": index, "outcome": "duplicate" if self.readings[identity] else "stored"})
            self.readings[identity] += 1
        self.clocks += received.get("clocks", [])
        answer = json.dumps({"message_id": received["message_id"], "outcomes": outcomes})
        client.publish(message.topic.rsplit("/", 1)[0] + "/outcome", answer, 1)


class Broker:
    """Mosquitto as it comes: it keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        assert shutil.which(MOSQUITTO), "the package mosquitto is needed"
        self._configuration = directory / "mosquitto.conf"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._configuration.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        self.start()

    def start(self) -> None:
        command = [MOSQUITTO, "-c", str(self._configuration)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
