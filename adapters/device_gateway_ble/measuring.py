"""What the decoders of devices that measure on demand share: one packet is one measurement, whole in itself.

Such devices number nothing (`seq` is 0) and many have no clock. Then the time at which the packet was received is the
effective time, marked in the context: ``effective-time`` is ``received``. A clock that was never set is another matter:
what such a device sends may have been stored for days, so that is refused.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import ClassVar, Final

from device_gateway.readings.model import ContextValue, Model, Reading, Rejected, Status
from device_gateway_ble.octets import Octets, RefusedField
from device_gateway_ble.user_data import UserControlPoint
from device_gateway_ble.uuids import short

Packet = tuple[str, bytes]  # (16-bit characteristic in hex, value)
Facts = dict[str, ContextValue]
Context = dict[str, ContextValue]
Results = list[Reading | Rejected]
FactParser = Callable[[bytes], Facts]  # raises RefusedField
MeasurementParser = Callable[[Octets, datetime | None], Results]  # raises RefusedField

UNKNOWN_USER: Final = 0xFF


class MeasurementDecoder:
    """Decodes the notifications and indications of one connection. Never raises, whatever the bytes are."""

    def __init__(self, key: str, parsers: Mapping[str, MeasurementParser], facts: Mapping[str, FactParser]) -> None:
        self._key = key
        self._parsers = parsers
        self._facts = facts
        self.packets: tuple[Packet, ...] = ()

    @property
    def waiting(self) -> Collection[int]:
        """Sequence numbers of what needs a further packet."""
        return ()

    @staticmethod
    def record_of(characteristic: str, data: bytes) -> int | None:  # noqa: ARG004  part of what a decoder offers
        """None: these devices number nothing."""
        return None

    def feed(self, characteristic: str, data: bytes, received_at: datetime | None = None) -> Results:
        """What this packet says or why it is refused. `received_at` (aware): for devices without a clock."""
        kind = short(characteristic)
        self.packets = ((kind, data),)
        try:
            if parse := self._parsers.get(kind):
                return parse(Octets(data), received_at)
            if parse_facts := self._facts.get(kind):
                parse_facts(data)
                return []
        except RefusedField as refused:
            return [Rejected(refused.pointer, refused.reason)]
        return [Rejected("/characteristic", f"the adapter {self._key} does not decode {kind}")]

    def finish(self) -> Results:
        """At the end of the connection: what still waited for a packet."""
        self.packets = ()
        return []


class MeasuringDevice:
    """What adapters for such devices have in common. UUIDs are in 128-bit form."""

    transport: ClassVar[str] = "ble"
    key: ClassVar[str]
    models: ClassVar[tuple[Model, ...]]
    service: ClassVar[str]
    notifies: ClassVar[tuple[str, ...]]
    record_access: ClassVar[str | None] = None
    reads: ClassVar[tuple[str, ...]] = ()
    session_start: ClassVar[str | None] = None
    live: ClassVar[bool] = False
    users: ClassVar[UserControlPoint | None] = UserControlPoint()
    metrics: ClassVar[tuple[str, ...]]
    parsers: ClassVar[Mapping[str, MeasurementParser]]
    fact_parsers: ClassVar[Mapping[str, FactParser]] = {}

    @classmethod
    def characteristics(cls) -> Collection[str]:
        """The characteristics that the adapter decodes, 16 bits in hex."""
        return (*cls.parsers, *cls.fact_parsers)

    @classmethod
    def matches(cls, service_uuids: Collection[str]) -> bool:
        """Whether a device that advertises these services (16-bit or 128-bit UUIDs) is such a device."""
        return any(short(uuid) == short(cls.service) for uuid in service_uuids)

    @staticmethod
    def same_session(_kept: bytes, _read: bytes) -> bool:
        """Such a device has no sessions."""
        return True

    @classmethod
    def decoder(cls) -> MeasurementDecoder:
        """A fresh decoder, for one connection."""
        return MeasurementDecoder(cls.key, cls.parsers, cls.fact_parsers)

    @classmethod
    def facts(cls, characteristic: str, data: bytes) -> Facts | Rejected | None:
        """What a characteristic without readings says; None where this adapter does not know it. Never raises."""
        return facts_of(cls.fact_parsers, characteristic, data)


def facts_of(parsers: Mapping[str, FactParser], characteristic: str, data: bytes) -> Facts | Rejected | None:
    """`data` by the parser of its characteristic; None where there is none. Never raises."""
    parse = parsers.get(short(characteristic))
    if parse is None:
        return None
    try:
        return parse(data)
    except RefusedField as refused:
        return Rejected(refused.pointer, refused.reason)


def effective_time(stamp: datetime | None, received_at: datetime | None, context: Context) -> datetime:
    """The device's own time where it sent one, else that of receipt, which the context then says."""
    if stamp is not None:
        return stamp
    if received_at is None:
        raise RefusedField("/time-stamp", "the packet has no time, and when it was received is not known")
    context["effective-time"] = "received"
    return received_at


def note_user(octet: int, context: Context) -> None:
    """The user of a shared device: ``user-index``, or ``user-unknown`` where the device does not know who it was."""
    if octet == UNKNOWN_USER:
        context["user-unknown"] = True
    else:
        context["user-index"] = octet


def reading(
    metric: str, value: str, unit: str, at: datetime, context: Mapping[str, ContextValue], *, status: Status = "final"
) -> Reading:
    """A reading with a context of its own, None where there is nothing to say."""
    return Reading(metric=metric, value=value, unit=unit, at=at, context=dict(context) or None, status=status)
