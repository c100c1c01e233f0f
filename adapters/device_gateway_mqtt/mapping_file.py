"""A mapping file (TOML): how the JSON of one product becomes readings, without code. docs/dialects.md is its manual.

Checked whole when it is read: a wrong path, metric, unit or model stops the process with the place in the file.
"""

import re
import tomllib
from typing import Final, Literal

import msgspec
from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError

from device_gateway.metrics import METRICS

KEY: Final = re.compile(r"[a-z][a-z0-9-]{1,31}", re.ASCII)
OWN_KEY: Final = "own"
LEVEL: Final = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}", re.ASCII)
NAMED: Final = re.compile(r"\{([^{}]*)\}")
TOPIC_NAMES: Final = frozenset({"host", "port", "scheme", "id", "password", "base"})

PATHS: Final = JSONPathEnvironment(strict=True)  # RFC 9535 and nothing beyond it


class BadMapping(ValueError):
    """The file cannot be used; the text says where and why."""


class ModelRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    key: str
    name: str


class TimeRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    path: str
    format: Literal["iso", "unix-s", "unix-ms"] = "iso"


class UnitTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Unit as sent, found at `path` ▸ UCUM."""

    path: str
    table: dict[str, str]


class ReadingRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    metric: str
    unit: str | UnitTable
    value: str | None = None
    components: dict[str, str] = {}
    context: dict[str, str] = {}


class MessageRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Messages on `topic`. `each` finds the objects in them that are devices; ``@`` in other paths stands for one."""

    topic: str
    device: str
    reading: list[ReadingRow]
    each: str = "$"
    when: dict[str, str | int | bool] = {}
    time: TimeRow | None = None
    battery: str | None = None


class MappingFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    key: str
    hub: str
    message: list[MessageRow]
    model: list[ModelRow]
    ignore: list[str] = []
    setup: dict[str, str] = {}


def read_mapping_file(text: str) -> MappingFile:
    """Raises BadMapping."""
    try:
        found = msgspec.convert(tomllib.loads(text), MappingFile)
    except tomllib.TOMLDecodeError as error:
        raise BadMapping(f"not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise BadMapping(str(error)) from error
    for check in (_check_names, _check_messages):
        check(found)
    return found


def path_of(text: str, place: str, *, many: bool = False) -> JSONPath | CompoundJSONPath:
    """A compiled path; ``@`` at its beginning is the device's object, ``$`` the message. Raises BadMapping."""
    try:
        path = PATHS.compile("$" + text[1:] if text.startswith("@") else text)
    except JSONPathError as error:
        raise BadMapping(f"{place}: {text!r} is not a JSONPath (RFC 9535): {str(error).splitlines()[0]}") from error
    if not many and not (isinstance(path, JSONPath) and path.singular_query()):
        raise BadMapping(f"{place}: {text!r} may find several values; only names and indexes are for one value")
    return path


def topic_pattern(topic: str, place: str) -> re.Pattern[str]:
    """``a/{name}/b``: a name stands for one level, ``#`` at the end for all that follow. Raises BadMapping."""
    levels = topic.split("/")
    parts = []
    for at, level in enumerate(levels):
        if level == "#" and at == len(levels) - 1:
            parts.append(r".*")
        elif match := LEVEL.fullmatch(level):
            parts.append(f"(?P<{match[1]}>[^/]+)")
        elif re.search(r"[{}#+]", level):
            raise BadMapping(f"{place}: level {level!r}: plain text, {{name}}, or # at the end are possible")
        else:
            parts.append(re.escape(level))
    try:
        return re.compile("/".join(parts), re.DOTALL)
    except re.error as error:
        raise BadMapping(f"{place}: {error}") from error


def _check_names(found: MappingFile) -> None:
    if not KEY.fullmatch(found.key) or found.key == OWN_KEY:
        raise BadMapping(f"key: {found.key!r}: 2 to 32 small letters, digits and -, and not {OWN_KEY!r}")
    for at, model in enumerate(found.model):
        if not model.key.startswith(f"{found.key}-") or not KEY.fullmatch(model.key):
            raise BadMapping(f"model[{at}].key: {model.key!r} must begin with {found.key}-")
        if not model.name.strip():
            raise BadMapping(f"model[{at}].name: a name is needed")
    keys = [model.key for model in found.model]
    if not keys or len(set(keys)) != len(keys) or f"{found.key}-hub" in keys:
        raise BadMapping("model: at least one is needed, each key once, and not that of the hub")
    for name, value in found.setup.items():
        if unknown := set(NAMED.findall(value)) - TOPIC_NAMES:
            raise BadMapping(f"setup.{name}: unknown {sorted(unknown)}; known are {sorted(TOPIC_NAMES)}")


def _check_messages(found: MappingFile) -> None:
    if not found.message:
        raise BadMapping("message: at least one is needed")
    for at, topic in enumerate(found.ignore):
        topic_pattern(topic, f"ignore[{at}]")
    for at, message in enumerate(found.message):
        place = f"message[{at}]"
        names = set(topic_pattern(message.topic, f"{place}.topic").groupindex)
        path_of(message.each, f"{place}.each", many=True)
        if message.device[:1] in {"$", "@"}:
            path_of(message.device, f"{place}.device")
        elif unknown := set(NAMED.findall(message.device)) - names:
            raise BadMapping(f"{place}.device: the topic has no level {sorted(unknown)}")
        for path in (*message.when, message.battery, message.time.path if message.time else None):
            if path is not None:
                path_of(path, place)
        if not message.reading:
            raise BadMapping(f"{place}.reading: at least one is needed")
        for number, reading in enumerate(message.reading):
            _check_reading(reading, f"{place}.reading[{number}]")


def _check_reading(row: ReadingRow, place: str) -> None:
    metric = METRICS.get(row.metric)
    if metric is None:
        raise BadMapping(f"{place}.metric: {row.metric!r} is not in the catalogue of metrics")
    units = row.unit.table.values() if isinstance(row.unit, UnitTable) else [row.unit]
    if wrong := [unit for unit in units if unit not in metric.accepts]:
        raise BadMapping(f"{place}.unit: {row.metric} is measured in {', '.join(metric.accepts)}, not {wrong[0]!r}")
    known = {component.key for component in metric.components}
    if (row.value is None) is not bool(known) or set(row.components) - known:
        needs = f"components {sorted(known)} and no value" if known else "a value and no components"
        raise BadMapping(f"{place}: {row.metric} has {needs}")
    if missing := {component.key for component in metric.components if component.required} - set(row.components):
        raise BadMapping(f"{place}.components: {sorted(missing)} are needed")
    paths = [row.value, *row.components.values(), *row.context.values()]
    for path in [*paths, row.unit.path if isinstance(row.unit, UnitTable) else None]:
        if path is not None:
            path_of(path, place)
