"""`upkeep`, and `archive write | read`: the store by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, track

from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, errors, print_json, settings_of
from device_gateway.database.pool import connect
from device_gateway.store.archive import read_archive, write_archive
from device_gateway.store.pieces import pieces
from device_gateway.store.upkeep import Upkeep, keep_up

archive = typer.Typer(no_args_is_help=True, help="Readings in files: write months or chunks, read them in again.")


def upkeep(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Archive, remove, compress and reindex what is due by the settings, as `jobs` does every hour where it may."""
    done = keep_up(settings_of(data_dir, config), datetime.now(UTC))
    if as_json:
        print_json(
            {
                "compressed": [piece.name for piece in done.compressed],
                "removed": [{"piece": r.piece.name, "archive": r.archive} for r in done.removed],
                "reindexed": [piece.name for piece in done.reindexed],
                "postponed": done.postponed,
            }
        )
        return
    for piece in done.compressed:
        console.print(f"compressed {piece.name}: {piece.since:%Y-%m-%d} to {piece.until:%Y-%m-%d}")
    for removed in done.removed:
        console.print(f"removed {removed.piece.name}" + (f", kept in {removed.archive}" if removed.archive else ""))
    for piece in done.reindexed:
        console.print(f"reindexed {piece.name}: {piece.since:%Y-%m-%d} to {piece.until:%Y-%m-%d}")
    if done.postponed:
        errors.print("The rest was in use: it is tried again the next time.")
    elif done == Upkeep():
        console.print("Nothing was due.")


@archive.command()
def write(
    directory: Annotated[Path, typer.Argument(help="Where the files go; readable by their owner only.")],
    before: Annotated[datetime, typer.Option(help="Only what ended before this day.", formats=["%Y-%m-%d"])],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write months or chunks into files with checksums. Nothing is removed: that is what retention_days is for."""
    written = []
    with connect(settings_of(data_dir, config).owner_url, "gateway_owner") as connection:
        due = [piece for piece in pieces(connection) if piece.until <= before.replace(tzinfo=UTC)]
        for piece in track(due, "Writing", console=errors, disable=as_json or not errors.is_terminal):
            path, rows = write_archive(connection, piece, directory)
            written.append({"file": path, "rows": rows})
    if as_json:
        print_json(written)
        return
    for entry in written:
        console.print(f"{entry['file']}: {entry['rows']} rows")


@archive.command()
def read(
    files: Annotated[list[Path], typer.Argument(help="Files that `write` or retention made.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Put archives back into the store. What is there stays as it is; what retention removes goes again."""
    told = []
    with connect(settings_of(data_dir, config).owner_url, "gateway_owner") as connection:
        for file in files:
            with Progress(console=errors, disable=as_json or not errors.is_terminal) as bar:
                task = bar.add_task(file.name, total=file.stat().st_size if file.exists() else None)
                done = read_archive(connection, file, lambda size, bar=bar, task=task: bar.update(task, completed=size))  # type: ignore[misc]
            told.append({"file": file, "stored": done.stored, "known": done.known, "unknown": done.unknown})
            if not as_json:
                console.print(f"{file}: {done.stored} stored, {done.known} known, {done.unknown} of nobody here")
    if as_json:
        print_json(told)
