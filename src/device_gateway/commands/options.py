"""Options that many commands share, and how they report."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from device_gateway.settings import Settings, load_settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Directory of the demo or installation, with its runtime.json.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.", exists=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

console = Console()
errors = Console(stderr=True)


def settings_of(data_dir: Path | None, config: Path | None = None) -> Settings:
    """The settings of a command, whose mapping files are in use from then on. Raises BadSetting."""
    settings = load_settings(data_dir, config)
    if settings.mappings is not None:
        from device_gateway.ingest.dialects import use_mappings  # other commands start without the adapters

        use_mappings(settings.mappings)
    return settings


def print_json(value: Any) -> None:  # Any: whatever a command has to say
    typer.echo(json.dumps(value, indent=2, default=_as_text, ensure_ascii=False))


def announce_ready(process: str) -> None:
    """One line on stdout, by which a supervisor knows that the process works."""
    typer.echo(f"ready {process}")


def _as_text(value: object) -> str:
    """Times as RFC 3339, ids and paths as they are written."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
