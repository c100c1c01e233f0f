"""Numbered SQL files per package, applied once each under an advisory lock, their checksums remembered.

Files only add (expand) or remove what no running version uses (contract). A file that was applied is never edited.
"""

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg
from psycopg import Connection

import app_catalog
from device_gateway.errors import DatabaseUnreachable, MigrationConflict

LOCK = 0x6465_7669_6365  # "device": any number does, as long as nobody else in the cluster uses it

ROLES = """
DO $$ BEGIN
  CREATE ROLE gateway_owner NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
  CREATE ROLE gateway_app NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
  CREATE ROLE gateway_ingest NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
"""
# Who may log in to migrate becomes a member, so that the same user can serve a small installation by SET ROLE.
MEMBERSHIP = """
DO $$ DECLARE r text; BEGIN
  FOREACH r IN ARRAY ARRAY['gateway_owner', 'gateway_app', 'gateway_ingest'] LOOP
    -- From PostgreSQL 16 on, who creates a role may grant it, but is no member that could assume it.
    IF session_user <> r AND NOT pg_has_role(session_user, r,
        CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
      EXECUTE format('GRANT %I TO %I', r, session_user);
    END IF;
  END LOOP;
  IF NOT (has_database_privilege('gateway_owner', current_database(), 'CREATE')
      AND has_database_privilege('gateway_owner', current_database(), 'CONNECT')) THEN
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO gateway_owner', current_database());
  END IF;
END $$;
"""
HISTORY = """
CREATE SCHEMA IF NOT EXISTS gateway AUTHORIZATION gateway_owner;
CREATE SCHEMA IF NOT EXISTS catalogue AUTHORIZATION gateway_owner;
SET ROLE gateway_owner;
CREATE TABLE IF NOT EXISTS gateway.migration (
  package text, name text, sha256 bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (package, name));
"""


def migrate(owner_url: str) -> list[str]:
    """Bring the database to this version; returns the names of the files applied now.

    Raises DatabaseUnreachable, and MigrationConflict when a file that was applied has changed since.
    """
    try:
        connection = psycopg.connect(owner_url, autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(f"The database does not answer: {error}") from error
    with connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        if _may_create_roles(connection):
            connection.execute(ROLES)
            connection.execute(MEMBERSHIP)
        use_timescaledb(connection)
        connection.execute(HISTORY)
        return [f"{package}/{file.name}" for package, file in _files() if _apply(connection, package, file)]


def pending(connection: Connection) -> list[str]:
    """Names of the files that this database lacks."""
    if connection.execute("SELECT to_regclass('gateway.migration')").fetchone() == (None,):
        return [f"{package}/{file.name}" for package, file in _files()]
    known = set(connection.execute("SELECT package, name FROM gateway.migration").fetchall())
    return [f"{package}/{file.name}" for package, file in _files() if (package, file.name) not in known]


def _may_create_roles(connection: Connection) -> bool:
    row = connection.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = session_user").fetchone()
    return bool(row and row[0])


def use_timescaledb(connection: Connection) -> None:
    """Where the server has TimescaleDB loaded, have it in this database; a user who may not is told by `doctor`."""
    # A setting of its loader, which is there in every database of a server that preloads it.
    preloaded = connection.execute("SELECT current_setting('timescaledb.disable_load', true)").fetchone()
    if preloaded and preloaded[0]:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        except psycopg.errors.InsufficientPrivilege:
            pass


def _files() -> Iterator[tuple[str, Traversable]]:
    for package, folder in (
        ("device_gateway", files("device_gateway.database").joinpath("migrations")),
        ("app_catalog", app_catalog.MIGRATIONS),
    ):
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".sql"):
                yield package, file


def _apply(connection: Connection, package: str, file: Traversable) -> bool:
    text = file.read_text("utf-8")
    digest = hashlib.sha256(text.encode()).digest()
    known = connection.execute(
        "SELECT sha256 FROM gateway.migration WHERE package = %s AND name = %s", (package, file.name)
    ).fetchone()
    if known:
        if bytes(known[0]) != digest:
            raise MigrationConflict(f"{package}/{file.name} was applied with other content; add a new file instead.")
        return False
    with connection.transaction():
        connection.execute(text.encode())
        connection.execute(
            "INSERT INTO gateway.migration (package, name, sha256) VALUES (%s, %s, %s)", (package, file.name, digest)
        )
    return True
