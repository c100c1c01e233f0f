"""The command `device-gateway`. A command's module is imported when the command is called: a process starts with its
own parts only, and what other packages add is found by entry point.
"""

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from device_gateway.commands.options import errors
from device_gateway.errors import GatewayError

EXTENSIONS = "device_gateway.commands"  # entry points: a function becomes a command, a Typer a group of commands
BUILT_IN = {
    "serve": "device_gateway.commands.processes:serve",
    "ingest": "device_gateway.commands.processes:ingest",
    "edge": "device_gateway.commands.edge:app",
    "jobs": "device_gateway.commands.processes:jobs",
    "migrate": "device_gateway.commands.processes:migrate",
    "account": "device_gateway.commands.accounts:app",
    "quarantine": "device_gateway.commands.quarantine:app",
    "mail": "device_gateway.commands.mail:app",
    "upkeep": "device_gateway.commands.store:upkeep",
    "archive": "device_gateway.commands.store:archive",
    "import": "device_gateway.commands.import_files:import_files",
    "decode": "device_gateway.commands.decode:app",
    "radio": "device_gateway.commands.radio:app",
    "broker": "device_gateway.commands.broker:app",
    "settings": "device_gateway.commands.settings:settings",
    "doctor": "device_gateway.commands.doctor:doctor",
}


class Commands(TyperGroup):
    """Knows its commands by name, and imports one when it is asked for.

    Any: contexts and commands are classes of the click that typer carries within itself.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(_points())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        point = _points().get(cmd_name)
        return _command(cmd_name, point.load()) if point else None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)


@app.callback()
def device_gateway() -> None:
    """Connected health devices, a patient's health space, and approved apps."""


def main() -> None:
    """Entry point. An error that the user can put right is one line and an exit code of sysexits.h."""
    try:
        app()
    except GatewayError as error:
        errors.print(f"[red]error:[/red] {error.message}", highlight=False)
        sys.exit(error.exit_code)


def _points() -> dict[str, EntryPoint]:
    built_in = [EntryPoint(name, target, EXTENSIONS) for name, target in BUILT_IN.items()]
    return {point.name: point for point in (*built_in, *entry_points(group=EXTENSIONS))}


def _command(name: str, target: typer.Typer | Callable[..., Any]) -> Any:
    """A command of a Typer group or of a function."""
    command: Any
    if isinstance(target, typer.Typer):
        command = typer.main.get_group(target)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(target)
        command = typer.main.get_command(alone)
    command.name = name
    return command
