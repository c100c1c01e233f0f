"""Discovery messages of Home Assistant: what a sensor measures, in which unit, and where its state is published.

Long and short field names as in esphome/esphome, ``esphome/components/mqtt/mqtt_const.h``; ``~`` stands for a base
topic at the beginning or the end of a topic (Home Assistant, "MQTT discovery"). Of value templates only
``{{ value_json.a.b }}`` and ``{{ value }}`` are understood: there is no template engine here.
"""

import re
from typing import Any, Final, NamedTuple

from device_gateway.readings.model import Rejected
from device_gateway_mqtt.plain_json import NotRead, read_object

SHORT: Final = {
    "state_topic": "stat_t",
    "value_template": "val_tpl",
    "unit_of_measurement": "unit_of_meas",
    "device_class": "dev_cla",
    "device": "dev",
}
OF_DEVICE: Final = {"identifiers": "ids"}
TEMPLATE: Final = re.compile(r"\{\{\s*value(?:_json((?:\.[A-Za-z_]\w*|\['[^'\\\]]{1,64}'\]){1,8}))?\s*\}\}", re.ASCII)
STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\['([^']+)'\]", re.ASCII)
LONGEST: Final = 400  # characters of a topic or a name
BARE_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{12}", re.ASCII)
NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._:]+", re.ASCII)


class Sensor(NamedTuple):
    """path  where the value stands in a JSON state; None: the state is the value itself."""

    state_topic: str
    object_id: str
    unit: str
    node: str
    path: tuple[str, ...] | None


def sensor_of(payload: bytes, object_id: str) -> Sensor:
    """The sensor that a discovery message describes. Raises NotRead."""
    config = read_object(payload)
    state_topic = _text(config, "state_topic", required=True)
    base = _text(config, "~")
    if state_topic.startswith("~"):
        state_topic = base + state_topic[1:]
    elif state_topic.endswith("~"):
        state_topic = state_topic[:-1] + base
    device = config.get("device", config.get(SHORT["device"]))
    return Sensor(
        state_topic=state_topic,
        object_id=object_id,
        unit=_text(config, "unit_of_measurement"),
        node=_node(device if isinstance(device, dict) else {}),
        path=_path(_text(config, "value_template")),
    )


def _text(config: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = config.get(name, config.get(SHORT.get(name, name)))
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST or "\0" in value:
        raise NotRead(Rejected(f"/{name}", f"a text of at most {LONGEST} characters is needed"))
    return value


def _node(device: dict[str, Any]) -> str:
    """The first identifier: a hardware address in its usual form, or any other name made plain."""
    found = device.get("identifiers", device.get(OF_DEVICE["identifiers"], ""))
    if isinstance(found, list):
        found = found[0] if found else ""
    text = str(found)[:40]
    if BARE_ADDRESS.fullmatch(text):
        return ":".join(text[at : at + 2] for at in range(0, 12, 2)).upper()
    return NOT_IN_A_NAME.sub("-", text).strip("-")


def _path(template: str) -> tuple[str, ...] | None:
    if not template:
        return None
    match = TEMPLATE.fullmatch(template.strip())
    if match is None:
        raise NotRead(Rejected("/value_template", "only templates like {{ value_json.weight }} are understood"))
    return tuple(name or quoted for name, quoted in STEP.findall(match[1])) if match[1] else None
