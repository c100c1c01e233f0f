"""`device-gateway import`: what it prints, its exit code, and being killed in the middle."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from file_world import libreview, sensor_table
from ingest_world import World

from device_gateway.accounts import create_account
from device_gateway.cli import main
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import connect

MONTHS = 20_000  # values: ten weeks, four batches
TWO_YEARS = 210_000
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    postgres: EmbeddedPostgres,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """The command, in this process: exit code, standard output and standard error."""
    monkeypatch.setenv("DEVICE_GATEWAY_DATABASE_URL", postgres.url("gateway_app", world.database))
    monkeypatch.setenv("DEVICE_GATEWAY_DATABASE_INGEST_URL", world.ingest_url)
    monkeypatch.setenv("DEVICE_GATEWAY_DATA_DIR", str(tmp_path))

    def called(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["device-gateway", "import", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return called


def start(*arguments: str | Path) -> "subprocess.Popen[str]":
    """The command as a process of its own. The fixture `call` has set its environment."""
    command = [sys.executable, "-m", "device_gateway", "import", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def distinct(world: World, space: UUID) -> tuple[int, int]:
    """How many readings, and at how many times."""
    query = (
        "SELECT count(*) AS n, count(DISTINCT r.time) AS times FROM gateway.reading r"
        " JOIN gateway.series s ON s.id = r.series WHERE s.space_id = %s"
    )
    [row] = world.rows(query, space)
    return row.n, row.times


@contextmanager
def held_up(world: World, month: str) -> Any:
    """Whoever writes a reading of that month waits, until the block ends."""
    world.rows("SELECT gateway.ensure_partition(ARRAY[%s::timestamptz])", f"{month[:4]}-{month[4:]}-15")
    with psycopg.connect(world.owner_url) as connection:
        connection.execute(f"LOCK TABLE gateway.reading_{month} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        connection.rollback()


def waits_for_a_lock(world: World) -> bool:
    query = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    return bool(world.one(f"{query} WHERE NOT l.granted AND d.datname = current_database()"))


def test_an_import_killed_in_the_middle_and_run_again_stores_everything_once(
    world: World, call: Call, tmp_path: Path
) -> None:
    space = world.space()
    file = tmp_path / "sensor.csv"
    file.write_text("".join(sensor_table(MONTHS, datetime(2024, 1, 1, tzinfo=UTC))))
    with held_up(world, "202402"):
        process = start(file, "--space", str(space), "--json")
        while not waits_for_a_lock(world):
            assert process.poll() is None
            time.sleep(0.02)  # another process brings about what is waited for
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        process.communicate()
    committed, _ = distinct(world, space)
    assert world.one("SELECT position FROM gateway.file_import WHERE space_id = %s", space) == committed == 5_000
    code, out, _ = call(file, "--space", str(space), "--json")
    [report] = json.loads(out)
    assert code == 0
    assert (report["stored"], report["duplicate"]) == (MONTHS - committed, committed)
    assert distinct(world, space) == (MONTHS, MONTHS)


def test_a_look_writes_nothing_and_rejected_records_are_kept_beside_the_file(
    postgres: EmbeddedPostgres, world: World, call: Call, tmp_path: Path
) -> None:
    with connect(world.owner_url, "gateway_owner") as connection:
        patient = create_account(connection, "camille", "patient", "correct horse battery", "Camille", "fr", "UTC")
    assert patient.subject
    file, other = tmp_path / "glucose.csv", tmp_path / "unknown.csv"
    file.write_bytes(libreview(("14-06-2026 08:00", "0", "104"), ("14-06-2026 08:15", "0", "LO")))
    other.write_text("a,b\n1,2\n")
    code, out, _ = call(file, "--patient", "camille", "--dry-run", "--json")
    [look] = json.loads(out)
    assert (code, look["stored"], look["rejected"], look["rejected_file"]) == (65, 1, 1, None)
    assert look["problems"] == [
        {"number": 4, "pointer": "/value", "reason": "the sensor gave no number: below what it can measure"}
    ]
    assert distinct(world, patient.subject) == (0, 0)
    code, out, _ = call(file, other, "--patient", "camille", "--json")
    [report, refused] = json.loads(out)
    assert (code, report["stored"], report["rejected"]) == (65, 1, 1)
    assert "names a, b" in refused["error"]
    mended = Path(report["rejected_file"])
    assert mended.parent == tmp_path
    mended.write_text(mended.read_text().replace("LO", "52"))
    code, out, _ = call(mended, "--patient", "camille", "--json")
    [again] = json.loads(out)
    assert (code, again["stored"], again["format"]) == (0, 1, "LibreView")


def test_what_it_prints_for_people_has_the_counts_and_the_first_problems(
    world: World, call: Call, tmp_path: Path
) -> None:
    space = world.space()
    file = tmp_path / "glucose.csv"
    file.write_bytes(libreview(("14-06-2026 08:00", "0", "104"), ("14-06-2026 08:15", "0", "LO")))
    _, out, _ = call(file, "--space", str(space))
    for words in (
        "glucose.csv (LibreView) imported", "stored 1, duplicate 0, corrected 0, rejected 1, other 0",
        "from 2026-06-14 to 2026-06-14", "interstitial-glucose 1", "record 4 /value: the sensor gave no number",
        "glucose.rejected.csv",
    ):  # fmt: skip
        assert words in out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "--space or --patient"),
        (("--patient", "nobody"), 65, "no patient whose user name is 'nobody'"),
        (("--space", "00000000-0000-0000-0000-000000000000"), 65, "no such space"),
        (("--space", "00000000-0000-0000-0000-000000000000", "--zone", "GMT+4"), 78, "IANA name"),
        (("--space", "00000000-0000-0000-0000-000000000000", "--format", "xls"), 65, "formats are clarity, csv"),
    ],
)
def test_what_is_wrong_with_a_call_is_said(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    file = tmp_path / "glucose.csv"
    file.write_bytes(libreview(("14-06-2026 08:00", "0", "104")))
    returned, _, err = call(file, *arguments)
    assert returned == code
    assert told in " ".join(err.replace("│", " ").split())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_years_of_a_sensor_are_imported_in_bounded_memory(world: World, call: Call, tmp_path: Path) -> None:
    space = world.space()
    file = tmp_path / "sensor.csv"
    with file.open("w") as table:
        table.writelines(sensor_table(TWO_YEARS, datetime(2024, 1, 1, tzinfo=UTC)))
    process = start(file, "--space", str(space), "--json")
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        time.sleep(0.05)
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
    [report] = json.loads(process.communicate()[0])
    assert (process.returncode, report["stored"]) == (0, TWO_YEARS)
    assert distinct(world, space) == (TWO_YEARS, TWO_YEARS)
    assert peak < 200_000  # kB: some 100 MB are the interpreter and its libraries
    code, out, _ = call(file, "--space", str(space), "--json")
    [again] = json.loads(out)
    assert (code, again["duplicate"]) == (0, TWO_YEARS)
