"""Databases that tests borrow one after the other: emptied in between, for a copy of the template costs ten times that.

A borrowed database is as new: no rows but those of the migrations, sequences at their start, no session. Where a test
has changed the schema or left much behind, the database is dropped and the next test gets a fresh copy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from device_gateway.database.embedded import EmbeddedPostgres

MUCH_OCTETS = 8 * 1024 * 1024  # what deleted rows leave behind would slow down the scans of later tests

# Whatever DDL does leaves another number of rows in one of these, or one with a newer transaction number.
_CATALOGUES = {
    "pg_class": "oid", "pg_attribute": "attrelid", "pg_attrdef": "oid", "pg_constraint": "oid", "pg_policy": "oid",
    "pg_index": "indexrelid", "pg_proc": "oid", "pg_trigger": "oid", "pg_type": "oid", "pg_inherits": "inhrelid",
}  # fmt: skip
_FIRST_OWN_OID = 16384
_TOUCHED = " UNION ALL ".join(
    f"SELECT '{table}', count(*), max(xmin::text::bigint) FROM {table} WHERE {oid} >= {_FIRST_OWN_OID}"
    for table, oid in _CATALOGUES.items()
) + (
    " UNION ALL SELECT 'setting', count(*), 0 FROM pg_db_role_setting"
    " WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# What PostgreSQL writes down about a table by itself, and never takes back, is no part of its definition.
_BY_ITSELF = (
    "{relfilenode,relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid,relhassubclass,relhastriggers}"
)
_DEFINITIONS = " UNION ALL ".join(
    f"SELECT '{table}', md5(string_agg(line, ' ' ORDER BY line)) FROM"
    f" (SELECT (to_jsonb(t) - '{_BY_ITSELF}'::text[])::text FROM {table} t WHERE {oid} >= {_FIRST_OWN_OID}) l (line)"
    for table, oid in _CATALOGUES.items()
)
_PARTITIONS = "SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1"
_TABLES = (
    "SELECT c.oid::regclass::text, pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE relkind = 'r' AND nspowner = 'gateway_owner'::regrole AND pg_relation_size(c.oid) > 0"
)
_SEQUENCES = "SELECT seqrelid, seqstart, pg_sequence_last_value(seqrelid) FROM pg_sequence ORDER BY seqrelid"

Rows = list[tuple[object, ...]]
Connection = psycopg.Connection[tuple[object, ...]]


class Original(NamedTuple):
    """What a copy of the template is like."""

    touched: Rows
    definitions: Rows
    partitions: Rows
    sequences: Rows
    rows: dict[str, bytes]  # of each table that migrations put something into, as COPY writes them


class LentDatabases:
    """Of one server, whose database `gateway` is the template."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._idle: list[str] = []
        self._touched: dict[str, Rows] = {}  # by the database's name, when it was last as new
        self._original: Original | None = None

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The name of a database that is as new."""
        name = self._idle.pop() if self._idle else self._copy()
        yield name
        if self._emptied(name):
            self._idle.append(name)
        else:
            with self._connect("postgres") as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def _copy(self) -> str:
        name = f"test_{uuid4().hex}"
        with self._connect("postgres") as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE gateway OWNER gateway_owner STRATEGY FILE_COPY".encode()
            )
        if self._original is None:
            with self._connect(name) as connection:
                self._original = _original(connection)
        self._touched[name] = self._original.touched
        return name

    def _emptied(self, name: str) -> bool:
        """Whether it could be made as new."""
        original = self._original
        assert original is not None
        with self._connect(name) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if not self._as_defined(connection, name):
                return False
            sizes = {str(table): int(str(size)) for table, size in _found(connection, _TABLES)}
            if sum(sizes.values()) > MUCH_OCTETS:
                return False
            connection.execute("SET session_replication_role = replica")  # neither triggers nor foreign keys
            changed = [table for table, rows in original.rows.items() if _rows(connection, table) != rows]
            emptied = [*changed, *(table for table in sizes if table not in original.rows)]
            connection.execute(";".join(f"DELETE FROM {table}" for table in emptied).encode())
            for table in changed:
                with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                    copy.write(original.rows[table])
            sequences = _found(connection, _SEQUENCES)
            for before, now in zip(original.sequences, sequences, strict=True):
                if before != now:
                    oid, start, last = before
                    connection.execute("SELECT setval(%s::oid, %s, %s)", (oid, last or start, last is not None))
        return True

    def _as_defined(self, connection: Connection, name: str) -> bool:
        """Whether the schema is the template's, without the months that readings have come for."""
        assert self._original is not None
        if _found(connection, _TOUCHED) != self._touched[name]:
            added = [month for month in _found(connection, _PARTITIONS) if month not in self._original.partitions]
            connection.execute(";".join(f"DROP TABLE {month}" for (month,) in added).encode())
            if _found(connection, _DEFINITIONS) != self._original.definitions:
                return False
            self._touched[name] = _found(connection, _TOUCHED)
        return True

    def _connect(self, database: str) -> Connection:
        return psycopg.connect(self._server.url("postgres", database), autocommit=True, row_factory=tuple_row)


def _original(connection: Connection) -> Original:
    tables = [str(table) for table, _ in _found(connection, _TABLES)]
    rows = {table: _rows(connection, table) for table in tables}
    return Original(
        _found(connection, _TOUCHED), _found(connection, _DEFINITIONS), _found(connection, _PARTITIONS),
        _found(connection, _SEQUENCES), {table: content for table, content in rows.items() if content},
    )  # fmt: skip


def _found(connection: Connection, query: str) -> Rows:
    return connection.execute(query.encode()).fetchall()


def _rows(connection: Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.SQL(table))) as copy:
        return b"".join(copy)
