"""What a recorded session says about a device: its services, its values, and what it answered to each request.

The file is described where sessions are recorded; this reads what a device needs to be played, by itself.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1
NO_ANSWER = 0x0E  # Bluetooth Core 5.4, vol. 3, part F, 3.4.1.1: unlikely error, where the recording has no answer


class BadSession(ValueError):
    """The file is no recording of a session with a device."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the device sent by itself, `after_s` seconds after what it sent or was asked before."""

    handle: int
    value: bytes
    after_s: float


@dataclass(slots=True)
class Exchange:
    """A request, and what followed until the next one. `error`: the ATT error that was the answer."""

    handle: int
    value: bytes
    error: int | None = None
    followed: list[Said] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RecordedCharacteristic:
    uuid: str
    handle: int
    properties: frozenset[str]
    descriptors: dict[str, bytes]  # the values that were read, by UUID


@dataclass(frozen=True, slots=True)
class RecordedService:
    uuid: str
    characteristics: tuple[RecordedCharacteristic, ...]


@dataclass(slots=True)
class RecordedDevice:
    """A device as it was recorded.

    reads      by handle, what each reading gave: a value, or the code of an ATT error
    unasked    what it sent before anything was written
    exchanges  what was written, in its order
    """

    name: str = ""
    advertised: tuple[str, ...] = ()
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)
    service_data: dict[str, bytes] = field(default_factory=dict)
    services: list[RecordedService] = field(default_factory=list)
    reads: dict[int, list[bytes | int]] = field(default_factory=lambda: defaultdict(list))
    unasked: list[Said] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)


def read_recording(file: Path) -> RecordedDevice:
    """The device in a recording. Raises BadSession."""
    try:
        first, *events = _lines(file)
        if (first["event"], first["version"]) != ("session", VERSION):
            raise BadSession(f"{file} is no recording of version {VERSION}")
        device = RecordedDevice(name=first.get("name", ""))
        described = {event["handle"]: event["value"] for event in events if event["event"] == "described"}
        last_s = 0.0
        for event in events:
            _take(device, event, described, last_s)
            last_s = event["t"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadSession(f"{file} is no recording of a session: {error!r}") from error
    return device


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Any: JSON as it is written."""
    for line in file.read_text("utf-8").splitlines():
        yield json.loads(line)


def _take(device: RecordedDevice, event: dict[str, Any], described: dict[int, str], last_s: float) -> None:
    kind, error = str(event["event"]), event.get("error")
    value = bytes.fromhex(event.get("value", ""))
    if kind == "advertisement":
        device.name = event.get("name") or device.name
        device.advertised = tuple(event.get("services", ()))
        device.manufacturer_data = {int(k, 16): bytes.fromhex(v) for k, v in event.get("manufacturer_data", {}).items()}
        device.service_data = {k: bytes.fromhex(v) for k, v in event.get("service_data", {}).items()}
    elif kind == "connected":
        device.services.clear()
    elif kind == "service":
        device.services.append(_service(event, described))
    elif kind == "read":
        device.reads[event["handle"]].append(value if error is None else _att(error))
    elif kind == "write" and error is None:
        device.exchanges.append(Exchange(event["handle"], value))
    elif kind == "write":
        refused = next(x for x in reversed(device.exchanges) if (x.handle, x.value) == (event["handle"], value))
        refused.error = _att(error)
    elif kind == "notified":
        followed = device.exchanges[-1].followed if device.exchanges else device.unasked
        followed.append(Said(event["handle"], value, max(event["t"] - last_s, 0.0)))


def _service(event: dict[str, Any], described: dict[int, str]) -> RecordedService:
    return RecordedService(
        event["uuid"],
        tuple(
            RecordedCharacteristic(
                found["uuid"],
                found["handle"],
                frozenset(found["properties"]),
                {
                    descriptor["uuid"]: bytes.fromhex(described[descriptor["handle"]])
                    for descriptor in found.get("descriptors", ())
                    if descriptor["handle"] in described
                },
            )
            for found in event.get("characteristics", ())
        ),
    )


def _att(error: Any) -> int:
    return int(error) if error > 0 else NO_ANSWER
