"""What measured, as files name it: a row per (space, format, device), and the series that stand on it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.errors import GatewayError

KNOWN: Final = "SELECT id, device, zone FROM gateway.reading_source WHERE space_id = %s AND format = %s"
NEW: Final = """INSERT INTO gateway.reading_source AS s (space_id, format, device, name, zone)
  VALUES (%s, %s, %s, %s, %s)
  ON CONFLICT (space_id, format, device) DO UPDATE SET zone = coalesce(s.zone, excluded.zone) RETURNING id, zone"""
SERIES: Final = "SELECT id FROM gateway.series WHERE space_id = %s AND metric = %s AND source_id = %s"
NEW_SERIES: Final = """INSERT INTO gateway.series (space_id, metric, source_id) VALUES (%s, %s, %s)
  ON CONFLICT (space_id, metric, device_id, source_id) DO NOTHING"""
ZONE: Final = "SELECT zone FROM gateway.space WHERE id = %s AND closed_at IS NULL"
LONGEST_NAME: Final = 200  # characters of what a file calls a device


class Origin(Protocol):
    """Where readings are from: a file format, or whatever else has a key and a name."""

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...


class UnknownSpace(GatewayError):
    """There is no such space."""

    http_status = 404
    exit_code = 65


class ZoneConflict(GatewayError):
    """This device's clock was read in another zone before."""

    http_status = 409
    exit_code = 65


@dataclass(slots=True)
class Source:
    """`id` is None until a reading needs it; `zone` until a wall-clock time does."""

    id: UUID | None
    zone: ZoneInfo | None


class Sources:
    """Of one format in one space, through a connection of role gateway_ingest."""

    def __init__(self, connection: Connection[Row], space: UUID, file_format: Origin, zone: ZoneInfo | None) -> None:
        """`zone` for wall-clock times, or None: that of the source, and of the space for a new one.

        Raises UnknownSpace.
        """
        row = connection.execute(ZONE, (space,)).fetchone()
        if row is None:
            raise UnknownSpace
        self._connection = connection
        self._space = space
        self._format = file_format
        self._given = zone
        self._space_zone = ZoneInfo(row.zone)
        self._sources = {
            row.device: Source(row.id, ZoneInfo(row.zone) if row.zone else None)
            for row in connection.execute(KNOWN, (space, file_format.key))
        }
        self._series: dict[tuple[str, str], int] = {}

    def zone_of(self, device: str) -> ZoneInfo:
        """In which the wall clock of `device` is read. Raises ZoneConflict: read twice, it would be stored twice."""
        source = self._sources.get(device)
        known = source.zone if source else None
        if known is None:
            return self._given or self._space_zone
        if self._given is not None and self._given.key != known.key:
            raise ZoneConflict(
                f"Times of {device or 'this source'} were read in {known.key} before: in {self._given.key} the same "
                f"readings would be stored twice. Leave the zone out, or say {known.key}."
            )
        return known

    def offset_zone(self) -> ZoneInfo:
        """Where the patient was at an instant of which the file does not say it."""
        return self._given or self._space_zone

    def series(self, device: str, model: str, metric: str, *, wall_clock: bool) -> int:
        """The store's key of the series; source and series are made when their first reading comes."""
        source = self._sources.get(device)
        if source is None or source.id is None or (wall_clock and source.zone is None):
            source = self._sources[device] = self._made(device, model, wall_clock=wall_clock)
        key = (device, metric)
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = self._series_of(source, metric)
        return found

    def _made(self, device: str, model: str, *, wall_clock: bool) -> Source:
        name = f"{model} ({self._format.name})" if model else self._format.name
        zone = self.zone_of(device).key if wall_clock else None
        [row] = self._connection.execute(NEW, (self._space, self._format.key, device, name, zone)).fetchall()
        return Source(row.id, ZoneInfo(row.zone) if row.zone else None)

    def _series_of(self, source: Source, metric: str) -> int:
        key = (self._space, metric, source.id)
        row = self._connection.execute(SERIES, key).fetchone()
        if row is None:
            self._connection.execute(NEW_SERIES, key)
            [row] = self._connection.execute(SERIES, key).fetchall()
        return int(row.id)


@lru_cache(maxsize=1024)  # a file names few devices, each a hundred thousand times
def name_text(text: str | None) -> str:
    """What a file calls a device, as a column can hold it."""
    return (text or "").replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_NAME].strip()
