"""Which processes the demo consists of, and how each is started."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device_simulators.demo.supervision import Child

METER_ADDRESS = "C0:FF:EE:00:00:01"
METER_PASSKEY = 314_159
METER_RECORDS = 200  # a few weeks of a person who measures several times a day
METER_INTERVAL_S = 60  # a new record every minute: a tester sees something arrive
CUFF_ADDRESS = "C0:FF:EE:00:00:03"
CUFF_RECORDS = 20
CUFF_INTERVAL_S = 300
SCALE_INTERVAL_S = 45
SCALE_HISTORY_DAYS = 60
ZONE = "Europe/Paris"  # where the demo's patients live: their devices and their hub show its time
EDGE_POLL_S = 5


class Parts:
    """Makes `Child` values for a data directory; nothing is started here."""

    def __init__(self, data_dir: Path, base_url: str, radio: str) -> None:
        self._data_dir = data_dir
        self._base_url = base_url
        self._radio = radio
        self._logs = data_dir / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)

    def radio(self) -> Child:
        return self._child("radio", [sys.executable, "-m", "device_simulators.radio.air", self._radio], "radio ready")

    def ingest(self) -> Child:
        return self._gateway("ingest", ["ingest", *self._in_data_dir()])

    def jobs(self) -> Child:
        return self._gateway("jobs", ["jobs", *self._in_data_dir()])

    def serve(self, host: str, port: int) -> Child:
        command = ["serve", *self._in_data_dir(), "--host", host, "--port", str(port)]
        return self._gateway("serve", command, ready="ready serve")

    def edge(self) -> Child:
        command = ["edge", *self._in_data_dir(), "--radio", self._radio, "--poll-interval", str(EDGE_POLL_S)]
        return self._gateway("edge", command)

    def meter(self) -> Child:
        command = [
            "simulate", "ble-glucose", "--radio", self._radio, "--address", METER_ADDRESS,
            "--passkey", f"{METER_PASSKEY:06d}", "--records", str(METER_RECORDS), "--interval", str(METER_INTERVAL_S),
            "--name", "Demo meter", "--state", str(self._data_dir / "meter.json"),
        ]  # fmt: skip
        return self._gateway("ble-glucose", command, ready="meter ready")

    def cuff(self) -> Child:
        command = [
            "simulate", "ble-cuff", "--radio", self._radio, "--address", CUFF_ADDRESS, "--records", str(CUFF_RECORDS),
            "--interval", str(CUFF_INTERVAL_S), "--name", "Demo cuff", "--state", str(self._data_dir / "cuff.json"),
        ]  # fmt: skip
        return self._gateway("ble-cuff", command, ready="cuff ready")

    def scale(self, mqtt_url: str, ca: str | None, device: dict[str, Any]) -> Child:
        command = [
            "simulate", "mqtt-scale", "--mqtt-url", mqtt_url, "--username", device["id"], "--topic", device["topic"],
            "--interval", str(SCALE_INTERVAL_S), "--history", str(SCALE_HISTORY_DAYS),
            *(["--ca", ca] if ca else []),
        ]  # fmt: skip
        return self._gateway(
            "mqtt-scale", command, ready="weighing", secret={"DEVICE_SIMULATOR_MQTT_PASSWORD": device["mqtt_password"]}
        )

    def app(self, command: str, client_id: str, client_secret: str | None, port: int) -> Child:
        arguments = ["simulate", command, "--base-url", self._base_url, "--client-id", client_id, "--port", str(port)]
        secret = {"DEVICE_SIMULATOR_CLIENT_SECRET": client_secret} if client_secret else {}
        return self._gateway(command, arguments, ready="app ready", secret=secret)

    def _in_data_dir(self) -> list[str]:
        return ["--data-dir", str(self._data_dir)]

    def _gateway(
        self, name: str, arguments: list[str], ready: str | None = None, secret: Mapping[str, str] | None = None
    ) -> Child:
        return self._child(name, [sys.executable, "-m", "device_gateway", *arguments], ready or f"ready {name}", secret)

    def _child(self, name: str, command: list[str], ready: str, secret: Mapping[str, str] | None = None) -> Child:
        """Secrets travel in the environment: a command line is everyone's to read."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("DEVICE_GATEWAY_")}
        environment = inherited | {"PYTHONUNBUFFERED": "1", "TZ": ZONE} | dict(secret or {})
        return Child(name, command, ready, self._logs / f"{name}.log", environment)
