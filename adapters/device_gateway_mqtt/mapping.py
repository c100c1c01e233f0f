"""A dialect that a mapping file describes (`mapping_file`). Its key is the file's, so it is found by its topic.

A reading whose message gives no time has the moment at which the message came, marked ``effective-time``: ``received``.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from device_gateway.readings.model import RECEIVED, TIME_SOURCE, ContextValue, Decoded, Model, Reading, Rejected
from device_gateway_mqtt.mapping_file import (
    LEVEL,
    MappingFile,
    MessageRow,
    ReadingRow,
    UnitTable,
    path_of,
    read_mapping_file,
    topic_pattern,
)
from device_gateway_mqtt.plain_json import NotRead, digits_of, read_json, time_of

MOST_DEVICES: Final = 100  # in one message
LONGEST_CONTEXT: Final = 100  # characters
MOST_CONTEXT: Final = 2**53  # what JSON readers agree on
NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._:+-]+", re.ASCII)
LONGEST_NAME: Final = 40  # what can be registered, beside the hub's digits
BARE_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{12}", re.ASCII)
ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}", re.ASCII)
ABSENT: Final = object()

Find = Callable[["Place"], Any]  # whatever JSON holds, or ABSENT


class Place(NamedTuple):
    """One device's object in a message."""

    message: Any
    here: Any
    levels: dict[str, str]


class _Unit(NamedTuple):
    fixed: str
    find: Find | None
    table: dict[str, str]


class _Row(NamedTuple):
    row: ReadingRow
    unit: _Unit
    values: dict[str, Find]  # by component; "" for a single value
    context: dict[str, Find]


class _Message(NamedTuple):
    row: MessageRow
    pattern: re.Pattern[str]
    each: Callable[[Any], list[Any]]
    when: list[tuple[Find, str | int | bool]]
    device: Find
    time: Find | None
    battery: Find | None
    rows: list[_Row]


class MappingDialect:
    """One mapping file at work."""

    transport = "mqtt"

    def __init__(self, file: MappingFile) -> None:
        self.key = file.key
        hub = Model(f"{file.key}-hub", "hub", file.hub, tuple(file.setup.items()))
        self.models = (hub, *(Model(row.key, "device", row.name) for row in file.model))
        self._messages = [_message(row) for row in file.message]
        self._ignored = [topic_pattern(topic, "ignore") for topic in file.ignore]

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected:
        """What the first message of the file whose topic fits makes of it. Never raises."""
        if any(pattern.fullmatch(subtopic) for pattern in self._ignored):
            return Decoded([])
        for message in self._messages:
            if match := message.pattern.fullmatch(subtopic):
                try:
                    return _decoded(message, match.groupdict(), read_json(payload), received_at)
                except NotRead as error:
                    return error.rejected
        return Rejected("", "the mapping file has no message and no ignored topic like this one")


def mapping_of(text: str) -> MappingDialect:
    """The dialect that the text of a mapping file describes. Raises BadMapping, a ValueError."""
    return MappingDialect(read_mapping_file(text))


def _message(row: MessageRow) -> _Message:
    each = path_of(row.each, "each", many=True)
    device = _find(row.device) if row.device[:1] in {"$", "@"} else _from_levels(row.device)
    return _Message(
        row=row,
        pattern=topic_pattern(row.topic, "topic"),
        each=lambda message: [match.obj for match in each.finditer(message)],
        when=[(_find(path), value) for path, value in row.when.items()],
        device=device,
        time=_find(row.time.path) if row.time else None,
        battery=_find(row.battery) if row.battery else None,
        rows=[_row(one) for one in row.reading],
    )


def _row(row: ReadingRow) -> _Row:
    unit = (
        _Unit("", _find(row.unit.path), row.unit.table)
        if isinstance(row.unit, UnitTable)
        else _Unit(row.unit, None, {})
    )
    paths = {"": row.value} if row.value is not None else row.components
    return _Row(
        row,
        unit,
        {name: _find(path) for name, path in paths.items()},
        {name: _find(path) for name, path in row.context.items()},
    )


def _find(text: str) -> Find:
    path, of_device = path_of(text, "path"), text.startswith("@")

    def find(place: Place) -> Any:
        where = place.here if of_device else place.message
        found = path.findall(where) if isinstance(where, dict | list) else ()
        return found[0] if found else ABSENT

    return find


