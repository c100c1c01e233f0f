"""Adapters, found by entry point: a vendor can ship one as a package of its own. And dialects that are mapping files.

The entry point `SHIPPED` gives the text of mapping files by name, `READER` turns such a text into a dialect. Files of
the directory that the setting `mappings` names take the place of shipped ones with the same key.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import structlog

from device_gateway.errors import BadSetting
from device_gateway.readings.model import Decoded, Model, Rejected

GROUP = "device_gateway.adapters"
MAPPINGS = "device_gateway.mappings"
READER, SHIPPED = "reader", "shipped"
LARGEST_FILE = 256 * 1024  # bytes of a mapping file

log = structlog.get_logger(__name__)


class Dialect(Protocol):
    """Turns the payload of one MQTT message into readings. Pure: no I/O, no exception for any bytes."""

    transport: str
    key: str
    models: tuple[Model, ...]

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected: ...


@runtime_checkable
class RememberingDialect(Dialect, Protocol):
    """A dialect whose messages mean something by what came before them: `Decoded.remember` of the same sender."""

    def decode_with(
        self, memory: Mapping[str, str], subtopic: str, payload: bytes, received_at: datetime
    ) -> Decoded | Rejected: ...


@cache
def adapters() -> tuple[Any, ...]:  # Any: MQTT dialects and Bluetooth adapters share `transport`, `key` and `models`
    """One instance of each adapter that is installed and can be loaded, and one for each mapping file."""
    installed = tuple(adapter for adapter in _loaded().values() if not isinstance(adapter, Exception))
    taken = {adapter.key for adapter in installed if adapter.transport == "mqtt"}
    return installed + tuple(dialect for key, dialect in _mapped().items() if key not in taken)


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


def use_mappings(directory: Path | None) -> None:
    """Take the mapping files of `directory` in as well, from now on. Raises BadSetting, which names the file."""
    if directory is None:
        return
    if not directory.is_dir():
        raise BadSetting(f"DEVICE_GATEWAY_MAPPINGS: {directory} is no directory")
    paths = sorted(directory.glob("*.toml"))
    if not paths:
        raise BadSetting(f"DEVICE_GATEWAY_MAPPINGS: {directory} has no file that ends in .toml")
    reader = _mapping_part(READER)
    if reader is None:
        raise BadSetting("DEVICE_GATEWAY_MAPPINGS: no installed package reads mapping files")
    installed = {adapter.key for adapter in _loaded().values() if getattr(adapter, "transport", "") == "mqtt"}
    found: dict[str, Dialect] = {}
    for path in paths:
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise BadSetting(f"{path}: more than {LARGEST_FILE} bytes")
            dialect = reader(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise BadSetting(f"{path}: {error}") from error
        if dialect.key in found or dialect.key in installed:
            raise BadSetting(f"{path}: the key {dialect.key!r} is that of another file or adapter")
        found[dialect.key] = dialect
    _ADDED.clear()
    _ADDED.update(found)
    for cached in (adapters, dialects, remembering):
        cached.cache_clear()


_ADDED: dict[str, Dialect] = {}  # by key; set once, when a process starts


@cache
def _shipped() -> dict[str, Dialect]:
    reader, shipped = _mapping_part(READER), _mapping_part(SHIPPED)
    if reader is None or shipped is None:
        return {}
    found = [reader(text) for text in shipped().values()]
    return {dialect.key: dialect for dialect in found}


def _mapped() -> dict[str, Dialect]:
    return _shipped() | _ADDED


def _mapping_part(name: str) -> Any:  # Any: a function of the package that reads mapping files
    """None without such a package."""
    return next((point.load() for point in entry_points(group=MAPPINGS, name=name)), None)


@cache
def dialects() -> dict[str, Dialect]:
    """MQTT dialects by key."""
    return {adapter.key: adapter for adapter in adapters() if adapter.transport == "mqtt"}


@cache
def remembering() -> dict[str, RememberingDialect]:
    """Those of them that need what came before."""
    return {key: dialect for key, dialect in dialects().items() if isinstance(dialect, RememberingDialect)}
