"""ESPHome, key ``esphome``: plain numbers on ``sensor/{object_id}/state``, described by Home Assistant discovery.

A state is a bare number: what it measures and in which unit is said by a discovery message, which the node sends after
each connect, before its states (esphome/esphome, ``esphome/components/mqtt/mqtt_component.cpp``). So this dialect
remembers, per hub, the discovery messages (key ``config``), the last state of each topic (``last``) and when the node
connected last (``birth``). A state that comes before its discovery is refused, and can be replayed after it.

A state has no time: the moment at which it comes is the reading's, marked ``effective-time``: ``received``. When a node
connects again it publishes its last states once more (``send_initial_state``): the first state after a birth message
that equals the last one before it is that reading, and no new one. A component that publishes each broadcast of a scale
publishes the same weighing again and again; docs/dialects.md says how to have ESPHome pass one of them only.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec

from device_gateway.readings.model import RECEIVED, TIME_SOURCE, Decoded, Model, Reading, Rejected
from device_gateway_mqtt.entity_metrics import meaning_of
from device_gateway_mqtt.home_assistant import Sensor, sensor_of
from device_gateway_mqtt.plain_json import NotRead, digits_of, read_json

NOTHING: Final = Decoded([])
NO_VALUE: Final = frozenset({"", "nan", "none", "unknown", "unavailable"})
SEPARATOR: Final = "\n"  # between the parts of a key; no topic of ESPHome has one
LONGEST_TOPIC: Final = 300
CONFIG: Final = re.compile(r"(?:.*/)?sensor/(?:[^/]+/)?([^/]+)/config", re.DOTALL)
STATE: Final = re.compile(r"(?:.*/)?sensor/[^/]+/state", re.DOTALL)
OTHER: Final = re.compile(
    r"(?:.*/)?(?:[a-z_]+/[^/]+/(?:state|[a-z_]+/state)|[a-z_]+/(?:[^/]+/)?[^/]+/config|debug)", re.DOTALL
)
STATUS: Final = re.compile(r"((?:.*/)?)status", re.DOTALL)
OWN_BASE: Final = re.compile(r"dg/v1/[0-9a-f]{2}/[0-9a-f-]{36}/x/esphome/(.+)", re.DOTALL)
UNDESCRIBED: Final = Rejected(
    "", "no discovery message has said yet what this sensor measures: set discovery_prefix, then replay"
)


class Described(msgspec.Struct, omit_defaults=True):
    """What a state means; without a metric it is nothing that is measured on a person."""

    metric: str = ""
    unit: str = ""
    device: str = ""
    path: tuple[str, ...] | None = None


_DESCRIBED: Final = msgspec.json.Decoder(Described)


class EsphomeDialect:
    """A node with ESPHome as a hub for what it hears or measures."""

    transport: ClassVar[str] = "mqtt"
    key: ClassVar[str] = "esphome"
    models: ClassVar[tuple[Model, ...]] = (
        Model(
            "esphome-hub",
            "hub",
            "ESPHome",
            (
                ("mqtt: broker", "{host}"),
                ("mqtt: port", "{port}"),
                ("mqtt: username", "{id}"),
                ("mqtt: password", "{password}"),
                ("mqtt: client_id", "{id}"),
                ("mqtt: topic_prefix", "{base}"),
                ("mqtt: discovery_prefix", "{base}/ha"),
                ("mqtt: discover_ip", "false"),
                ("mqtt: log_topic", "null"),
            ),
        ),
        Model("esphome-scale", "device", "Scale behind ESPHome"),
        Model("esphome-sensor", "device", "Sensor behind ESPHome"),
    )

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected:
        """As if nothing had come before. Never raises."""
        return self.decode_with({}, subtopic, payload, received_at)

    def decode_with(
        self, memory: Mapping[str, str], subtopic: str, payload: bytes, received_at: datetime
    ) -> Decoded | Rejected:
        """The same, with what earlier messages of the same hub left in `Decoded.remember`. Never raises."""
        if len(subtopic) > LONGEST_TOPIC:
            return Rejected("", f"a topic of at most {LONGEST_TOPIC} characters below the base topic is needed")
        try:
            if config := CONFIG.fullmatch(subtopic):
                return Decoded([], remember=_configured(memory, subtopic, config[1], payload))
            if described := _descriptions(memory, subtopic):
                return _state(memory, described, subtopic, payload, received_at)
        except NotRead as error:
            return error.rejected
        if status := STATUS.fullmatch(subtopic):
            born = payload.strip() == b"online"
            return Decoded([], remember={_key("birth", status[1]): received_at.isoformat()}) if born else NOTHING
        if STATE.fullmatch(subtopic):
            return UNDESCRIBED
        if OTHER.fullmatch(subtopic):
            return NOTHING  # switches, lights, texts and logs
        return Rejected("", "not a topic of ESPHome")


def _key(*parts: str) -> str:
    return SEPARATOR.join(parts)


def _configured(memory: Mapping[str, str], subtopic: str, object_id: str, payload: bytes) -> dict[str, str | None]:
    """The description of one sensor; an empty message takes it back. Raises NotRead."""
    end = _key("", subtopic)
    changes: dict[str, str | None] = {
        key: None for key in memory if key.startswith(_key("config", "")) and key.endswith(end)
    }
    if payload.strip():
        sensor = sensor_of(payload, object_id)
        base = OWN_BASE.fullmatch(sensor.state_topic)
        if base is None:
            raise NotRead(Rejected("/state_topic", "not below this hub's base topic: set topic_prefix to it"))
        changes[_key("config", base[1], subtopic)] = msgspec.json.encode(_described(sensor)).decode()
    return changes


def _described(sensor: Sensor) -> Described:
    meaning = meaning_of(sensor.object_id, sensor.unit)
    if meaning is None:
        return Described()
    device = "/".join(part for part in (sensor.node or "esphome", meaning.rest[:20].strip("-")) if part)
    return Described(meaning.metric, meaning.unit, device, sensor.path)


def _descriptions(memory: Mapping[str, str], subtopic: str) -> list[Described]:
    beginning = _key("config", subtopic, "")
    return [_DESCRIBED.decode(text) for key, text in sorted(memory.items()) if key.startswith(beginning)]


def _state(
    memory: Mapping[str, str], described: list[Described], subtopic: str, payload: bytes, received_at: datetime
) -> Decoded:
    meanings = [one for one in described if one.metric]
    if not meanings:
        return NOTHING
    digest = hashlib.sha256(payload).hexdigest()[:16]
    key = _key("last", subtopic)
    before, at, heard = _last(memory.get(key))
    if at and heard and before == digest and _born_between(memory, subtopic, heard, received_at):
        repeated: dict[str, str | None] = {key: f"{digest} {at.isoformat()} {received_at.isoformat()}"}
        return Decoded(list(_readings(meanings, payload, at)), remember=repeated)
    newest = heard is None or received_at >= heard
    now = received_at.isoformat()
    remember: dict[str, str | None] = {key: f"{digest} {now} {now}"} if newest else {}
    return Decoded(list(_readings(meanings, payload, received_at)), remember=remember)


def _last(text: str | None) -> tuple[str, datetime | None, datetime | None]:
    """Of a topic's last state: digest, time of its reading, when it was heard last."""
    if text is None:
        return "", None, None
    digest, at, heard = text.split(" ")
    return digest, datetime.fromisoformat(at), datetime.fromisoformat(heard)


