"""What an edge sends: our own dialect, with readings of several devices in one message, and what it could not decode.

Each message of a sync carries the comparison of the device's clock with ours, so that a reading whose time has no zone
can be placed whichever message comes first.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid4, uuid5

import msgspec

from device_gateway.readings.model import ClockMeasurement, Reading
from device_gateway.transports.ble.sync import Batch, Refusal
from device_gateway.transports.spool import Spooled


class ReadingsMessage(msgspec.Struct):
    """Payload of ``…/readings``, less `sent_at`, which is put in front when it is sent."""

    message_id: str
    readings: list[Reading]
    clocks: Sequence[ClockMeasurement]
    battery_percent: dict[str, int]


class RawMessage(msgspec.Struct, omit_defaults=True):
    """Payload of ``…/raw``: a refusal and what it rests on.

    Several packets (a measurement and its context) stand in `characteristic` and `hex` separated by a space, in order.
    """

    message_id: str
    device: str
    characteristic: str
    hex: str
    pointer: str
    reason: str
    adapter: str
    received_at: datetime | None = None


def messages_of(
    batch: Batch, device_id: str, adapter: str, clock: ClockMeasurement | None, battery_percent: int | None
) -> list[Spooled]:
    """The messages that carry a batch."""
    messages = [raw_message(refusal, device_id, adapter) for refusal in batch.refusals]
    if batch.readings:
        messages.insert(0, readings_message(batch.readings, device_id, clock, battery_percent))
    return messages


def readings_message(
    readings: Sequence[Reading], device_id: str, clock: ClockMeasurement | None, battery_percent: int | None
) -> Spooled:
    """Readings of one device (none is fine), what its clock showed and its battery."""
    named = [msgspec.structs.replace(reading, device=device_id) for reading in readings]
    clocks = () if clock is None else (msgspec.structs.replace(clock, device=device_id),)
    batteries = {} if battery_percent is None else {device_id: battery_percent}
    message_id = str(uuid4())
    message = ReadingsMessage(message_id, named, clocks, batteries)
    return Spooled(message_id, "readings", len(named), msgspec.json.encode(message), device_id if named else None)


def raw_message(refusal: Refusal, device_id: str, adapter: str) -> Spooled:
    """One refusal. The same octets of the same device make the same message id, however often they are read."""
    characteristic = " ".join(name for name, _ in refusal.packets)
    octets = " ".join(data.hex() for _, data in refusal.packets)
    message_id = str(uuid5(NAMESPACE_OID, f"{device_id} {characteristic} {octets}"))
    rejected = refusal.rejected
    raw = RawMessage(
        message_id, device_id, characteristic, octets, rejected.pointer, rejected.reason, adapter, refusal.received_at
    )
    return Spooled(message_id, "raw", 0, msgspec.json.encode(raw), device_id)


def event_message(event: str, at: datetime, **details: str | int | bool | None) -> Spooled:
    """Something that happened here, for ``…/event``. Details that are None are left out."""
    message_id = str(uuid4())
    body = {"message_id": message_id, "event": event, "at": at.isoformat(timespec="milliseconds")}
    said = {name: detail for name, detail in details.items() if detail is not None}
    return Spooled(message_id, "event", 0, msgspec.json.encode(body | said))


def payload(message: Spooled, now: datetime | None = None) -> bytes:
    """What goes over the wire: the body with `sent_at`, the time of this attempt."""
    sent_at = (now or datetime.now(UTC)).isoformat(timespec="milliseconds")
    return b'{"sent_at":"%b",%b' % (sent_at.encode(), message.body[1:])


class OutcomeLine(msgspec.Struct):
    """What became of one reading."""

    index: int
    outcome: str
    pointer: str | None = None
    reason: str | None = None


class OutcomeMessage(msgspec.Struct):
    """Payload of ``…/outcome``."""

    message_id: str
    outcomes: list[OutcomeLine]


def parse_outcome(body: bytes) -> OutcomeMessage:
    """Raises msgspec.DecodeError for what is no outcome message."""
    return msgspec.json.decode(body, type=OutcomeMessage)
