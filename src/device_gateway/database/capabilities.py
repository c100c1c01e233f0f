"""What the server can do, found by asking it: plain PostgreSQL, TimescaleDB (Apache), TimescaleDB (its own licence)."""

from dataclasses import dataclass

from psycopg import Connection

from device_gateway.database.pool import Row

# "Don't abort additional INSERTs when hitting first conflict" (timescaledb#7672) is first in 2.18.1: before it, a
# replay into a compressed chunk loses readings.
SAFE_COMPRESSION = (2, 18, 1)


@dataclass(frozen=True)
class Capabilities:
    """`refused` says for each capability that was found but is not used, why."""

    server: str
    timescaledb: str | None
    hypertable: bool
    columnstore: bool
    refused: tuple[str, ...] = ()


def capabilities(connection: Connection[Row]) -> Capabilities:
    """Ask the server behind `connection` (any row type)."""
    server = f"{connection.info.server_version // 10_000}.{connection.info.server_version % 10_000}"
    row = connection.execute(
        "SELECT extversion, current_setting('timescaledb.license', true) FROM pg_extension"
        " WHERE extname = 'timescaledb'"
    ).fetchone()
    if row is None:
        return Capabilities(server, None, hypertable=False, columnstore=False)
    refused = columnstore_refused(str(row[0]), row[1])
    return Capabilities(server, str(row[0]), hypertable=True, columnstore=not refused, refused=refused)


def columnstore_refused(version: str, licence: str | None) -> tuple[str, ...]:
    """Why this TimescaleDB compresses nothing for us; empty when it may."""
    if licence != "timescale":
        return ("columnstore: this build of TimescaleDB has the Apache licence only",)
    if _numbers(version) < SAFE_COMPRESSION:
        return (f"columnstore: TimescaleDB {version} loses rows on replays (timescaledb#7672); 2.18.1 does not",)
    return ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".") if part.isdigit())
