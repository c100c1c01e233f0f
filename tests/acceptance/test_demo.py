"""`device-gateway demo` where something is in its way, and after it was killed."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

pytestmark = pytest.mark.timeout(240)  # seconds; the demo starts up to three times


def test_a_port_in_use_is_said_at_once_with_the_way_out(program: str, demo: dict[str, Any], tmp_path: Path) -> None:
    port = urlsplit(demo["base_url"]).port
    done = _run(program, "--port", str(port), "--data-dir", str(tmp_path / "other"))
    assert done.returncode == 69
    assert port is not None
    assert f"PORT={port + 1}" in done.stderr
    assert not (tmp_path / "other" / "postgres").exists(), "nothing was started"


def test_a_directory_in_use_is_said_at_once_and_left_alone(program: str, demo: dict[str, Any], demo_dir: Path) -> None:
    done = _run(program, "--port", "19999", "--data-dir", str(demo_dir))
    assert done.returncode == 69
    assert "already" in done.stderr
    assert requests.get(f"{demo['base_url']}/readyz", timeout=10).status_code == 200
    assert json.loads((demo_dir / "demo.json").read_text()) == demo


def test_every_process_is_well_and_says_so(program: str, demo: dict[str, Any], demo_dir: Path) -> None:
    for app in demo["apps"]:
        assert requests.get(f"{app['url']}healthz", timeout=10).json() == {"status": "alive"}
    done = subprocess.run(
        [program, "doctor", "--json", "--data-dir", str(demo_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert {finding["problem"] for finding in json.loads(done.stdout)} == {None}


@pytest.mark.slow
def test_a_demo_that_was_killed_leaves_no_process_and_starts_again_with_everybody_and_everything(
    program: str, tmp_path: Path
) -> None:
    command = [program, "demo", "--port", "19998", "--data-dir", str(tmp_path / "d")]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    before = _ready(first, tmp_path / "d" / "demo.json")
    first.kill()
    first.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _processes_of(tmp_path):
        time.sleep(0.2)
    assert _processes_of(tmp_path) == []

    second = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (tmp_path / "d" / "demo.json").exists():
            time.sleep(0.05)  # what the first one left is taken away before anything starts
        after = _ready(second, tmp_path / "d" / "demo.json")
        for part in ("patients", "devices", "apps", "base_url"):
            assert after[part] == before[part]
    finally:
        second.terminate()
        assert second.wait(60) == 0


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "demo", *arguments], capture_output=True, text=True, timeout=30, check=False)


def _ready(process: subprocess.Popen[bytes], file: Path) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists():
            return dict(json.loads(file.read_text("utf-8")))
        time.sleep(0.1)
    pytest.fail("the demo did not become ready")


def _processes_of(directory: Path) -> list[str]:
    """Command lines that name `directory`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_text()
        except OSError:  # ended meanwhile
            continue
        if str(directory) in line:
            found.append(line)
    return found
