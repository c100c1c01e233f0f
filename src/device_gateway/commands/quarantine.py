"""`quarantine list | show | replay`: payloads that gave no reading."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, errors, print_json, settings_of
from device_gateway.database.pool import Row, connect
from device_gateway.ingest import quarantine
from device_gateway.ingest.replay import replay as replay_row

app = typer.Typer(
    no_args_is_help=True, help="Payloads that gave no reading: list them, look at one, take them in again."
)
Number = Annotated[int, typer.Argument(help="Number of the row, as `list` shows it.")]


@app.command("list")
def list_rows(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    after: Annotated[int, typer.Option(help="Only rows with a higher number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List rows without their payloads."""
    with connect(settings_of(data_dir, config).ingest_url, "gateway_ingest") as connection:
        rows = quarantine.listed(connection, after, limit)
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    table = Table("number", "seen", "what and why", show_lines=True)
    for row in rows:
        count = str(row.seen) if row.seen_of_kind in (None, row.seen) else f"{row.seen} of {row.seen_of_kind} alike"
        place = f"{row.dialect or 'no dialect'} {row.pointer}".rstrip()
        about = [f"{place}: {row.reason}", *([f"from {row.sender}"] if row.sender else [])]
        if row.replay_result:
            about.append(f"replayed: {row.replay_result}")
        table.add_row(str(row.id), f"{count}\n{row.last_at:%Y-%m-%d %H:%M}", escape("\n".join(about)))
    console.print(table)


@app.command()
def show(number: Number, data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one row with its payload, which may hold health data."""
    with connect(settings_of(data_dir, config).ingest_url, "gateway_ingest") as connection:
        row = quarantine.shown(connection, number)
    if row is None:
        errors.print(f"There is no row {number}.")
        raise typer.Exit(1)
    values = _readable(row)
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        console.print(f"[bold]{name}[/bold] {value}", highlight=False)


@app.command()
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Rows to replay.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All rows not replayed since they last came.")] = False,
    dialect: Annotated[str | None, typer.Option(help="With --all: only this dialect.")] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take rows in again. What was stored before is a duplicate, so this can be repeated."""
    settings = settings_of(data_dir, config)
    results = []
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        wanted = quarantine.waiting(connection, dialect) if every else numbers or []
        if not wanted and not every:
            raise typer.BadParameter("name rows, or use --all")
        quiet = as_json or not console.is_terminal
        for number in track(wanted, "Replaying", console=console, disable=quiet):
            replayed = replay_row(connection, number, settings.quarantine_days)
            if replayed is None:
                errors.print(f"There is no row {number}.")
                raise typer.Exit(1)
            results.append(replayed)
    if as_json:
        print_json([{"number": r.number, "understood": r.understood, "result": r.result} for r in results])
    else:
        for result in results:
            console.print(f"{result.number}: {result.result}", highlight=False)
    if any(not result.understood for result in results):
        raise typer.Exit(2)


def _readable(row: Row) -> dict[str, Any]:
    values = {name: value for name, value in row._asdict().items() if name != "digest"}
    payload = bytes(row.payload)
    try:
        values["payload"] = payload.decode()
    except UnicodeDecodeError:
        values["payload"] = payload.hex()
    return values
