"""TimescaleDB under its own licence, with compression: PGlite (WebAssembly) from npm, for what Debian does not have.

It takes one connection at a time and no COPY FROM; readings go in by `reading_put`.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy

import psycopg

from device_gateway.database.migrate import migrate

PGLITE = Path(__file__).parent / "pglite"


def installed(directory: Path) -> Path:
    """`directory` with the packages of the lock; npm checks their integrity."""
    if not (directory / "node_modules").exists():
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            copy(PGLITE / name, directory)
        options = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"]
        subprocess.run(["npm", "ci", *options], cwd=directory, check=True, capture_output=True, timeout=120)
    return directory


@contextmanager
def columnstore_server(directory: Path) -> Iterator[str]:
    """URL of a migrated database, in memory, of a superuser. All connections share one session, with its role."""
    command = ["node", str(PGLITE / "serve.mjs"), str(installed(directory))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            port = server.stdout.readline().split()[-1]
            url = f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION timescaledb")
                connection.execute("CREATE ROLE gateway_owner SUPERUSER")  # it cannot grant on its only database
            migrate(url)
            yield url
        finally:
            server.terminate()
