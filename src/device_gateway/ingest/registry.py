"""What ingestion must know of devices: who they are, who held them when, and the series their readings belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg.types.string import ByteaBinaryLoader

from device_gateway.database.pool import Row
from device_gateway.devices.clocks import BEFORE_ANYTHING, DeviceClock, Segment
from device_gateway.readings.packed import array_of_texts, array_of_uuids, understand_arrays
from device_gateway.readings.put import to_microseconds

if TYPE_CHECKING:  # it imports this module
    from device_gateway.ingest.placing import Lane

HELD = """SELECT f.sender, f.name, f.id, f.model, f.shared, h.space_id, s.zone, lower(h.during) AS since,
  upper(h.during) AS until
FROM ({found}) AS f LEFT JOIN gateway.device_holding h ON h.device_id = f.id
  LEFT JOIN gateway.space s ON s.id = h.space_id"""

# A sender speaks for itself, …
SENDERS = HELD.format(
    found="""SELECT d.id AS sender, NULL AS name, d.id, d.model, d.shared
  FROM unnest(%b::uuid[]) AS w (sender) JOIN gateway.device d ON d.id = w.sender"""
)
# … or for a device that sends through it, named by registry id or by hardware id.
NAMED = HELD.format(
    found="""SELECT w.sender, w.name, d.id, d.model, d.shared
  FROM unnest(%b::uuid[], %b::text[]) AS w (sender, name) JOIN gateway.device d ON d.parent_id = w.sender
    WHERE w.name IN (d.hardware_id, d.id::text)
  UNION ALL
  SELECT w.sender, w.name, d.id, d.model, d.shared
  FROM unnest(%b::uuid[], %b::text[]) AS w (sender, name) JOIN gateway.device d ON d.id = w.sender
    WHERE w.name = w.sender::text"""
)

# Persons who are users of a device, each of whose readings name the user.
USERS = """SELECT u.device_id, u.user_index, u.space_id, lower(u.during) AS since, upper(u.during) AS until
FROM gateway.device_user u WHERE u.device_id = ANY(%b::uuid[]) ORDER BY u.device_id, u.user_index, since NULLS FIRST"""

SERIES = "SELECT id FROM gateway.series WHERE space_id = %s AND metric = %s AND device_id = %s"
NEW_SERIES = """INSERT INTO gateway.series (space_id, metric, device_id) VALUES (%s, %s, %s)
  ON CONFLICT (space_id, metric, device_id, source_id) DO NOTHING"""

CLOCKS = """SELECT d.id AS device_id, c.from_seq, c.from_raw, c.shift_s, c.utc_offset_min, c.measured_at, c.was_reset,
  u.last_seq, u.last_raw
  FROM unnest(%b::uuid[]) AS d (id) LEFT JOIN gateway.device_clock c ON c.device_id = d.id
  LEFT JOIN gateway.device_clock_used u ON u.device_id = d.id ORDER BY d.id, c.id"""

FROZEN = """SELECT f.device_id, f.seq, f.raw, f.shift_s, f.utc_offset_min FROM gateway.device_clock_frozen f
  WHERE f.device_id = ANY(%b::uuid[])"""

FOREVER = 2**62  # microseconds: an open end
REMEMBERED_SERIES = 200_000  # about 40 MB; a series never changes its id, so what is remembered stays true

Name = tuple[UUID, str | None]


class HeldRow(NamedTuple):
    """Who held a device, a stretch of time for each row: ids and times are PostgreSQL's own octets."""

    id: bytes
    model: str
    shared: bool
    space: bytes | None
    zone: str
    since: bytes | None
    until: bytes | None


class Holding(NamedTuple):
    """Half-open, in microseconds since 2000."""

    since: int
    until: int
    space: UUID
    zone: str


class User(NamedTuple):
    """A person who is user `number` of a device. Half-open, in microseconds since 2000."""

    number: int
    since: int
    until: int
    space: UUID


@dataclass(frozen=True)
class KnownDevice:
    """shared  it tells its users apart: its readings are those of `users`, and not the holder's for being the holder"""

    id: UUID
    model: str
    holdings: tuple[Holding, ...]
    shared: bool = False
    users: tuple[User, ...] = ()

    @property
    def holder(self) -> UUID | None:
        """The space that holds it now."""
        return self.holdings[-1].space if self.holdings and self.holdings[-1].until == FOREVER else None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.holdings[-1].zone if self.holdings else "UTC")


