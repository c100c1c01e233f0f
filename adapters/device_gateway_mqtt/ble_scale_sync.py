"""ble-scale-sync by KristianP26, key ``ble-scale-sync``: the JSON of its MQTT exporter.

One object per weighing on the topic that is set in the product, or on ``{topic}/{user}`` when it knows several users.
Fields and units: KristianP26/ble-scale-sync, ``src/exporters/mqtt.ts`` (HA_METRICS) and ``docs/exporters.md``; weights
are in kilograms whatever the product displays. What has no metric here (bone mass, visceral fat, physique rating,
metabolic age) is not taken: these are estimates of the product's own.

The message has no time: the moment at which it comes is the reading's, marked ``effective-time``: ``received``.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from device_gateway.readings.model import RECEIVED, TIME_SOURCE, ContextValue, Decoded, Model, Reading, Rejected
from device_gateway_mqtt.plain_json import NotRead, digits_of, read_object, whole_number

ONLY_USER: Final = "scale"  # what the device is called when the product knows one user only
USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)
STATUS: Final = "status"
WEIGHT: Final = "weight"
# Field ▸ metric and UCUM unit
FIELDS: Final = {
    WEIGHT: ("body-weight", "kg"),
    "bmi": ("bmi", "kg/m2"),
    "bodyFatPercent": ("body-fat", "%"),
    "waterPercent": ("body-water", "%"),
    "muscleMass": ("muscle-mass", "kg"),
    "bmr": ("basal-metabolism", "kcal/(24.h)"),
}


class BleScaleSyncDialect:
    """ble-scale-sync as a hub; each of its users is a device."""

    transport: ClassVar[str] = "mqtt"
    key: ClassVar[str] = "ble-scale-sync"
    models: ClassVar[tuple[Model, ...]] = (
        Model(
            "ble-scale-sync-hub",
            "hub",
            "BLE Scale Sync",
            (
                ("broker_url", "{scheme}://{host}:{port}"),
                ("topic", "{base}"),
                ("username", "{id}"),
                ("password", "{password}"),
                ("client_id", "{id}"),
                ("qos", "1"),
                ("retain", "false"),
                ("ha_discovery", "false"),
            ),
        ),
        Model("ble-scale-sync-user", "device", "Scale behind BLE Scale Sync"),
    )

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected:
        """The weighing of one user. Never raises."""
        user = subtopic or ONLY_USER
        if user == STATUS or user.endswith(f"/{STATUS}"):
            return Decoded([])  # availability, for Home Assistant
        if not USER.fullmatch(user):
            return Rejected("", "not a topic of ble-scale-sync: the base topic, or the base topic and one user's name")
        try:
            found = read_object(payload)
        except NotRead as error:
            return error.rejected
        if WEIGHT not in found:
            return Rejected("/weight", "this field is required")
        return Decoded(list(_readings(found, user, received_at)))


def _readings(found: dict[str, Any], user: str, at: datetime) -> Iterator[Reading | Rejected]:
    for field, (metric, unit) in FIELDS.items():
        if found.get(field) is None and field != WEIGHT:
            continue
        value = digits_of(found[field])
        if value is None:
            yield Rejected(f"/{field}", "a number is needed")
            continue
        context: dict[str, ContextValue] = {TIME_SOURCE: RECEIVED}
        if field == WEIGHT and (ohm := whole_number(found.get("impedance"))):
            context["impedance-ohm"] = ohm
        yield Reading(metric=metric, unit=unit, at=at, value=value, device=user, context=context)