def _born_between(memory: Mapping[str, str], subtopic: str, heard: datetime, now: datetime) -> bool:
    """Whether the node of this topic connected after `heard` and before `now`."""
    births = [
        datetime.fromisoformat(at)
        for key, at in memory.items()
        if key.startswith(_key("birth", "")) and subtopic.startswith(key.partition(SEPARATOR)[2])
    ]
    return any(heard < birth <= now for birth in births)


def _readings(meanings: list[Described], payload: bytes, at: datetime) -> Iterator[Reading | Rejected]:
    for one in meanings:
        value = _value(one, payload)
        if isinstance(value, Rejected):
            yield value
        elif value is not None:
            yield Reading(
                metric=one.metric, unit=one.unit, at=at, value=value, device=one.device, context={TIME_SOURCE: RECEIVED}
            )


def _value(described: Described, payload: bytes) -> str | Rejected | None:
    """Digits as sent; None where the sensor says that it has no value."""
    found: Any  # whatever JSON holds
    pointer = ""
    if described.path is None:
        try:
            found = payload.decode("ascii").strip()
        except UnicodeDecodeError:
            return Rejected("", "a number in ASCII is needed")
    else:
        pointer = "".join(f"/{name}" for name in described.path)
        try:
            found = read_json(payload)
        except NotRead as error:
            return error.rejected
        for name in described.path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            return None
    if isinstance(found, str) and found.lower() in NO_VALUE:
        return None
    return digits_of(found) or Rejected(pointer, "a number is needed")
