"""Recorded sessions as files: what is read in them, what is hidden in them, and what is refused."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_gateway.commands.radio import app
from device_gateway.errors import UnknownModel
from device_gateway.transports.recording.decoding import readings_in
from device_gateway.transports.recording.session_file import (
    HIDDEN_ADDRESS,
    VERSION,
    Advertised,
    BadRecording,
    FileTaken,
    Notified,
    Read,
    Recorder,
    Recording,
    Session,
    read_session,
)
from device_simulators.replay.recording import BadSession, read_recording

SESSIONS = Path(__file__).parents[2] / "golden" / "ble" / "sessions"
NAMES = sorted(file.name.removesuffix(".readings.jsonl") for file in SESSIONS.glob("*.readings.jsonl"))
NOW = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
FIRST = '{"event":"session","recorded":"2026-11-22T07:00:00Z","version":1}\n'
ADDRESS = "C3:11:22:33:44:55"


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_read_as_it_was_when_it_was_made(name: str) -> None:
    ran = CliRunner().invoke(app, ["replay", str(SESSIONS / f"{name}.jsonl"), "--decode"])
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == (SESSIONS / f"{name}.readings.jsonl").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_says_where_it_comes_from_and_not_whose_device_it_was(name: str) -> None:
    session = read_session(SESSIONS / f"{name}.jsonl").session
    assert session.note
    assert "a simulated device" in session.note
    assert session.address == HIDDEN_ADDRESS
    assert session.name is None


def test_there_is_a_recording_of_each_profile() -> None:
    adapters = {read_session(SESSIONS / f"{name}.jsonl").session.adapter for name in NAMES}
    assert adapters == {
        "ble-blood-pressure", "ble-body-composition", "ble-cgm", "ble-glucose", "ble-heart-rate",
        "ble-pulse-oximeter", "ble-thermometer", "ble-weight-scale",
    }  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def test_address_name_and_serial_number_are_nowhere_in_an_anonymous_recording(file: Path) -> None:
    with Recorder(file, hides=True) as recorder:
        recorder.begin(Session(NOW, VERSION, "ble-glucose", ADDRESS, "meter+42424242"))
        recorder.note(Advertised(0.0, "meter+42424242", ["1808"], {"0059": "995544332211c3"}))
        recorder.note(Read(0.1, "2A25", 3, b"42424242".hex()))
        recorder.note(Read(0.2, "FFF1", 5, "01c3112233445502"))
    text = file.read_text("utf-8").lower()
    for told in ("c31122334455", "5544332211c3", "meter", b"4242".hex(), ADDRESS.lower()):
        assert told not in text
    assert [event.value for event in read_session(file).of(Read)] == ["30" * 8, "01" + "00" * 6 + "02"]


def test_a_recording_is_for_its_owner_only_and_takes_no_other_ones_place(file: Path) -> None:
    with Recorder(file) as recorder:
        recorder.begin(Session(NOW, VERSION))
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(FileTaken):
        Recorder(file)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "is empty"),
        ('{"event":"session","recorded":"2026-11-22T07:00:00Z","version":2}', "line 1: it has version 2"),
        ('{"event":"session","recorded":"2026-11-22T07:00:00","version":1}', "line 1: recorded has no UTC offset"),
        (FIRST + '{"event":"x","t":0}', "line 2"),
        (FIRST + '{"event":"read","t":0,"uuid":"2A19","handle":1,"value":"4"}', "line 2"),
        ("\x00\xff", "line 1"),
    ],
)
def test_what_is_no_recording_is_refused_and_its_line_named(file: Path, lines: str, says: str) -> None:
    file.write_text(lines, "utf-8")
    with pytest.raises(BadRecording, match=says):
        read_session(file)


@pytest.mark.parametrize("lines", ["", "[]", '{"event":"session"}', '{"event":"session","version":1}\n{"t":1}', "\x00"])
def test_what_is_no_recording_is_not_played_either(file: Path, lines: str) -> None:
    file.write_text(lines, "utf-8")
    with pytest.raises(BadSession):
        read_recording(file)


def test_fields_of_a_later_time_are_passed_over(file: Path) -> None:
    lines = (SESSIONS / "ble-thermometer.jsonl").read_text("utf-8").splitlines()
    file.write_text("\n".join(json.dumps(json.loads(line) | {"later": [1]}) for line in lines), "utf-8")
    assert read_session(file) == read_session(SESSIONS / "ble-thermometer.jsonl")


def test_a_record_that_came_again_is_read_once_and_one_that_changed_twice() -> None:
    first, changed = "020100ea070b16071e0572b011", "020100ea070b16071e0573b011"
    events = tuple(Notified(t, "2A18", 16, value) for t, value in enumerate([first, first, changed]))
    readings = list(readings_in(Recording(Session(NOW, VERSION, "ble-glucose"), events)))
    assert len(readings) == 2


def test_a_recording_without_an_adapter_asks_for_one() -> None:
    with pytest.raises(UnknownModel, match="say which one"):
        list(readings_in(Recording(Session(NOW, VERSION), ())))
