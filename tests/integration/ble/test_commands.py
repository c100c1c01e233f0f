"""The simulators as somebody starts them from a shell."""

import os
import signal
import subprocess
import sys
from pathlib import Path

AIR = [sys.executable, "-m", "device_simulators.radio.air"]
METER = [sys.executable, "-m", "device_simulators.ble.command"]


def test_radio_and_meter_say_when_they_are_ready_and_end_when_they_are_told(tmp_path: Path) -> None:
    with subprocess.Popen([*AIR, "tcp:127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as air:
        assert air.stdout is not None
        ready = air.stdout.readline()
        assert ready.startswith("radio ready tcp:127.0.0.1:")
        environment = os.environ | {"DEVICE_GATEWAY_RADIO": ready.split()[-1]}
        command = [*METER, "--name", "Kitchen", "--state", str(tmp_path / "meter.json")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as meter:
            assert meter.stdout is not None
            assert meter.stdout.readline() == "meter ready C0:00:00:00:00:01 Kitchen\n"
            meter.send_signal(signal.SIGINT)
            assert meter.wait(10) == 0
        air.terminate()
        assert air.wait(10) == 0
    assert (tmp_path / "meter.json").exists()


WRONG = (
    ([*AIR, "carrier-pigeon"], "unix:PATH or tcp:HOST:PORT"),
    ([*AIR, "unix:/" + "x" * 200], "107 octets"),
    ([*METER, "--radio", "bluetooth"], "unix:PATH or tcp:HOST:PORT"),
    ([*METER, "--radio", "unix:a", "--unit", "stone"], "mg/dL or mmol/L"),
)


def test_a_wrong_option_is_named_and_ends_the_program() -> None:
    environment = os.environ | {"COLUMNS": "200"}
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
        for command, _ in WRONG  # at the same time: most of it is the start of Python
    ]
    for program, (_, says) in zip(started, WRONG, strict=True):
        _, errors = program.communicate(timeout=60)
        assert program.returncode == 2
        assert says in errors
        assert "Traceback" not in errors
