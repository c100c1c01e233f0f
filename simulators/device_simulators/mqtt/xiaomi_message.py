"""A weighing as OpenMQTTGateway publishes it when it hears a Xiaomi Mi Body Composition Scale."""

import json
import struct
from datetime import datetime

from device_simulators.mqtt.weighing import Weighing

KILOGRAM = 0x02  # first control octet
IMPEDANCE_STABLE_LEFT = 0xA6  # second one: weight removed, stabilised, impedance measured


def xiaomi_topic(base: str, address: str) -> str:
    return f"{base}/OMG_ESP32_BLE/BTtoMQTT/{address.replace(':', '')}"


def xiaomi_message(weighing: Weighing, wall_clock: datetime, address: str, *, advertisement: bool, rssi: int) -> bytes:
    """The JSON; `advertisement` adds the service data, where the scale's clock is, as ``pubadvdata`` does."""
    message: dict[str, object] = {
        "id": address,
        "mac_type": 0,
        "name": "MIBFS",
        "rssi": rssi,
        "brand": "Xiaomi",
        "model": "Mi Body Composition Scale",
        "model_id": "XMTZC02HM/XMTZC05HM",
        "weighing_mode": "person",
        "unit": "kg",
        "weight": float(weighing.kg),
        "impedance": weighing.ohm,
    }
    if advertisement:
        message |= {"servicedatauuid": "0x181b", "servicedata": _service_data(weighing, wall_clock).hex()}
    return json.dumps(message).encode()


def _service_data(weighing: Weighing, at: datetime) -> bytes:
    """13 octets of Body Composition service data, little endian; the weight in steps of 5 g."""
    return struct.pack(
        "<BBHBBBBBHH", KILOGRAM, IMPEDANCE_STABLE_LEFT, at.year, at.month, at.day, at.hour, at.minute,
        at.second, weighing.ohm, weighing.steps * 10,
    )  # fmt: skip
