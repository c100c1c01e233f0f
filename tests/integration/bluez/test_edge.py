"""The whole edge as a process over BlueZ: from a meter to a consumer behind a real broker, while bluetoothd dies."""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import paho.mqtt.client as mqtt
import pytest
from ble_world import PASSKEY, Meter, Program, until
from bluez_world import Daemon, edge_over_bluez
from paho.mqtt.enums import CallbackAPIVersion

from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.edge.pair import pair_meter

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"

StartMeter = Callable[..., Meter]


class Consumer:
    """Counts each reading by device and number, and answers that it is stored."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.readings: Counter[tuple[str, int]] = Counter()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="consumer")
        self._client.on_message = self._arrived
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("dg/v1/+/+/readings", 1)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _arrived(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        received = json.loads(message.payload)
        outcomes = []
        for index, reading in enumerate(received.get("readings", [])):
            identity = (reading["device"], reading["seq"])
            outcomes.append({"index": index, "outcome": "duplicate" if self.readings[identity] else "stored"})
            self.readings[identity] += 1
        answer = json.dumps({"message_id": received["message_id"], "outcomes": outcomes})
        client.publish(message.topic.rsplit("/", 1)[0] + "/outcome", answer, 1)


@pytest.fixture
def broker_port(tmp_path: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with subprocess.Popen([MOSQUITTO, "-c", str(configuration)], stderr=subprocess.DEVNULL) as broker:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port
        broker.terminate()


@pytest.fixture
def consumer(broker_port: int) -> Iterator[Consumer]:
    consumer = Consumer(broker_port)
    yield consumer
    consumer.stop()


async def test_the_edge_brings_every_record_of_two_meters_over_bluez_though_bluetoothd_dies_on_the_way(
    bus: str, bluetoothd: Daemon, start_meter: StartMeter, consumer: Consumer, tmp_path: Path
) -> None:
    data_dir = tmp_path / "edge"
    edge_state.configure(data_dir, edge_id=str(uuid4()), mqtt_url=f"mqtt://127.0.0.1:{consumer.port}", password="any")
    slow, known = start_meter(records=200, delay_s=0.01), start_meter(records=80)
    paired = await pair_meter(data_dir, None, address=known.address, passkey=PASSKEY)
    assert (paired.address, paired.adapter, paired.battery_percent) == (known.address, "ble-glucose", 87)
    edge_state.add_meter(data_dir, device_id="known", address=known.address)  # its bond is the system's
    edge_state.add_meter(data_dir, device_id="slow", address=slow.address, passkey=PASSKEY)
    edge = Program(edge_over_bluez, bus, data_dir)
    edge.ready("edge")
    await until(lambda: sum(device == "slow" for device, _ in consumer.readings) >= 50)
    bluetoothd.kill()
    bluetoothd.start()
    await until(lambda: len(consumer.readings) == 280, 30)
    assert {seq for device, seq in consumer.readings if device == "slow"} == set(range(1, 201))
    assert {seq for device, seq in consumer.readings if device == "known"} == set(range(1, 81))
    assert edge.stop() == 0
