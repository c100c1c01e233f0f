"""Adapters, found by entry point: a vendor can ship one as a package of its own."""

from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

from device_gateway.readings.model import Decoded, Model, Rejected

GROUP = "device_gateway.adapters"


class Dialect(Protocol):
    """Turns the payload of one MQTT message into readings. Pure: no I/O, no exception for any bytes."""

    transport: str
    key: str
    models: tuple[Model, ...]

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected: ...


@cache
def adapters() -> tuple[Any, ...]:  # Any: MQTT dialects and Bluetooth adapters share `transport`, `key` and `models`
    """One instance of each adapter that is installed."""
    return tuple(point.load()() for point in entry_points(group=GROUP))


@cache
def dialects() -> dict[str, Dialect]:
    """MQTT dialects by key."""
    return {adapter.key: adapter for adapter in adapters() if adapter.transport == "mqtt"}