def _from_levels(template: str) -> Find:
    return lambda place: LEVEL.sub(lambda match: place.levels[match[1]], template)


def _decoded(message: _Message, levels: dict[str, str], found: Any, received_at: datetime) -> Decoded | Rejected:
    if not isinstance(found, dict | list):
        raise NotRead(Rejected("", "a JSON object or array is needed"))
    places = message.each(found)
    if len(places) > MOST_DEVICES:
        return Rejected("", f"at most {MOST_DEVICES} devices in one message are taken")
    readings: list[Reading | Rejected] = []
    battery: dict[str, int] = {}
    for here in places:
        place = Place(found, here, levels)
        if not all(_same(find(place), wanted) for find, wanted in message.when):
            continue
        rows = [row for row in message.rows if any(_given(find(place)) for find in row.values.values())]
        if not rows:
            continue
        device = _device(message.device(place))
        if device is None:
            readings.append(Rejected(_pointer(message.row.device), "a name or a hardware address is needed"))
            continue
        at = _time(message, place)
        if isinstance(at, Rejected):
            readings.append(at)
            continue
        readings.extend(_reading(row, place, device, at or received_at, received=at is None) for row in rows)
        percent = message.battery(place) if message.battery else None
        if isinstance(percent, int) and not isinstance(percent, bool) and 0 <= percent <= 100:
            battery[device] = percent
    return Decoded(readings, battery_percent=battery)


def _pointer(path: str) -> str:
    """``$.a.b`` ▸ ``/a/b``: near enough to a JSON pointer to find the place."""
    return "/" + re.sub(r"[.\[\]'\"]+", "/", path[1:]).strip("/") if path[:1] in {"$", "@"} else ""


def _given(value: object) -> bool:
    return value is not ABSENT and value is not None


def _same(value: object, wanted: str | int | bool) -> bool:
    """JSON tells true from 1; Python does not."""
    return value == wanted and isinstance(value, bool) is isinstance(wanted, bool)


def _device(value: object) -> str | None:
    """A hardware address in its usual form, or a name with ``-`` in place of what a registered one cannot have."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 2**63 else ""
    if not isinstance(value, str):
        return None
    if BARE_ADDRESS.fullmatch(value):
        return ":".join(value[at : at + 2] for at in range(0, 12, 2)).upper()
    if ADDRESS.fullmatch(value):
        return value.upper()
    return NOT_IN_A_NAME.sub("-", value).strip("-")[:LONGEST_NAME] or None


def _time(message: _Message, place: Place) -> datetime | Rejected | None:
    """None: the message has none."""
    if message.time is None or message.row.time is None:
        return None
    value = message.time(place)
    if not _given(value):
        return None
    at = time_of(value, message.row.time.format)
    return (
        at if at is not None else Rejected(_pointer(message.row.time.path), "not a time of the form that the file says")
    )


def _reading(row: _Row, place: Place, device: str, at: datetime, *, received: bool) -> Reading | Rejected:
    values: dict[str, str] = {}
    for name, find in row.values.items():
        value = find(place)
        if not _given(value):
            continue
        digits = digits_of(value)
        if digits is None:
            return Rejected(_pointer(row.row.components.get(name) or row.row.value or ""), "a number is needed")
        values[name] = digits
    unit = _unit(row.unit, place)
    if unit is None:
        return Rejected("/unit", f"one of {', '.join(row.unit.table)} is needed")
    context: dict[str, ContextValue] = {}
    for name, find in row.context.items():
        value = find(place)
        if (kept := _context(value)) is not None:
            context[name] = kept
    if received:
        context[TIME_SOURCE] = RECEIVED
    alone = values.get("")
    return Reading(
        metric=row.row.metric,
        unit=unit,
        at=at,
        value=alone,
        components=values if alone is None else None,
        device=device,
        context=context or None,
    )


def _context(value: object) -> ContextValue | None:
    """Short printable text, a flag or a number; None for anything else."""
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < MOST_CONTEXT):
        return value
    if isinstance(value, str):
        return value if len(value) <= LONGEST_CONTEXT and value.isprintable() else None
    return digits_of(value)


def _unit(unit: _Unit, place: Place) -> str | None:
    if unit.find is None:
        return unit.fixed
    found = unit.find(place)
    return unit.table.get(found) if isinstance(found, str) else None
