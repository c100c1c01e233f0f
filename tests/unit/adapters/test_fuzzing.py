"""The fuzzer of the adapters runs, and what it looks for would be found."""

import platform
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from ble_encoding import date_time, sfloat, u8, u16
from soundness import contradiction, fault

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.glucose import GlucoseMeter

FUZZER = Path(__file__).parents[2] / "fuzz" / "adapters.py"
HAS_WHEELS = sys.platform == "linux" and platform.machine() == "x86_64"  # atheris has none for others
RUNS = 1000  # inputs, of which a hundred are published packets; `make fuzz` takes its time
AT = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
GOOD = Reading(metric="body-weight", unit="kg", at=AT, value="72.40")


@pytest.mark.skipif(not HAS_WHEELS, reason="atheris has no wheel for this platform; the property tests run everywhere")
def test_a_short_run_of_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(FUZZER), "all", f"-runs={RUNS}", "-seed=1", f"-artifact_prefix={tmp_path}/"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert f"Done {RUNS} runs" in ran.stderr


@pytest.mark.parametrize(
    "result",
    [
        msgspec.structs.replace(GOOD, value="NaN"),
        msgspec.structs.replace(GOOD, value="7.2e1"),
        msgspec.structs.replace(GOOD, value=None),
        msgspec.structs.replace(GOOD, unit="mg/dL"),
        msgspec.structs.replace(GOOD, metric="oxygen-saturation"),
        msgspec.structs.replace(GOOD, components={"systolic": "120"}),
        msgspec.structs.replace(GOOD, seq=-1),
        msgspec.structs.replace(GOOD, context={"a": 1.5}),
        Rejected("weight", "no field"),
        Rejected("/weight", " "),
    ],
)
def test_an_unsound_result_is_seen(result: Reading | Rejected) -> None:
    assert fault(GOOD, ("body-weight",)) is None
    assert fault(result, ("body-weight",)) is not None


def test_a_reading_that_says_something_else_than_its_packet_is_seen() -> None:
    packet = u8(2) + u16(7) + date_time(AT) + sfloat(114, -5) + u8(0x11)
    (reading,) = GlucoseMeter.decoder().feed("2A18", packet)
    assert isinstance(reading, Reading)
    assert contradiction("2A18", packet, [reading]) is None
    assert contradiction("2A18", packet, [msgspec.structs.replace(reading, value="115")]) is not None
    assert contradiction("2A18", packet, [msgspec.structs.replace(reading, at=AT.replace(tzinfo=None, second=6))])
    without_number = packet[:10] + b"\xff\x07" + packet[12:]
    assert contradiction("2A18", without_number, [reading]) is not None
