"""Our own dialect, key ``own``: the JSON of topic ``…/readings``.

``{"message_id"?, "sent_at"?, "readings": [{"metric", "value" | "components", "unit", "at", "device"?, "seq"?,
"context"?, "status"?}], "clocks"?: [{"device"?, "raw", "measured_at"}], "battery_percent"?: {device: percent}}``

Values are decimal strings. Fields are only appended; unknown ones are passed over, so that an older gateway understands
a newer device.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, ClassVar, Final, TypeVar

import msgspec

from device_gateway.readings.model import ClockMeasurement, Decoded, Model, Reading, Rejected
from device_gateway_mqtt.problem import UNREADABLE, rejection

READINGS: Final = "readings"
NUL: Final = b"\\u0000"  # legal in JSON, in no text of PostgreSQL
NUL_REFUSED: Final = "text with the character NUL cannot be kept"

T = TypeVar("T")

MessageId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]  # a UUID has 36 characters
BatteryPercent = dict[str, Annotated[int, msgspec.Meta(ge=0, le=100)]]


class _Message(msgspec.Struct):
    readings: list[Reading]
    message_id: MessageId | None = None
    clocks: tuple[ClockMeasurement, ...] = ()
    battery_percent: BatteryPercent = {}


class _Envelope(msgspec.Struct):
    """The same message, its items unread."""

    readings: list[msgspec.Raw]
    message_id: MessageId | None = None
    clocks: list[msgspec.Raw] = []
    battery_percent: msgspec.Raw = msgspec.Raw(b"{}")


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_READING: Final = msgspec.json.Decoder(Reading)
_CLOCK: Final = msgspec.json.Decoder(ClockMeasurement)
_BATTERY: Final = msgspec.json.Decoder(BatteryPercent)


class OwnDialect:
    """Devices that were made for this gateway, and its own edge."""

    transport: ClassVar[str] = "mqtt"
    key: ClassVar[str] = "own"
    models: ClassVar[tuple[Model, ...]] = (
        Model("dg-scale", "device", "Smart scale"),
        Model("dg-cuff", "device", "Blood pressure monitor"),
        Model("dg-glucometer", "device", "Glucose meter"),
        Model("dg-cgm", "device", "Continuous glucose monitor"),
        Model("dg-oximeter", "device", "Pulse oximeter"),
        Model("dg-thermometer", "device", "Thermometer"),
    )

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected:  # noqa: ARG002
        """Readings in the order of the message; a bad one is Rejected in its place and takes no other with it.

        What is wrong with a clock or a battery follows behind the readings. Other subtopics (``event``, ``status``)
        hold no readings. Never raises.
        """
        if subtopic != READINGS:
            return Decoded([])
        try:
            message = _MESSAGE.decode(payload)
        except UNREADABLE:
            return _item_by_item(payload)
        if NUL in payload:
            return _item_by_item(payload)
        return Decoded([*message.readings], message.message_id, message.clocks, message.battery_percent)


def _item_by_item(payload: bytes) -> Decoded | Rejected:
    try:
        envelope = _ENVELOPE.decode(payload)
    except UNREADABLE as error:
        return rejection(error)
    if envelope.message_id and "\0" in envelope.message_id:
        return Rejected("/message_id", NUL_REFUSED)
    readings = [_read(_READING.decode, raw, f"/readings/{index}") for index, raw in enumerate(envelope.readings)]
    clocks = [_read(_CLOCK.decode, raw, f"/clocks/{index}") for index, raw in enumerate(envelope.clocks)]
    battery = _read(_BATTERY.decode, envelope.battery_percent, "/battery_percent")
    beside = [item for item in (*clocks, battery) if isinstance(item, Rejected)]
    return Decoded(
        [*readings, *beside],
        envelope.message_id,
        tuple(clock for clock in clocks if not isinstance(clock, Rejected)),
        {} if isinstance(battery, Rejected) else battery,
    )


def _read(decode: Callable[[bytes], T], raw: msgspec.Raw, pointer: str) -> T | Rejected:
    octets = bytes(raw)
    if NUL in octets:
        return Rejected(pointer, NUL_REFUSED)
    try:
        return decode(octets)
    except UNREADABLE as error:
        return rejection(error, pointer)
