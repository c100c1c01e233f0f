"""How long `device-gateway demo` takes from nothing to ready, once everything is installed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figure import Figure

LIMIT_S = 20
PORT = "18765"
PATIENCE_S = 120


def run() -> list[Figure]:
    with TemporaryDirectory(prefix="dg-bench-") as directory:
        command = [sys.executable, "-m", "device_gateway", "demo", "--port", PORT, "--data-dir", directory]
        begun = time.monotonic()
        demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        file = Path(directory) / "demo.json"
        try:
            while not file.exists():
                if demo.poll() is not None or time.monotonic() - begun > PATIENCE_S:
                    raise RuntimeError("the demo did not become ready")
                time.sleep(0.05)
            taken = time.monotonic() - begun
            json.loads(file.read_text("utf-8"))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
    how = "cold start of the demo, first time in its directory, to demo.json; limit: the aim"
    return [Figure("demo-ready", round(taken, 1), LIMIT_S, round(taken / LIMIT_S, 2), "s", how)]
