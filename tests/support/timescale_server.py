"""TimescaleDB (Apache) from Debian's packages in a private root, as `EmbeddedPostgres` is used."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from device_gateway.database.embedded import DATABASE, LOGINS, OPTIONS

TESTS = Path(__file__).parents[1]
BINARIES = "/usr/lib/postgresql/17/bin"
POSTGRES_ID = 5432  # the user and group that the script writes into the root's passwd
START_S = 30.0
OF_THIS_ROOT = {
    "dynamic_shared_memory_type": "mmap",  # it has no /dev/shm
    "max_locks_per_transaction": "256",  # a query over years takes a lock for each chunk
}
OF_TIMESCALEDB = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "0",  # a worker in the template would keep it from being copied
}


class TimescaleServer:
    """One cluster in the root directory `root`, which is made when it is missing. Needs root, for chroot."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._name = f"pg-{os.getpid()}-{time.monotonic_ns()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def url(self, user: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """A new cluster with roles, and a database that has the extension."""
        self.initialise()
        self.run(OF_TIMESCALEDB)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION timescaledb")  # as a superuser does it in production

    def initialise(self) -> None:
        """A new cluster with roles and an empty database, not running."""
        subprocess.run(["sh", str(TESTS / "timescaledb-root.sh"), str(self.root)], check=True, timeout=240)
        os.chown(self.root / "data", POSTGRES_ID, POSTGRES_ID)
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([*self._program("initdb"), *options], check=True, capture_output=True)
        self.run({})
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            for login in LOGINS:
                connection.execute(f"CREATE ROLE {login} LOGIN".encode())
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER gateway_owner".encode())
        self.halt()

    def run(self, options: Mapping[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        command = self._program("postgres")
        for name, value in (OPTIONS | OF_THIS_ROOT | options | {"port": str(self._port)}).items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres", "postgres")).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def halt(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def stop(self) -> None:
        """For good."""
        self.halt()
        shutil.rmtree(self.root / "data" / self._name)
        self._log.unlink()

    @property
    def _log(self) -> Path:
        return self.root / "tmp" / f"{self._name}.log"

    def _program(self, name: str) -> list[str]:
        inside = ["chroot", f"--userspec={POSTGRES_ID}:{POSTGRES_ID}", str(self.root)]
        return [*inside, f"{BINARIES}/{name}", "-D", f"/data/{self._name}"]
