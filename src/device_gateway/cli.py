"""The command `device-gateway`."""

import sys
from importlib.metadata import entry_points

import typer
from rich.table import Table

from device_gateway.commands import accounts, doctor, edge, processes, quarantine
from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, errors, print_json, settings_of
from device_gateway.errors import GatewayError
from device_gateway.settings import shown

EXTENSIONS = "device_gateway.commands"  # entry points: a function becomes a command, a Typer a group of commands

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False,
    help="Connected health devices, a patient's health space, and approved apps.",
)  # fmt: skip
for command in (processes.serve, processes.ingest, processes.jobs, processes.migrate, doctor.doctor):
    app.command()(command)
app.add_typer(edge.app, name="edge")
app.add_typer(accounts.app, name="account")
app.add_typer(quarantine.app, name="quarantine")


@app.command()
def settings(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List every setting: variable, present value, what it accepts."""
    rows = shown(settings_of(data_dir, config))
    if as_json:
        print_json([{"variable": name, "value": value, "accepts": accepts} for name, value, accepts in rows])
        return
    table = Table("variable", "value", "accepts")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _extend() -> None:
    for point in entry_points(group=EXTENSIONS):
        extension = point.load()
        if isinstance(extension, typer.Typer):
            app.add_typer(extension, name=point.name)
        else:
            app.command(point.name)(extension)


def main() -> None:
    """Entry point. An error that the user can put right is one line and an exit code of sysexits.h."""
    _extend()
    try:
        app()
    except GatewayError as error:
        errors.print(f"[red]error:[/red] {error.message}", highlight=False)
        sys.exit(error.exit_code)
