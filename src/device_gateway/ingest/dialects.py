"""Adapters, found by entry point: a vendor can ship one as a package of its own."""

from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

import structlog

from device_gateway.readings.model import Decoded, Model, Rejected

GROUP = "device_gateway.adapters"

log = structlog.get_logger(__name__)


class Dialect(Protocol):
    """Turns the payload of one MQTT message into readings. Pure: no I/O, no exception for any bytes."""

    transport: str
    key: str
    models: tuple[Model, ...]

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected: ...


@cache
def adapters() -> tuple[Any, ...]:  # Any: MQTT dialects and Bluetooth adapters share `transport`, `key` and `models`
    """One instance of each adapter that is installed and can be loaded."""
    return tuple(adapter for adapter in _loaded().values() if not isinstance(adapter, Exception))


def broken_adapters() -> dict[str, str]:
    """Entry points that cannot be loaded, and why: one broken package must not stop the others."""
    return {name: f"{type(e).__name__}: {e}" for name, e in _loaded().items() if isinstance(e, Exception)}


@cache
def _loaded() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for point in entry_points(group=GROUP):
        try:
            found[point.name] = point.load()()
        except Exception as error:  # whatever a vendor's package raises when it is imported
            log.error("adapter cannot be loaded", adapter=point.name, error=type(error).__name__)
            found[point.name] = error
    return found


@cache
def dialects() -> dict[str, Dialect]:
    """MQTT dialects by key."""
    return {adapter.key: adapter for adapter in adapters() if adapter.transport == "mqtt"}
