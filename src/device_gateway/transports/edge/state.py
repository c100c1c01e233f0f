"""What an edge knows: who it is at the broker, which meters it reads and how far, and the spool. One SQLite file.

A transfer's batch and the meter's new position are one transaction: killed at any moment, the edge has both or neither.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from device_gateway.devices.topics import topic_of
from device_gateway.errors import BadSetting, NotFound
from device_gateway.transports import spool
from device_gateway.transports.ble.adapter import check_adapter
from device_gateway.transports.edge.broadcasts import SCHEMA as BROADCASTS
from device_gateway.transports.edge.broadcasts import Broadcasts
from device_gateway.transports.edge.consents import SCHEMA as CONSENTS
from device_gateway.transports.edge.consents import Consents
from device_gateway.transports.edge.sensor_sessions import SCHEMA as SENSOR_SESSIONS
from device_gateway.transports.edge.sensor_sessions import SensorSessionsKept
from device_gateway.transports.mqtt.broker_url import parse_broker_url

FILE = "edge.sqlite3"
BONDS_FILE = "bonds.json"
BUSY_TIMEOUT_MS = 10_000  # another process (pairing, configuration) holds the file for milliseconds

SCHEMA = """
CREATE TABLE IF NOT EXISTS edge (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  edge_id TEXT NOT NULL,
  mqtt_url TEXT NOT NULL,
  username TEXT NOT NULL,
  password TEXT NOT NULL,
  topic_prefix TEXT NOT NULL,
  ca TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS meter (
  device_id TEXT PRIMARY KEY,
  address TEXT NOT NULL UNIQUE,
  adapter TEXT NOT NULL,
  passkey INTEGER CHECK (passkey BETWEEN 0 AND 999999),
  last_seq INTEGER,
  battery_percent INTEGER,
  last_contact TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS forgetting (
  address TEXT PRIMARY KEY
) STRICT;
"""
# Of files made before these were there. They are added to every new file in the same way.
METER_COLUMNS = {
    "mark": "BLOB",  # the packet of record `last_seq`
    "session": "BLOB",  # start of the sensor session, as it was first read
    "sets_clock": "INTEGER NOT NULL DEFAULT 0",
    "deletes_sent": "INTEGER NOT NULL DEFAULT 0",
    "refused": "INTEGER NOT NULL DEFAULT 0",  # the gateway refused a record of it: that one must stay on the device
    "bond_lost": "INTEGER NOT NULL DEFAULT 0",
    "pairing": "TEXT",  # the pairing whose first reading is still to come
    "revision": "INTEGER NOT NULL DEFAULT 0",  # counts how often it was added: paired again, it gets another chance
    "bond_told": "TEXT",  # fingerprint of the bond that the gateway was last told
}
EDGE_COLUMNS = {
    "bond_key": "TEXT",  # what bonds are sealed for; the first that the gateway told stays
    "certificate": "TEXT",  # file of what it shows the broker
    "gateway": "TEXT",  # URL where it was claimed
}
OUTBOX_FIELDS = "message_id, channel, readings, octets, body"
OLD_OUTBOX = f"INSERT INTO outbox ({OUTBOX_FIELDS}) SELECT {OUTBOX_FIELDS} FROM outbox_before ORDER BY id"
METER_FIELDS = (
    "device_id, address, adapter, passkey, last_seq, mark, session, sets_clock, deletes_sent, refused, bond_lost,"
    " pairing, revision"
)


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge's place at the broker. `topic_prefix` is what its topics begin with, without the last level.

    ca, certificate  files in PEM: whom it trusts, and what it shows, with the key
    gateway          URL where it was claimed, and asks for its next certificate
    """

    edge_id: str
    mqtt_url: str
    username: str
    password: str
    topic_prefix: str
    ca: str | None
    bond_key: str | None = None
    certificate: str | None = None
    gateway: str | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """A device to be read.

    last_seq      the sequence number up to which its records are kept, None before the first
    mark          the packet of that record
    session       start of its sensor session, as it was first read
    sets_clock    whether its clock is set right when it is wrong; deletes_sent: whether records that the gateway has
                  are deleted on it. Only where its holder asked for it
    refused       whether the gateway refused a record of it
    bond_lost     whether that was told
    pairing       the pairing whose first reading is still to come
    """

    device_id: str
    address: str
    adapter: str
    passkey: int | None
    last_seq: int | None
    mark: bytes | None = None
    session: bytes | None = None
    sets_clock: bool = False
    deletes_sent: bool = False
    refused: bool = False
    bond_lost: bool = False
    pairing: str | None = None
    revision: int = 0


def edge_directory(data_dir: Path) -> Path:
    """Where an edge keeps its files."""
    return data_dir / "edge"


class EdgeState:
    """The state file, open. Its spool is `spool`."""

    def __init__(self, data_dir: Path, spool_limit_octets: int = spool.LIMIT_OCTETS) -> None:
        directory = edge_directory(data_dir)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / FILE
        os.close(
            os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        )  # it holds passwords; SQLite would create it for everyone
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_TIMEOUT_MS}"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._set_up()
        self.spool = spool.Spool(self._connection, spool_limit_octets)
        self.broadcasts = Broadcasts(self._connection)
        self.consents = Consents(self._connection)
        self.sessions = SensorSessionsKept(self._connection)

    def close(self) -> None:
        self._connection.close()

    def _set_up(self) -> None:
        """Tables and columns, also in a file of an earlier version. One process at a time."""
        with self.transaction():
            outbox = {row[1] for row in self._connection.execute("PRAGMA table_info(outbox)")}
            if outbox and "device" not in outbox:
                self._connection.execute("ALTER TABLE outbox RENAME TO outbox_before")
                self._connection.execute("DROP INDEX outbox_octets")
            for statement in (SCHEMA + spool.SCHEMA + BROADCASTS + CONSENTS + SENSOR_SESSIONS).split(";"):
                self._connection.execute(statement)
            if outbox and "device" not in outbox:
                self._connection.execute(OLD_OUTBOX)
                self._connection.execute("DROP TABLE outbox_before")
            for table, columns in (("meter", METER_COLUMNS), ("edge", EDGE_COLUMNS)):
                there = {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
                for name, kind in columns.items():
                    if name not in there:
                        self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; on the disk when it ends."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def edge(self) -> Edge:
        """Raises BadSetting when the edge was never configured."""
        row = self._connection.execute(
            "SELECT edge_id, mqtt_url, username, password, topic_prefix, ca, bond_key, certificate, gateway FROM edge"
        ).fetchone()
        if row is None:
            raise BadSetting("this edge is not configured: it needs its id and password, from its pairing answer")
        return Edge(*row)

    def meters(self) -> list[Meter]:
        """All meters, in the order in which they were added."""
        return [_meter(row) for row in self._connection.execute(f"SELECT {METER_FIELDS} FROM meter ORDER BY rowid")]

    def meter(self, device_id: str) -> Meter | None:
        """One meter as it is now."""
        row = self._connection.execute(f"SELECT {METER_FIELDS} FROM meter WHERE device_id = ?", (device_id,)).fetchone()
        return _meter(row) if row else None

    def advance(
        self, device_id: str, last_seq: int | None, mark: bytes | None = None, session: bytes | None = None
    ) -> None:
        """The new position of a meter, within the transaction that keeps its records."""
        self._connection.execute(
            "UPDATE meter SET last_seq = ?, mark = ?, session = ? WHERE device_id = ?",
            (last_seq, mark, session, device_id),
        )

    def note_refused(self, device_id: str) -> None:
        """The gateway has a record of it that it did not store: nothing is deleted on this meter any more."""
        self._connection.execute("UPDATE meter SET refused = 1 WHERE device_id = ?", (device_id,))

    def note_bond_lost(self, device_id: str) -> None:
        self._connection.execute("UPDATE meter SET bond_lost = 1 WHERE device_id = ?", (device_id,))

    def note_first_reading(self, device_id: str) -> None:
        self._connection.execute("UPDATE meter SET pairing = NULL WHERE device_id = ?", (device_id,))

    def allow(self, device_id: str, *, sets_clock: bool, deletes_sent: bool) -> None:
        """What its holder asked for. Raises NotFound."""
        if not self._connection.execute(
            "UPDATE meter SET sets_clock = ?, deletes_sent = ? WHERE device_id = ?",
            (sets_clock, deletes_sent, device_id),
        ).rowcount:
            raise NotFound(f"this edge reads no device {device_id}")

    def note_contact(self, device_id: str, battery_percent: int | None, at: str) -> None:
        """A sync with the meter ended well. `at`: RFC 3339."""
        self._connection.execute(
            "UPDATE meter SET battery_percent = ?, last_contact = ? WHERE device_id = ?",
            (battery_percent, at, device_id),
        )

    def set_edge(self, edge: Edge) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO edge"
            " (only, edge_id, mqtt_url, username, password, topic_prefix, ca, bond_key, certificate, gateway)"
            " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                edge.edge_id, edge.mqtt_url, edge.username, edge.password, edge.topic_prefix, edge.ca, edge.bond_key,
                edge.certificate, edge.gateway,
            ),
        )  # fmt: skip

    def set_meter(self, meter: Meter) -> None:
        """Adds a meter, or one with the same id or address anew: its position stays only if both are the same."""
        with self.transaction():
            known = self.meter(meter.device_id)
            if known is not None and known.address != meter.address:
                known = None
            self._connection.execute(
                "DELETE FROM meter WHERE device_id = ? OR address = ?", (meter.device_id, meter.address)
            )
            self.forgotten(meter.address)
            kept = known or meter
            self._connection.execute(
                f"INSERT INTO meter ({METER_FIELDS}) VALUES ({', '.join('?' * 13)})",
                (
                    meter.device_id, meter.address, meter.adapter, meter.passkey,
                    kept.last_seq, kept.mark, kept.session, kept.sets_clock, kept.deletes_sent, kept.refused,
                    False, meter.pairing, kept.revision + 1,
                ),
            )  # fmt: skip

    def bond_key(self) -> str | None:
        """The public key (base64) that bonds are sealed for; None before the gateway told one."""
        row = self._connection.execute("SELECT bond_key FROM edge").fetchone()
        return row[0] if row else None

    def learn_bond_key(self, key: str) -> None:
        """The first one stays until the edge is claimed anew: who can command an edge shall not get at its bonds."""
        self._connection.execute("UPDATE edge SET bond_key = coalesce(bond_key, ?)", (key,))

    def bond_told(self, device_id: str) -> str | None:
        row = self._connection.execute("SELECT bond_told FROM meter WHERE device_id = ?", (device_id,)).fetchone()
        return row[0] if row else None

    def note_bond_told(self, device_id: str, fingerprint: str) -> None:
        self._connection.execute("UPDATE meter SET bond_told = ? WHERE device_id = ?", (fingerprint, device_id))

    def forget_meter(self, device_id: str) -> None:
        """It is read no more, and its bond is to be forgotten. Raises NotFound."""
        with self.transaction():
            self._connection.execute(
                "INSERT INTO forgetting SELECT address FROM meter WHERE device_id = ? ON CONFLICT DO NOTHING",
                (device_id,),
            )
            self.drop_meter(device_id)

    def to_forget(self) -> list[str]:
        """Addresses of devices whose bonds are still to be forgotten."""
        return [row[0] for row in self._connection.execute("SELECT address FROM forgetting ORDER BY address")]

    def forgotten(self, address: str) -> None:
        """Done, or not wanted any more: a new bond is made with it."""
        self._connection.execute("DELETE FROM forgetting WHERE address = ?", (address,))

    def drop_meter(self, device_id: str) -> None:
        """Raises NotFound. What was read from it stays in the spool."""
        self._connection.execute("DELETE FROM sensor_session WHERE device_id = ?", (device_id,))
        for secrets in ("broadcast", "consent"):
            self._connection.execute(
                f"DELETE FROM {secrets} WHERE address IN (SELECT address FROM meter WHERE device_id = ?)", (device_id,)
            )
        if not self._connection.execute("DELETE FROM meter WHERE device_id = ?", (device_id,)).rowcount:
            raise NotFound(f"this edge reads no device {device_id}")


