"""The file of a recorded GATT session, version 1: JSON lines, one event each, in the order in which they happened.

The first line has ``"event": "session"``; every other one has ``t``, the seconds since that line's ``recorded``. Octets
are hexadecimal. UUIDs of the Bluetooth SIG are four hexadecimal digits (``2A18``), others are written in full.

session        version, recorded (with UTC offset), adapter, address, name, note (where the recording comes from)
advertisement  name, services, manufacturer_data (by company), service_data (by UUID), rssi_dbm, tx_power_dbm
connected      mtu
service        uuid, handle, characteristics: uuid, handle, properties as bleak names them, descriptors: uuid, handle
read           uuid, handle, value; or error, the code of the ATT error, or -1 where no answer came
described      the same of a descriptor
write          uuid, handle, value; noted when it is sent, and once more with the error where it failed
subscribe      uuid, handle; as a write
notified       uuid, handle, value: a notification, or an indication where the characteristic only indicates
disconnected   nothing; whoever did it

Fields are only appended, never renamed; a reader passes over fields that it does not know. There are no keys of bonds.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, TypeVar

import msgspec

from device_gateway.errors import GatewayError

VERSION: Final = 1
NO_ANSWER: Final = -1
HIDDEN_ADDRESS: Final = "C0:00:00:00:00:00"
_NAMING: Final = frozenset({"2A00", "2A23", "2A25"})  # device name, system id, serial number
_SUFFIX: Final = "-0000-1000-8000-00805f9b34fb"  # the Bluetooth Base UUID


class BadRecording(GatewayError):
    """The file is no recording of a GATT session."""

    exit_code = 65  # EX_DATAERR


class FileTaken(GatewayError):
    """There is a file of this name already."""

    exit_code = 73  # EX_CANTCREAT


class Session(msgspec.Struct, frozen=True, tag="session", tag_field="event", omit_defaults=True):
    recorded: datetime
    version: int
    adapter: str | None = None
    address: str | None = None
    name: str | None = None
    note: str | None = None


class _Event(msgspec.Struct, frozen=True, tag_field="event", omit_defaults=True):
    t: float


class Advertised(_Event, frozen=True, tag="advertisement"):
    name: str | None = None
    services: list[str] = []
    manufacturer_data: dict[str, str] = {}
    service_data: dict[str, str] = {}
    rssi_dbm: int | None = None
    tx_power_dbm: int | None = None


class Connected(_Event, frozen=True, tag="connected"):
    mtu: int | None = None


class Descriptor(msgspec.Struct, frozen=True):
    uuid: str
    handle: int


class Characteristic(msgspec.Struct, frozen=True, omit_defaults=True):
    uuid: str
    handle: int
    properties: list[str]
    descriptors: list[Descriptor] = []


class Service(_Event, frozen=True, tag="service"):
    uuid: str
    handle: int
    characteristics: list[Characteristic] = []


class _Attribute(_Event, frozen=True):
    uuid: str
    handle: int
    value: str = ""
    error: int | None = None

    @property
    def octets(self) -> bytes:
        """The value. Only of an event that `read_session` has checked."""
        return bytes.fromhex(self.value)


class Read(_Attribute, frozen=True, tag="read"):
    """A characteristic was read."""


class Described(_Attribute, frozen=True, tag="described"):
    """A descriptor was read."""


class Written(_Attribute, frozen=True, tag="write"):
    """A characteristic was written."""


class Subscribed(_Attribute, frozen=True, tag="subscribe"):
    """Notifications or indications were asked for."""


class Notified(_Attribute, frozen=True, tag="notified"):
    """A notification or an indication came."""


class Disconnected(_Event, frozen=True, tag="disconnected"):
    """The connection ended."""


Event = (
    Advertised | Connected | Service | Read | Described | Written | Subscribed | Notified | Disconnected
)  # what follows the session
E = TypeVar("E", bound=_Event)


class Recorder:
    """Writes a session into a new file as it happens; `hides` what would tell whose device it is.

    Only its owner may read the file: it holds health values, and consent codes where the device asked for one. Raises
    FileTaken.
    """

    def __init__(self, path: Path, *, hides: bool = False) -> None:
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError as error:
            raise FileTaken(f"{path} is there already") from error
        self._file: BinaryIO = path.open("wb")
        self._hides = hides
        self._hidden: tuple[str, ...] = ()
        self._began = time.monotonic()
        self.events = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def t(self) -> float:
        """Seconds since the session began."""
        return round(time.monotonic() - self._began, 3)

    def begin(self, session: Session) -> None:
        """The first line."""
        self._began = time.monotonic()
        if self._hides:
            octets = (session.address or "").replace(":", "").lower()
            if len(octets) == 12:
                self._hidden = (octets, bytes.fromhex(octets)[::-1].hex())
            session = msgspec.structs.replace(session, address=HIDDEN_ADDRESS, name=None)
        self._write(session)

    def note(self, event: Event) -> None:
        """One more line."""
        self._write(self._without_names(event) if self._hides else event)
        self.events += 1

    def _write(self, line: Session | Event) -> None:
        if not self._file.closed:  # a notification may still come when the connection ends
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()

    def _without_names(self, event: Event) -> Event:
        if isinstance(event, Advertised):
            return msgspec.structs.replace(
                event,
                name=None,
                manufacturer_data={key: self._masked(value) for key, value in event.manufacturer_data.items()},
                service_data={key: self._masked(value) for key, value in event.service_data.items()},
            )
        if isinstance(event, _Attribute):
            named = event.uuid in _NAMING
            return msgspec.structs.replace(
                event, value="30" * (len(event.value) // 2) if named else self._masked(event.value)
            )
        return event

    def _masked(self, value: str) -> str:
        """Without the address of the device, in either order of its octets."""
        for address in self._hidden:
            value = value.replace(address, "0" * len(address))
        return value


class Recording(msgspec.Struct, frozen=True):
    """A whole recording: its first line, and what happened."""

    session: Session
    events: tuple[Event, ...]

    def of(self, kind: type[E]) -> Iterable[E]:
        """The events of one kind."""
        return (event for event in self.events if isinstance(event, kind))


def read_session(path: Path) -> Recording:
    """The recording in a file. Raises BadRecording, which names the line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror}") from error
    session: Session | None = None
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        try:
            if session is None:
                session = _session(line)
            else:
                events.append(_event(line))
        except ValueError as error:  # msgspec's errors are such, too
            raise BadRecording(f"{path}, line {number}: {error}") from error
    if session is None:
        raise BadRecording(f"{path} is empty")
    return Recording(session, tuple(events))


def _session(line: bytes) -> Session:
    session = msgspec.json.decode(line, type=Session)
    if session.version != VERSION:
        raise ValueError(f"it has version {session.version}; version {VERSION} can be read")
    if session.recorded.tzinfo is None:
        raise ValueError("recorded has no UTC offset")
    return session


def _event(line: bytes) -> Event:
    event: Event = msgspec.json.decode(line, type=Event)
    if isinstance(event, _Attribute):
        bytes.fromhex(event.value)
    return event


def short_uuid(uuid: str) -> str:
    """``2A18`` of an assigned number in its 128-bit form; any other UUID as it is."""
    return uuid[4:8].upper() if uuid.startswith("0000") and uuid.endswith(_SUFFIX) else uuid


def long_uuid(uuid: str) -> str:
    """The 128-bit form in lower case."""
    return f"0000{uuid.lower()}{_SUFFIX}" if len(uuid) == 4 else uuid.lower()
