"""Replayed files, faults on demand, what devices remember, and the options of their commands."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from device_simulators.ble.blood_pressure_cuff import BloodPressureCuff, CuffOptions
from device_simulators.ble.cgm import Cgm, CgmOptions
from device_simulators.ble.glucose_history import history
from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.misbehaviour import Faults, Misbehaviour
from device_simulators.ble.weight_scale import WeightScale, WeightScaleOptions
from device_simulators.cli import SIMULATORS
from device_simulators.patients.replay import BadReplay, read_replay
from device_simulators.patients.virtual_patient import patient

DEVICES = sorted(name for name in SIMULATORS if name.startswith("ble-"))
FIVE_DAYS = datetime.fromisoformat("2026-11-22T12:00:00")


def replay(folder: Path, *lines: str) -> Path:
    file = folder / "replay.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_file_is_replayed_in_the_order_of_its_times(tmp_path: Path) -> None:
    file = replay(tmp_path, "unit,time,value", ",2026-11-02T08:00:00+01:00,121/79/64", "mmHg,2026-11-01T08:00,118/76")
    rows = read_replay(file)
    assert [row.at.day for row in rows] == [1, 2]
    assert rows[1].values == (121, 79, 64)
    assert [row.unit for row in rows] == ["mmHg", None]
    cuff = BloodPressureCuff(CuffOptions(replay=file))
    assert [taken.values["systolic"] for taken in cuff.memory.waiting] == [118, 121]
    assert cuff.memory.waiting[1].values["mean"] == 93


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("a,b", "1,2"), "columns time and value"),
        (("time,value", "yesterday,5"), "line 2"),
        (("time,value", "2026-11-01T08:00,high"), "line 2"),
        (("time,value", "2026-11-01T08:00,NaN"), "finite"),
        (("time,value", "2026-11-01T08:00,5/6"), "1 values"),
        (("time,value,unit", "2026-11-01T08:00,5,stone"), "stone"),
        (("time,value",), "no rows"),
        (("time,value", "2026-11-01T08:00,5", "2026-11-01T08:00:30,6"), "minutes apart"),
        (("time,value", "2026-01-01T08:00,5", "2026-11-01T08:00:30,6"), "45 days"),
    ],
)
def test_a_file_that_no_sensor_could_have_made_is_refused(tmp_path: Path, lines: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadReplay, match=says):
        Cgm(CgmOptions(replay=replay(tmp_path, *lines)))


def test_a_replayed_session_has_the_minutes_of_its_file(tmp_path: Path) -> None:
    file = replay(tmp_path, "time,value,unit", "2026-11-01T08:00,5.5,mmol/L", "2026-11-01T08:05,111,mg/dL")
    records = Cgm(CgmOptions(replay=file, interval_s=0)).memory.records
    assert [(record.seq, record.mg_dl) for record in records] == [(0, "99"), (5, "111")]
    records = Cgm(CgmOptions(replay=file, interval_s=1, records=1)).memory.records
    assert [record.seq for record in records] == [0]


def test_faults_are_the_same_for_a_seed_and_absent_unless_asked_for() -> None:
    well = Misbehaviour(Faults(), 1)
    assert [well.drops_link() for _ in range(50)] == [False] * 50
    assert (well.copies(), well.order([1, 2, 3]), well.damages()) == (1, [1, 2, 3], False)
    faults = Faults(drop_link=0.3, duplicate=True, reorder=True, bad_crc=True)
    one, same, other = (Misbehaviour(faults, seed) for seed in (1, 1, 2))
    dropped = [one.drops_link() for _ in range(100)]
    assert dropped == [same.drops_link() for _ in range(100)] != [other.drops_link() for _ in range(100)]
    assert 15 <= sum(dropped) <= 45
    mixed = one.order(range(40))
    assert sorted(mixed) == list(range(40)) != mixed
    assert (one.copies(), one.order([1, 2]) == [2, 1]) == (2, True)


def test_a_meter_of_a_virtual_patient_finds_what_the_patient_has() -> None:
    found = history(1, 60, FIVE_DAYS, "mg/dL", patient("child#003"))
    assert found == history(1, 60, FIVE_DAYS, "mg/dL", patient("child#003"))
    assert [record.value for record in found] != [record.value for record in history(1, 60, FIVE_DAYS)]
    assert [record.base_time for record in found] == [record.base_time for record in history(1, 60, FIVE_DAYS)]
    meter = GlucoseMeter(MeterOptions(records=10, patient="child#003"))
    assert len(meter.memory.records) == 10
    assert meter.memory.take_record() is not None


def test_devices_remember_over_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "scale.json"
    first = WeightScale(WeightScaleOptions(records=3, state=state, users=1, clock_skew_s=60))
    first.memory.fetched(first.memory.waiting[0])
    first.memory.consent_codes[2] = 77
    first.memory.save()
    second = WeightScale(WeightScaleOptions(records=9, state=state, users=1))
    assert second.memory.waiting == first.memory.waiting
    assert second.memory.consent_codes == {1: 1000, 2: 77}
    assert second.memory.skew.total_seconds() == pytest.approx(60)
    state = tmp_path / "cgm.json"
    before = Cgm(CgmOptions(records=20, state=state)).memory
    after = Cgm(CgmOptions(records=99, state=state)).memory
    assert (after.began, after.records) == (before.began, before.records)
    before.start()
    assert json.loads(state.read_text())["number"] == 2
    assert Cgm(CgmOptions(state=state)).memory.records == []


def test_a_session_has_its_records_after_warm_up_and_up_to_now() -> None:
    session = Cgm(CgmOptions(records=50, warm_up_min=60, patient="adult#001")).memory
    seqs = [record.seq for record in session.records]
    assert seqs == list(range(65, 65 + 50 * 5, 5))
    assert 0 <= session.offset_min() - seqs[-1] <= 5
    hurried = Cgm(CgmOptions(records=50, interval_s=1)).memory
    assert 23 * 60 <= hurried.offset_min() - hurried.records[-1].seq <= 25 * 60
    assert all(40 <= Decimal(record.mg_dl) <= 400 for record in session.records)


def test_a_clock_that_is_set_moves_neither_the_session_nor_its_offsets() -> None:
    session = Cgm(CgmOptions(records=5)).memory
    began, offset_min = session.began, session.offset_min()
    session.set_clock(session.clock() - timedelta(hours=3))
    assert (session.began, session.offset_min()) == (began, offset_min)
    session.tell_time(session.clock())
    assert (began - session.began).total_seconds() == pytest.approx(3 * 3600, abs=2)
    assert session.offset_min() == offset_min


def test_a_sensor_expires() -> None:
    session = Cgm(CgmOptions(records=500, run_time_h=24)).memory
    assert not session.is_running
    assert session.records[-1].seq == 24 * 60


@pytest.mark.parametrize("name", DEVICES)
def test_each_device_has_a_command_with_the_common_options(name: str) -> None:
    module, _, function = SIMULATORS[name].partition(":")
    program = typer.Typer()
    program.command()(getattr(import_module(module), function))
    shown = CliRunner().invoke(program, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).stdout
    common = (
        "radio address name records interval seed patient replay clock-skew state low-battery forget-bond drop-link "
        "duplicate reorder"
    )
    assert [option for option in common.split() if f"--{option}" not in shown] == []
    wrong = CliRunner().invoke(program, ["--radio", "unix:x", "--patient", "nobody"])
    assert wrong.exit_code == 2
    assert f"simulate {name}: 'nobody' is no virtual patient" in wrong.stderr
