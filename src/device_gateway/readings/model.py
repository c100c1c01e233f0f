"""What adapters hand over and what ingestion answers.

These types are the seam between a device's dialect and the product. An adapter turns bytes or JSON into `Reading`
or `Rejected`; nothing past the adapter sees a vendor's format. Fields are only appended, never renamed: the own MQTT
dialect carries `Reading` on the wire under these names.
"""

from __future__ import annotations  # msgspec resolves the hints; keeps unions of the structs below readable

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec

Status = Literal["final", "preliminary", "corrected"]

ContextValue = str | int | bool
SequenceNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # the column is an int8


class Reading(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):  # no cycles: values come from JSON or bytes
    """One measured value, as the device gave it.

    metric      key in `device_gateway.metrics`, for instance ``body-weight``
    unit        UCUM code of what was sent; conversion to the canonical unit is ingestion's work
    at          effective time. Aware: an instant with the UTC offset that the patient had. Naive: the wall clock of the
                device, which ingestion resolves through the device's clock segments
    value       decimal string, its digits kept ("72.40"); None for a metric with components
    components  decimal strings by component name, for instance ``{"systolic": "121", "diastolic": "79"}``
    device      None: the sender itself. Otherwise an id of the registry, or a hardware address, of a device that sends
                through the sender
    seq         sequence number of the device, 0 where it has none
    context     meal, posture, sensor status…; part of the content of a reading. Never changed: readings may share it
    status      a sender that corrects what it sent says ``corrected``: then what it sent before never takes its place,
                should it come later. In the same way what is final stays before what is preliminary
    """

    metric: str
    unit: str
    at: datetime
    value: str | None = None
    components: dict[str, str] | None = None
    device: str | None = None
    seq: SequenceNumber = 0
    context: dict[str, ContextValue] | None = None
    status: Status = "final"


class Stored(msgspec.Struct, frozen=True, tag="stored", tag_field="outcome"):
    """New: committed as version 1."""


class Duplicate(msgspec.Struct, frozen=True, tag="duplicate", tag_field="outcome"):
    """Same identity and same content as a version already kept: nothing was written."""


class Corrected(msgspec.Struct, frozen=True, tag="corrected", tag_field="outcome"):
    """Same identity, new content: a new version was committed, the former one stays in history."""


class Rejected(msgspec.Struct, frozen=True, tag="rejected", tag_field="outcome"):
    """Not stored. `pointer` is a JSON pointer (RFC 6901), or the field of a binary value; `reason` says what to change.

    The raw payload is in quarantine and can be replayed. A reason names no measured value.
    """

    pointer: str
    reason: str


Outcome = Stored | Duplicate | Corrected | Rejected
STORED, DUPLICATE, CORRECTED = Stored(), Duplicate(), Corrected()

# Context of a reading: where its effective time is from, when it is not the device's own.
TIME_SOURCE = "effective-time"
RECEIVED = "received"  # the moment at which its message came: there was no better one


class ClockMeasurement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device's clock showed at a known instant.

    raw         the device's wall clock, without a zone
    measured_at the instant of the comparison, with the UTC offset of the place
    device      as in `Reading`
    """

    raw: datetime
    measured_at: datetime
    device: str | None = None


class Decoded(msgspec.Struct, frozen=True):
    """What one payload contained, in the order of the payload.

    `readings[i]` keeps the index under which outcomes are reported. `message_id` is None where the sender waits for no
    outcome. `remember` is text by key that later messages of the same sender need to be understood; None forgets. It is
    handed back to dialects that ask for it.
    """

    readings: list[Reading | Rejected]
    message_id: str | None = None
    clocks: tuple[ClockMeasurement, ...] = ()
    battery_percent: Mapping[str, int] = {}
    remember: Mapping[str, str | None] = {}


class Model(msgspec.Struct, frozen=True):
    """A kind of thing that an adapter supports and a patient can pair.

    kind   "device" sends for itself or through a hub or edge, "hub" carries devices of another product, "edge" is ours
    setup  of a hub: (setting as the product calls it, value). ``{base}`` in a value stands for the hub's base topic,
           ``{scheme}`` (mqtt or mqtts), ``{host}``, ``{port}``, ``{id}`` and ``{password}`` for what it signs in with
    """

    key: str
    kind: Literal["device", "hub", "edge"]
    name: str
    setup: tuple[tuple[str, str], ...] = ()


Text = Callable[[], Iterable[str]]  # a file's text in pieces of any length; each call begins anew


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record of a file, as a file adapter found it.

    number  line of a table, or place of an object in a JSON file, from 1
    text    the record as it stood there: what is rejected can be mended and taken in again
    result  None for what holds no reading at all, for instance a dose of insulin
    lane    records of one lane stand in the order in which they were measured
    model   product that measured, where the file names it
    ticks   seconds of a counter in the sensor, which no change of clocks touches
    """

    number: int
    text: str
    result: Reading | Rejected | None
    lane: str = ""
    model: str = ""
    ticks: int | None = None
