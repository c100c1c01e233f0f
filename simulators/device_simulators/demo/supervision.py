"""Child processes of the demo: started, watched, started again when they die, ended in reverse order."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from device_gateway.errors import GatewayError

READY_SECONDS = 30
STOP_SECONDS = 15  # longer than any of our processes takes to drain
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # pauses before a child that keeps dying is started again
CALM_S = 60.0  # a child that lived so long starts again with the first pause


class ChildFailed(GatewayError):
    """A part of the demo does not start."""

    exit_code = 70


@dataclass
class Child:
    """One process. `ready` is a word that begins the line on stdout by which it says that it works."""

    name: str
    command: Sequence[str]
    ready: str
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[str] | None = None
    restarts: int = 0
    started: float = 0.0
    announced: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.announced.clear()
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_ended_with_parent(), *self.command],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(self.environment),
                start_new_session=True,  # Ctrl-C reaches the demo alone, which ends its children in order
            )  # fmt: skip
        assert self.process.stdout is not None  # noqa: S101  # a pipe was asked for
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def wait_ready(self) -> None:
        """Raises ChildFailed with the end of the log."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.announced.wait(0.02):
            if not self.running or time.monotonic() > deadline:
                tail = self.log.read_text("utf-8", "replace").splitlines()[-3:]
                raise ChildFailed(f"{self.name} did not start; see {self.log}: " + " | ".join(tail))

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def _listen(self, stdout: IO[str]) -> None:
        for line in stdout:
            if line.startswith(self.ready):
                self.announced.set()


class Supervisor:
    """Keeps `children` alive until told to stop. `say` gets a line when one was started again."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []

    def start(self, child: Child) -> None:
        """Start without waiting."""
        child.start()
        self._children.append(child)

    def tend(self) -> None:
        """Start again what died, with growing pauses. Returns at once."""
        for child in self._children:
            if child.running:
                continue
            now = time.monotonic()
            if now - child.started > CALM_S:
                child.restarts = 0
            pause = BACKOFF_S[min(child.restarts, len(BACKOFF_S) - 1)]
            if now - child.started >= pause:
                child.restarts += 1
                self._say(f"{child.name} ended ({_how(child)}); starting it again")
                child.start()

    def stop(self) -> None:
        """End all, the last started first."""
        for child in reversed(self._children):
            child.stop()


def _how(child: Child) -> str:
    code = child.process.returncode if child.process else 0
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _ended_with_parent() -> list[str]:
    """Linux: SIGTERM when the demo dies, even by kill -9."""
    return ["setpriv", "--pdeathsig", "TERM"] if sys.platform == "linux" and shutil.which("setpriv") else []
