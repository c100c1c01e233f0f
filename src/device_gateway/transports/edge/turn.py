"""Turns between processes on one data directory: who is the edge, and who uses the radio now.

A lock is an exclusive SQLite transaction on a file of its own: the operating system ends it with the process, whatever
ends that, and it works alike everywhere.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from device_gateway.errors import GatewayError
from device_gateway.transports.edge.state import edge_directory

RETRY_S = 0.1


class Occupied(GatewayError):
    """Another process is at it."""

    http_status = 409
    exit_code = 75  # EX_TEMPFAIL of sysexits.h


@asynccontextmanager
async def turn(data_dir: Path, name: str, wait_s: float) -> AsyncIterator[None]:
    """Holds the turn called `name`. Raises Occupied when another process keeps it for longer than `wait_s`."""
    directory = edge_directory(data_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(directory / f"{name}.turn", isolation_level=None, timeout=0)
    try:
        deadline = asyncio.get_running_loop().time() + wait_s
        while not _taken(connection):
            if asyncio.get_running_loop().time() >= deadline:
                raise Occupied(f"another process uses the {name} of {data_dir}")
            await asyncio.sleep(RETRY_S)
        yield
    finally:
        connection.close()


def taken(data_dir: Path, name: str) -> bool:
    """Whether another process holds the turn now."""
    connection = sqlite3.connect(edge_directory(data_dir) / f"{name}.turn", isolation_level=None, timeout=0)
    try:
        return not _taken(connection)
    finally:
        connection.close()


def _taken(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
