"""Supervisors in processes of their own, as root or as an ordinary user, that can be killed like anything else."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
# Not the home of whoever runs the tests, which another user may not read.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}

AS_ORDINARY_USER = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]

SUPERVISE = """
import sys
from pathlib import Path
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.errors import GatewayError

server = EmbeddedPostgres(Path(sys.argv[1]))
try:
    server.start()
except GatewayError as error:
    print(type(error).__name__, error.message, flush=True)
    sys.exit(error.exit_code)
print(server.pid, server.url("postgres", "postgres"), flush=True)
sys.stdin.readline()
server.stop()
print("stopped", flush=True)
"""


class Supervisor:
    """A process that starts an embedded PostgreSQL and stops it when it is told to."""

    def __init__(self, data_dir: Path, prefix: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", SUPERVISE, str(data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd="/",
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().strip()

    @property
    def pid(self) -> int:
        return int(self.said.split()[0])

    @property
    def url(self) -> str:
        return self.said.split()[1]

    def stop(self) -> str:
        """What it says at the end."""
        said, _ = self.process.communicate("\n", timeout=30)
        return said.strip()

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()
        self.process.communicate(timeout=30)


@contextmanager
def home_for(prefix: Sequence[str]) -> Iterator[Path]:
    """A directory that the user behind `prefix` may write to."""
    home = Path(tempfile.mkdtemp(prefix="dg-"))
    if prefix and os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
