"""npm's `oidc-provider`, an authorization server that others wrote: installed from a lock, all it knows in memory."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "server.mjs")
INSTALL_S = 300


@contextmanager
def oidc_provider(port: int) -> Iterator[dict[str, list[str]]]:
    """It listens on `port` of the loopback address; its tokens by their kind, ``access`` and ``refresh``."""
    directory = _installed()
    command = ["node", "server.mjs", str(port)]
    with subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            if process.stdout is None or not (told := process.stdout.readline()):
                raise RuntimeError("oidc-provider did not start")
            yield json.loads(told)
        finally:
            process.terminate()


def _installed() -> Path:
    """Where the packages of the lock are, beside Python's; npm checks their integrity."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    directory = Path(sys.prefix) / "node" / digest
    if not (directory / "installed").exists():
        directory.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(HERE / name, directory)
        options = ["--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(["npm", "ci", *options], cwd=directory, check=True, capture_output=True, timeout=INSTALL_S)
        (directory / "installed").touch()
    return directory
