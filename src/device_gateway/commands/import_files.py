"""`import FILE…`: a patient's history from files of other products.

Exit code 0: every record was understood; 65 (EX_DATAERR): records were rejected, or a file was; they are listed, and
``NAME.rejected.EXT`` beside the file has them as they stood, to be mended and imported again.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from psycopg import Connection
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, errors, print_json, settings_of
from device_gateway.database.pool import Row, connect
from device_gateway.errors import BadSetting, GatewayError
from device_gateway.imports.formats import format_of, text_of
from device_gateway.imports.progress import begin
from device_gateway.imports.report import Report, report_to_json
from device_gateway.imports.run import File, Reached, dry_run, survey, take_in
from device_gateway.imports.sources import UnknownSpace
from device_gateway.journal import Actor

PIECE_BYTES: Final = 1 << 18
DATA_ERROR: Final = 65  # EX_DATAERR of sysexits.h
SPACE_OF: Final = "SELECT space_id FROM gateway.account_for_sign_in(%s) WHERE space_id IS NOT NULL"
OPERATOR: Final = Actor("operator", None, "device-gateway import")
MOST_NAMES: Final = 1000


class UnknownPatient(GatewayError):
    """There is no patient of that name."""

    exit_code = DATA_ERROR


class UnreadableFile(GatewayError):
    """The file cannot be read."""

    exit_code = 66  # EX_NOINPUT


class CannotKeepRejected(GatewayError):
    """The rejected records cannot be kept beside the file."""

    exit_code = 73  # EX_CANTCREAT


def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files to import.", exists=True, dir_okay=False)],
    space: Annotated[UUID | None, typer.Option(help="Id of the patient's space.")] = None,
    patient: Annotated[str | None, typer.Option(help="Or the user name of the patient.")] = None,
    format_key: Annotated[
        str | None,
        typer.Option("--format", help="csv, libreview, clarity, nightscout, tidepool; otherwise recognised."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="IANA zone of times without an offset; otherwise that of the space.")
    ] = None,
    look: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; nothing is written.")] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Import a patient's history: LibreView, Dexcom Clarity, Nightscout, Tidepool, or our own CSV."""
    settings = settings_of(data_dir, config)
    if (space is None) == (patient is None):
        raise typer.BadParameter("say whose it is: --space or --patient")
    place = _zone(zone)
    whose = space or _space_of(settings.required("database_url"), patient or "")
    reports: list[dict[str, Any]] = []
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        for path in paths:
            try:
                report, rejected = _one(connection, path, whose, format_key, place, look=look, quiet=as_json)
            except GatewayError as error:
                if isinstance(error, UnknownSpace):
                    raise
                reports.append({"file": str(path), "error": error.message})
                errors.print(f"[red]{path.name}:[/red] {error.message}", highlight=False)
                continue
            reports.append({"file": str(path), "dry_run": look, "rejected_file": rejected} | report_to_json(report))
            if not as_json:
                _tell(path, report, rejected, look=look)
    if as_json:
        print_json(reports)
    if any("error" in report or report["rejected"] for report in reports):
        raise typer.Exit(DATA_ERROR)


def _one(
    connection: Connection[Row],
    path: Path,
    space: UUID,
    format_key: str | None,
    zone: ZoneInfo | None,
    *,
    look: bool,
    quiet: bool,
) -> tuple[Report, Path | None]:
    """What became of one file, and where its rejected records are."""
    octets = partial(_pieces, path)
    file = File(space, format_of(octets, format_key), text_of(octets), zone)
    with _bar(quiet=quiet) as bar:
        task = bar.add_task(path.name, total=None)
        records = survey(connection, file, lambda done: bar.update(task, completed=done))
        bar.reset(task, total=records)
        if look:
            return dry_run(connection, file, lambda done: bar.update(task, completed=done)), None
        progress = begin(connection, file, OPERATOR, path.name, records)
        reached = Reached(0, Report(file.format.name))
        leftovers: Path | None = None
        for batch in take_in(connection, file, reached, progress.save):
            reached = batch.reached
            if batch.rejected:
                leftovers = leftovers or _new_beside(path, file.format.preamble(file.text))
                with leftovers.open("a", encoding="utf-8") as rejected:
                    rejected.writelines(f"{entry.text}\n" for entry, _ in batch.rejected)
            bar.update(task, completed=reached.position)
        progress.finish(reached)
    return reached.report, leftovers


def _new_beside(path: Path, preamble: str) -> Path:
    """A file of its own each time: what somebody is mending is not written over."""
    names = (f"{path.stem}.rejected{number}{path.suffix}" for number in ("", *(f"-{n}" for n in range(2, MOST_NAMES))))
    for name in names:
        try:
            with (path.parent / name).open("x", encoding="utf-8") as new:
                new.write(preamble)
        except FileExistsError:
            continue
        except OSError as error:
            raise CannotKeepRejected(
                f"{path.parent}: {error.strerror}. The rejected records cannot be kept beside the file; what is "
                "imported stays, and importing again stores nothing twice."
            ) from error
        return path.parent / name
    raise CannotKeepRejected(f"{path.parent} holds {MOST_NAMES} files of rejected records of {path.name}: remove some.")


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}") from error


def _space_of(database_url: str, username: str) -> UUID:
    with connect(database_url, "gateway_app") as connection:
        row = connection.execute(SPACE_OF, (username,)).fetchone()
    if row is None:
        raise UnknownPatient(f"There is no patient whose user name is {username!r}.")
    return UUID(str(row.space_id))


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a directory of zones
        raise BadSetting(f"--zone {name}: an IANA name is needed, for instance Europe/Paris") from None


def _bar(*, quiet: bool) -> Bar:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def _tell(path: Path, report: Report, leftovers: Path | None, *, look: bool) -> None:
    state = "would be imported, nothing was written" if look else "imported"
    console.print(f"[bold]{path.name}[/bold] ({report.format}) {state}", highlight=False)
    counts = {name: getattr(report, name) for name in ("stored", "duplicate", "corrected", "rejected", "other")}
    console.print("  " + ", ".join(f"{name} {count}" for name, count in counts.items()), highlight=False)
    if report.since and report.until:
        console.print(f"  from {report.since:%Y-%m-%d} to {report.until:%Y-%m-%d}", highlight=False)
    for metric, count in sorted(report.metrics.items()):
        console.print(f"  {metric} {count}", highlight=False)
    for problem in report.problems:
        console.print(f"  record {problem.number} {problem.pointer}: {problem.reason}", highlight=False)
    if report.rejected > len(report.problems):
        console.print(f"  and {report.rejected - len(report.problems)} more", highlight=False)
    if leftovers:
        console.print(f"  rejected records are in {leftovers}", highlight=False, soft_wrap=True)