def _meter(row: tuple[Any, ...]) -> Meter:  # Any: SQLite's columns, in the order of the fields
    device_id, address, adapter, passkey, last_seq, mark, session, sets_clock, deletes_sent, refused, *rest = row
    bond_lost, pairing, revision = rest
    return Meter(
        device_id, address, adapter, passkey, last_seq, mark, session,
        bool(sets_clock), bool(deletes_sent), bool(refused), bool(bond_lost), pairing, revision,
    )  # fmt: skip


@contextmanager
def opened(data_dir: Path, spool_limit_octets: int = spool.LIMIT_OCTETS) -> Iterator[EdgeState]:
    """The state in `data_dir`, closed at the end."""
    state = EdgeState(data_dir, spool_limit_octets)
    try:
        yield state
    finally:
        state.close()


def configure(
    data_dir: Path,
    *,
    edge_id: str,
    mqtt_url: str,
    password: str,
    username: str | None = None,
    topic_prefix: str | None = None,
    ca: Path | None = None,
    bond_key: str | None = None,
    certificate: Path | None = None,
    gateway: str | None = None,
) -> None:
    """Tells an edge who it is: what its pairing answer says. Raises BadSetting for a URL that is none.

    `mqtt_url` is mqtt(s)://host:port; `username` is the edge id unless said otherwise, and the MQTT client id always.
    `bond_key` is what bonds are sealed for; without one, none is told to the gateway. `certificate` is what it shows
    the broker, with its key; `gateway` is where it gets the next one.
    """
    try:
        parse_broker_url(mqtt_url)
    except ValueError as error:
        raise BadSetting(f"the edge's broker: {error}") from error
    prefix = topic_prefix or topic_of(edge_id, "").rstrip("/")
    with opened(data_dir) as state:
        files = [str(file) if file else None for file in (ca, certificate)]
        state.set_edge(
            Edge(edge_id, mqtt_url, username or edge_id, password, prefix, files[0], bond_key, files[1], gateway)
        )


def reach_broker(data_dir: Path, mqtt_url: str, ca: Path | None) -> None:
    """Where its broker is from now on, and whom it trusts there. For an edge that is configured."""
    with opened(data_dir) as state:
        state.set_edge(replace(state.edge(), mqtt_url=mqtt_url, ca=str(ca) if ca else None))


def add_meter(
    data_dir: Path,
    *,
    device_id: str,
    address: str,
    adapter: str = "ble-glucose",
    passkey: int | None = None,
) -> None:
    """Has the edge read a meter from now on; an edge that runs notices within a second.

    `passkey` is only needed where there is no bond yet. Raises UnknownModel for an adapter that is not installed.
    """
    check_adapter(adapter)
    with opened(data_dir) as state:
        state.set_meter(Meter(device_id, address.upper(), adapter, passkey, None))


def remove_meter(data_dir: Path, device_id: str) -> None:
    """Has the edge leave a meter alone. Raises NotFound."""
    with opened(data_dir) as state:
        state.drop_meter(device_id)
