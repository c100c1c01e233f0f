"""Patients, devices and messages for ingestion, and what became of them, as the owner of the database sees it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from psycopg.rows import namedtuple_row

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import Row, connect
from device_gateway.devices.credentials import hash_password
from device_gateway.devices.topics import topic_of
from device_gateway.ingest.batch import BatchWriter, Result
from device_gateway.ingest.message import Message

QUARANTINE_DAYS = 90


@dataclass
class World:
    """One database with its registry."""

    owner_url: str
    ingest_url: str
    connections: list[psycopg.Connection[Row]] = field(default_factory=list)

    @property
    def database(self) -> str:
        return self.owner_url.rpartition("/")[2]

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """What the owner of the database sees, whom row-level security does not bind."""
        with psycopg.connect(self.owner_url, autocommit=True, row_factory=namedtuple_row) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *parameters: object) -> Any:
        [row] = self.rows(query, *parameters)
        return row[0]

    def space(self, zone: str = "Europe/Paris") -> UUID:
        return UUID(str(self.one("INSERT INTO gateway.space (zone) VALUES (%s) RETURNING id", zone)))

    def device(
        self,
        space: UUID | None = None,
        *,
        model: str = "dg-scale",
        kind: str = "device",
        parent: UUID | None = None,
        hardware_id: str | None = None,
        password: str | None = None,
        since: str = "2020-01-01T00:00:00Z",
        until: str | None = None,
    ) -> UUID:
        """A device, held by `space` from `since` on."""
        device = uuid4()
        self.rows(
            "INSERT INTO gateway.device (id, model, kind, parent_id, hardware_id, credential)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            device, model, kind, parent, hardware_id, hash_password(password) if password else None,
        )  # fmt: skip
        if space:
            self.hold(device, space, since, until)
        return device

    def hold(self, device: UUID, space: UUID, since: str, until: str | None = None) -> None:
        self.rows(
            "INSERT INTO gateway.device_holding (device_id, space_id, during, name)"
            " VALUES (%s, %s, tstzrange(%s, %s), 'thing')",
            device, space, since, until,
        )  # fmt: skip

    def release(self, device: UUID, at: str) -> None:
        self.rows(
            "UPDATE gateway.device_holding SET during = tstzrange(lower(during), %s)"
            " WHERE device_id = %s AND upper_inf(during)",
            at, device,
        )  # fmt: skip

    def connect(self) -> psycopg.Connection[Row]:
        """As ingestion connects."""
        self.connections.append(connect(self.ingest_url, "gateway_ingest"))
        return self.connections[-1]

    def writer(self) -> BatchWriter:
        return BatchWriter(self.connect(), QUARANTINE_DAYS)

    def readings(self, space: UUID, metric: str = "body-weight") -> list[Any]:
        """Oldest first: time, value, value2, value3, seq, decimals, offset_min, flags, version, context."""
        return self.rows(
            "SELECT r.time, r.value, r.value2, r.value3, r.seq, r.decimals, r.offset_min, r.flags, r.version, r.context"
            " FROM gateway.reading r JOIN gateway.series s ON s.id = r.series"
            " WHERE s.space_id = %s AND s.metric = %s ORDER BY r.time, r.seq",
            space, metric,
        )  # fmt: skip

    def history(self, space: UUID, metric: str = "body-weight") -> list[Any]:
        """(value, version) of what was replaced, oldest version first."""
        return self.rows(
            "SELECT v.value, v.version FROM gateway.reading_version v JOIN gateway.series s ON s.id = v.series"
            " WHERE s.space_id = %s AND s.metric = %s ORDER BY v.time, v.seq, v.version",
            space, metric,
        )  # fmt: skip

    def inbox(self, device: UUID) -> list[Any]:
        return self.rows("SELECT * FROM gateway.reading_inbox WHERE device_id = %s ORDER BY time, seq, version", device)

    def quarantined(self) -> list[Any]:
        return self.rows("SELECT * FROM gateway.quarantine ORDER BY id")

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


@contextmanager
def fresh_world(postgres: EmbeddedPostgres) -> Iterator["World"]:
    """A database of its own, for a whole module: what tests put into it differs by space and device."""
    name = f"world_{uuid4().hex}"
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE gateway OWNER gateway_owner")
        with world_of(postgres.url("gateway_owner", name), postgres.url("gateway_ingest", name)) as world:
            yield world
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def world_of(owner_url: str, ingest_url: str) -> Iterator[World]:
    world = World(owner_url, ingest_url)
    try:
        yield world
    finally:
        world.close()


def weight(value: str, at: str, **more: object) -> dict[str, object]:
    return {"metric": "body-weight", "unit": "kg", "value": value, "at": at, **more}


def glucose(value: str, at: str, **more: object) -> dict[str, object]:
    return {"metric": "blood-glucose", "unit": "mg/dL", "value": value, "at": at, **more}


def pressure(systolic: str, diastolic: str, at: str, **more: object) -> dict[str, object]:
    components = {"systolic": systolic, "diastolic": diastolic}
    return {"metric": "blood-pressure", "unit": "mm[Hg]", "components": components, "at": at, **more}


def message(sender: UUID, *readings: dict[str, object], **more: object) -> Message:
    """Our own dialect, as a device sends it."""
    payload = {"message_id": str(uuid4()), "readings": readings, **more}
    return raw_message(topic_of(sender, "readings"), msgspec.json.encode(payload))


def raw_message(topic: str, payload: bytes, received_at: datetime | None = None) -> Message:
    return Message(topic, payload, received_at or datetime.now(UTC))


def outcomes(result: Result) -> list[str]:
    """What the answers say, in their order."""
    return [line["outcome"] for line in lines(result)]


def lines(result: Result) -> Sequence[dict[str, Any]]:
    return [line for answer in result.answers for line in msgspec.json.decode(answer.payload)["outcomes"]]
