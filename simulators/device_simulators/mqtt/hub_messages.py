"""Weighings as hubs of other products publish them, each in the layout of its product."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from device_simulators.mqtt.weighing import Weighing
from device_simulators.mqtt.xiaomi_message import xiaomi_message, xiaomi_topic

SENSOR = "bathroom_scale_weight"  # of the ESPHome node
HEIGHT_M = 1.75  # for the estimates of ble-scale-sync


class Heard(NamedTuple):
    """What the hub knows beside the weighing. `at` is aware; `clock` the scale's own wall clock."""

    base: str
    address: str
    at: datetime
    clock: datetime
    repeats: int = 1
    advertisement: bool = True


Sent = tuple[str, bytes]  # topic, payload


def theengs(weighing: Weighing, heard: Heard) -> Iterator[Sent]:
    """OpenMQTTGateway: each broadcast of a Xiaomi scale."""
    for repeat in range(heard.repeats):
        yield (
            xiaomi_topic(heard.base, heard.address),
            xiaomi_message(weighing, heard.clock, heard.address, advertisement=heard.advertisement, rssi=-60 - repeat),
        )


def esphome(weighing: Weighing, heard: Heard) -> Iterator[Sent]:
    """The state of one sensor."""
    yield f"{heard.base}/sensor/{SENSOR}/state", weighing.kg.encode()


def esphome_opening(heard: Heard) -> Iterator[Sent]:
    """What a node says after it has connected: how its sensor is described, and that it is there."""
    device = {
        "ids": heard.address.replace(":", "").lower(), "name": "bathroom", "mf": "Espressif", "mdl": "esp32dev",
        "sw": "2026.11.0",
    }  # fmt: skip
    config = {
        "dev_cla": "weight", "unit_of_meas": "kg", "stat_cla": "measurement", "name": "Bathroom scale weight",
        "stat_t": f"{heard.base}/sensor/{SENSOR}/state", "avty_t": f"{heard.base}/status",
        "uniq_id": f"ESPsensor{SENSOR}", "dev": device,
    }  # fmt: skip
    yield f"{heard.base}/status", b"online"
    yield f"{heard.base}/ha/sensor/bathroom/{SENSOR}/config", json.dumps(config).encode()


def ble_scale_sync(weighing: Weighing, heard: Heard) -> Iterator[Sent]:
    """One object with the weight and what the product estimates from it."""
    kg = float(weighing.kg)
    bmi = kg / HEIGHT_M**2
    fat = 1.2 * bmi - 8.7
    body = {
        "weight": kg, "impedance": weighing.ohm, "bmi": round(bmi, 1), "bodyFatPercent": round(fat, 1),
        "waterPercent": round(0.73 * (100 - fat), 1), "boneMass": 3.1, "muscleMass": round(kg * 0.78, 1),
        "visceralFat": 8, "physiqueRating": 5, "bmr": 1650, "metabolicAge": 38,
    }  # fmt: skip
    yield heard.base, json.dumps(body, separators=(",", ":")).encode()


def zigbee2mqtt(weighing: Weighing, heard: Heard) -> Iterator[Sent]:
    """One object per device, with the time at which it was heard."""
    state = '{"battery":87,"body_weight":%s,"last_seen":"%s","linkquality":112}'
    yield f"{heard.base}/bathroom_scale", (state % (weighing.kg, heard.at.isoformat(timespec="milliseconds"))).encode()


def tasmota(weighing: Weighing, heard: Heard) -> Iterator[Sent]:
    """The broadcasts of a Mi Scale, the last one after the person has stepped off."""
    mac = heard.address.replace(":", "").lower()
    for removed in (*[0] * heard.repeats, 1):
        scale = (
            f'{{"mac":"{mac}","weight_removed":{removed},"stabilized":1,"weight_unit":"kg","weight": {weighing.kg},'
            '"RSSI":-55}'
        )
        time = heard.clock.isoformat(timespec="seconds")
        yield f"{heard.base}/stat/tasmota/SENSOR", f'{{"Time":"{time}","MISCALEV1{mac[-6:]}":{scale}}}'.encode()


WEIGHINGS: dict[str, Callable[[Weighing, Heard], Iterator[Sent]]] = {
    "theengs": theengs,
    "esphome": esphome,
    "ble-scale-sync": ble_scale_sync,
    "zigbee2mqtt": zigbee2mqtt,
    "tasmota": tasmota,
}
OPENINGS: dict[str, Callable[[Heard], Iterator[Sent]]] = {"esphome": esphome_opening}
