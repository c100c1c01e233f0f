"""What the gateway asks of an adapter for Bluetooth devices. Adapters are found by entry point, never imported."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Protocol, cast

from device_gateway.errors import UnknownModel
from device_gateway.ingest.dialects import adapters
from device_gateway.readings.model import Reading, Rejected

Packet = tuple[str, bytes]  # (characteristic as the adapter names it, value)


class RecordDecoder(Protocol):
    """Decodes the notifications of one sync, in their order. Pure, and never raises whatever the bytes are."""

    packets: tuple[Packet, ...]  # what the refusals of the last call rest on, oldest first

    @property
    def waiting(self) -> Collection[int]:
        """Sequence numbers of records that need a further packet."""

    def record_of(self, characteristic: str, data: bytes) -> int | None:
        """The sequence number of the record that this packet begins, None where it begins none."""

    def feed(self, characteristic: str, data: bytes, received_at: datetime | None = None) -> list[Reading | Rejected]:
        """What this packet completes or refuses. `received_at` (aware): the time of a measurement without one."""

    def finish(self) -> list[Reading | Rejected]:
        """After a completed transfer: what still waited, as good as it is."""


# What an adapter need not say of devices that have nothing of the kind.
UNSAID: Mapping[str, object] = {
    "record_access": None,
    "reads": (),
    "session_start": None,
    "live": False,
    "users": None,
    "sessions": None,
}


class UserAnswer(Protocol):
    """What a device that tells people apart answered to a request."""

    @property
    def response(self) -> str: ...

    @property
    def user_index(self) -> int | None: ...


class UserControl(Protocol):
    """How such a device is told who is there. Codes are 0 … 9999."""

    @property
    def characteristic(self) -> str: ...

    def register(self, code: int, /) -> bytes: ...

    def consent(self, user_index: int, code: int, /) -> bytes: ...

    def answer(self, data: bytes, /) -> UserAnswer | None:
        """None for what is no answer."""


class SensorSessions(Protocol):
    """How a sensor that measures in sessions says what it is at, and is told to start. Nothing raises.

    `shown` is what it showed of `reads`, by characteristic. States: "waiting" for its first start, "running",
    "expired" (running beyond its time), "ended".
    """

    @property
    def reads(self) -> Sequence[str]: ...

    @property
    def control_point(self) -> str: ...

    @property
    def start_time(self) -> str: ...

    def state(self, shown: Mapping[str, bytes], /) -> str | None:
        """None where it does not say."""

    def has_start(self, shown: Mapping[str, bytes], /) -> bool:
        """Whether it says when its session began."""

    def start_time_value(self, shown: Mapping[str, bytes], now: datetime, /) -> bytes: ...

    def start_request(self, shown: Mapping[str, bytes], /) -> bytes: ...

    def answer(self, data: bytes, /) -> str | None:
        """ "success", or why it does not start; None for an answer to something else."""


class RecordAdapter(Protocol):
    """A kind of device: what is read, listened to and asked for. UUIDs are in 128-bit form.

    notifies       what it notifies or indicates, of which a device may lack some
    record_access  its Record Access Control Point, None where it sends by itself, once connected, what is new
    reads          read before anything else and given to the decoder, in this order; a device may lack some
    session_start  among `reads`, the start of the sensor session that numbers its records; None where there is none.
                   The value that was read first holds for the whole session, so that no record ever moves.
    live           whether it measures continually: then it is listened to for as long as it stays connected
    sessions       how its sessions are looked at and started, None where it has none
    users          how to say who is there, None where such devices tell nobody apart
    """

    key: ClassVar[str]
    transport: ClassVar[str]
    service: ClassVar[str]
    notifies: ClassVar[tuple[str, ...]]
    record_access: ClassVar[str | None]
    reads: ClassVar[tuple[str, ...]]
    session_start: ClassVar[str | None]
    live: ClassVar[bool]
    users: ClassVar[UserControl | None]
    sessions: ClassVar[SensorSessions | None]

    def same_session(self, kept: bytes, read: bytes, /) -> bool:
        """Whether both values of `session_start` mean the same session; asked only where there are sessions."""

    def matches(self, service_uuids: Collection[str]) -> bool:
        """Whether what a device advertises is such a device."""

    def decoder(self) -> RecordDecoder:
        """A fresh one, for one sync."""


@dataclass(frozen=True, slots=True)
class Advertised:
    """What an advertisement carries beside names: service data by UUID, manufacturer data by company."""

    services: Mapping[str, bytes]
    manufacturers: Mapping[int, bytes]


class BroadcastAdapter(Protocol):
    """A kind of device that broadcasts what it measures, over and over, and is never connected to. Nothing raises.

    broadcasts  True; adapters for devices that are connected to lack it
    """

    key: ClassVar[str]
    transport: ClassVar[str]
    broadcasts: ClassVar[bool]

    def model_of(self, service_data: Mapping[str, bytes], /) -> str | None:
        """The key of the model that broadcasts this; None where it is another kind of device."""

    def is_encrypted(self, service_data: Mapping[str, bytes], /) -> bool:
        """Whether a bind key is needed to read this broadcast."""

    def is_settling(self, service_data: Mapping[str, bytes], /) -> bool:
        """Whether a measurement goes on right now, so that the next result is one of this moment."""

    def measurement_of(
        self, service_data: Mapping[str, bytes], bind_key: bytes | None, address: str | None, /
    ) -> bytes | None:
        """Octets that all broadcasts of one measurement share and those of another do not: the device's own time, as
        far as it has one. None where it has none, or where there is no result in it."""

    def decode_advertisement(
        self,
        service_data: Mapping[str, bytes],
        manufacturer_data: Mapping[int, bytes],
        received_at: datetime,
        bind_key: bytes | None,
        address: str | None,
        /,
    ) -> list[Reading | Rejected]:
        """The readings in it, or why it cannot be read; none where it holds no result. `received_at` is aware."""


def complete(adapter: Any) -> RecordAdapter:  # Any: the entry point is a promise; there is no type to check it with
    """The adapter, with what it left unsaid."""
    for name, value in UNSAID.items():
        if not hasattr(adapter, name):
            setattr(adapter, name, value)
    return cast(RecordAdapter, adapter)


@cache
def record_adapters() -> dict[str, RecordAdapter]:
    """Installed adapters for Bluetooth devices that are connected to, by key."""
    return {one.key: complete(one) for one in adapters() if one.transport == "ble" and _connects(one)}


@cache
def broadcast_adapters() -> dict[str, BroadcastAdapter]:
    """Installed adapters for Bluetooth devices that broadcast, by key."""
    return {one.key: one for one in adapters() if one.transport == "ble" and not _connects(one)}


def record_adapter(key: str) -> RecordAdapter:
    """The adapter with this key. Raises UnknownModel."""
    found = record_adapters()
    if key not in found:
        raise UnknownModel(f"no installed adapter is called {key!r}; there are: {', '.join(sorted(found)) or 'none'}")
    return found[key]


def check_adapter(key: str) -> None:
    """Raises UnknownModel where no adapter has this key, of either kind."""
    if key not in broadcast_adapters():
        record_adapter(key)


def _connects(adapter: Any) -> bool:  # Any: as in `complete`
    return not getattr(adapter, "broadcasts", False)