class Registry:
    """Reads through one connection (role gateway_ingest)."""

    def __init__(self, connection: Connection[Row]) -> None:
        self._connection = connection
        understand_arrays(connection)
        self._cursor = connection.cursor(binary=True, row_factory=tuple_row)
        for kind in ("uuid", "timestamptz"):
            self._cursor.adapters.register_loader(kind, ByteaBinaryLoader)  # as octets: compared, and rarely looked at
        self._series: dict[tuple[UUID, str, UUID], int] = {}
        self._devices: dict[tuple[HeldRow, ...], KnownDevice | None] = {}
        self.owners: dict[int, bytes] = {}  # series ▸ device and space, 16 octets each
        self.lanes: dict[tuple[int, str, str], Lane] = {}  # by id of the device that they have, metric and unit

    def locate(self, names: Iterable[Name]) -> dict[Name, KnownDevice]:
        """The devices that the senders mean. Holdings are read anew each time; what is unchanged is the same object.

        A name is missing when it is unknown, and when it could be several devices of which none, or more than one, is
        held now: a reading is given to nobody by guess. To be called at the beginning of a batch.
        """
        if max(len(self._series), len(self._devices), len(self.lanes)) >= REMEMBERED_SERIES:
            for remembered in (self._series, self._devices, self.owners, self.lanes):
                remembered.clear()
        by_octets = {(sender.bytes, name): (sender, name) for sender, name in names}
        rows: dict[tuple[bytes, str | None], list[HeldRow]] = {}
        for sender, name, *held in self._held(list(by_octets.values())):
            rows.setdefault((sender, name), []).append(HeldRow(*held))
        known = {by_octets[key]: self._device(_in_order(found)) for key, found in rows.items()}
        return {name: device for name, device in known.items() if device}

    def _held(self, names: Sequence[Name]) -> list[Row]:
        senders = [sender for sender, name in names if name is None]
        rows = self._cursor.execute(SENDERS, (array_of_uuids(senders),)).fetchall() if senders else []
        if named := [(sender, name) for sender, name in names if name is not None]:
            columns = array_of_uuids([one[0] for one in named]), array_of_texts([one[1] for one in named])
            rows += self._cursor.execute(NAMED, columns * 2).fetchall()
        return rows

    def _device(self, rows: tuple[HeldRow, ...]) -> KnownDevice | None:
        """The one that `rows` tell of; those of a shared device are complete with its users, and not remembered."""
        if rows in self._devices:
            return self._devices[rows]
        found: dict[bytes, KnownDevice] = {}
        for row in rows:
            holdings = found[row.id].holdings if row.id in found else ()
            if row.space is not None:
                since, until = _octets_range(row.since, row.until)
                holdings = (*holdings, Holding(since, until, UUID(bytes=row.space), row.zone))
            found[row.id] = KnownDevice(UUID(bytes=row.id), row.model, holdings, row.shared)
        shared = {device.id for device in found.values() if device.shared}
        if shared:
            users = self._users(shared)
            found = {id_: replace(one, users=tuple(users.get(one.id, ()))) for id_, one in found.items()}
        device = _the_one(list(found.values()))
        if not shared:
            self._devices[rows] = device
        return device

    def _users(self, devices: Iterable[UUID]) -> dict[UUID, list[User]]:
        users: dict[UUID, list[User]] = {}
        for row in self._connection.execute(USERS, (list(devices),)):
            users.setdefault(row.device_id, []).append(User(row.user_index, *_range(row), row.space_id))
        return users

    def series(self, space: UUID, metric: str, device: UUID) -> int:
        """The id of the series, made now if it is the first reading of its kind."""
        known = self.known_series(space, metric, device)
        if not known:
            self._connection.execute(NEW_SERIES, (space, metric, device))
            known = self.known_series(space, metric, device)
        return known

    def known_series(self, space: UUID, metric: str, device: UUID) -> int:
        """The id of the series; 0 when there is none yet."""
        key = (space, metric, device)
        if (known := self._series.get(key)) is not None:
            return known
        row = self._connection.execute(SERIES, key).fetchone()
        if row is None:
            return 0
        self._series[key] = int(row.id)
        self.owners[row.id] = device.bytes + space.bytes
        return int(row.id)

    def clocks(self, devices: Iterable[UUID]) -> dict[UUID, DeviceClock]:
        """The clocks of `devices`, also of those that have no segment yet."""
        clocks: dict[UUID, DeviceClock] = {}
        wanted = list(devices)
        if not wanted:
            return clocks
        for row in self._connection.execute(CLOCKS, (wanted,)):
            clock = clocks.setdefault(
                row.device_id,
                DeviceClock(
                    last_seq=-1 if row.last_seq is None else row.last_seq,
                    last_raw=row.last_raw or BEFORE_ANYTHING,
                ),
            )
            if row.shift_s is not None:
                clock.segments.append(
                    Segment(
                        row.from_seq, row.from_raw, row.shift_s, row.utc_offset_min, row.measured_at, row.was_reset
                    )
                )  # fmt: skip
        if reset := [device for device, clock in clocks.items() if any(s.was_reset for s in clock.segments)]:
            for row in self._connection.execute(FROZEN, (reset,)):
                clocks[row.device_id].frozen[row.seq, row.raw] = (row.shift_s, row.utc_offset_min)
        return clocks


def _range(row: Row) -> tuple[int, int]:
    return (
        to_microseconds(row.since) if row.since else -FOREVER,
        to_microseconds(row.until) if row.until else FOREVER,
    )


def _in_order(rows: list[HeldRow]) -> tuple[HeldRow, ...]:
    """Of each device by time. Nearly all have one row."""
    return tuple(rows if len(rows) == 1 else sorted(rows, key=lambda row: (row.id, *_octets_range(row.since, None))))


def _octets_range(since: bytes | None, until: bytes | None) -> tuple[int, int]:
    return (
        int.from_bytes(since, "big", signed=True) if since else -FOREVER,
        int.from_bytes(until, "big", signed=True) if until else FOREVER,
    )


def _the_one(devices: Sequence[KnownDevice]) -> KnownDevice | None:
    """Two models of one hardware id: whoever paired a device again under another name means the one that is held."""
    if len(devices) == 1:
        return devices[0]
    held = [device for device in devices if device.holder]
    return held[0] if len(held) == 1 else None
