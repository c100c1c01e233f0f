"""`serve`, `ingest`, `jobs`, `migrate`: the processes of an installation. None of them starts a server of its own."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from device_gateway.commands.options import (
    AsJson,
    ConfigFile,
    DataDir,
    announce_ready,
    console,
    print_json,
    settings_of,
)
from device_gateway.logs import configure_logs
from device_gateway.settings import Settings

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from device_gateway.store.hypertable import Moved


def serve(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=1, max=65535)] = None,
) -> None:
    """Serve HTTP: portal, FHIR, OAuth, catalogue, pairing."""
    from device_gateway.serving import serve_http

    settings = settings_of(data_dir, config)
    configure_logs("serve", settings.log_level)
    serve_http(settings, host or settings.host, port or settings.port, partial(announce_ready, "serve"))


def ingest(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Take readings from the broker into the store. Any number of these share the load."""
    from device_gateway.ingest.process import run_ingest

    settings = settings_of(data_dir, config)
    configure_logs("ingest", settings.log_level)
    run_ingest(settings, partial(announce_ready, "ingest"))


def jobs(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Do the work that follows: disconnect released devices, expire what is over its date."""
    from device_gateway.jobs import run_jobs

    settings = settings_of(data_dir, config)
    configure_logs("jobs", settings.log_level)
    asyncio.run(run_jobs(settings, partial(announce_ready, "jobs")))


def migrate(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    to_timescale: Annotated[
        bool, typer.Option("--to-timescale", help="Then make the readings a hypertable, while others go on writing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database to this version."""
    from device_gateway.database.migrate import migrate as run_migrations

    settings = settings_of(data_dir, config)
    applied = run_migrations(settings.owner_url)
    moved = _moved(settings, as_json) if to_timescale else None
    if as_json:
        print_json({"applied": applied} | ({"moved": asdict(moved)} if moved else {}))
        return
    console.print("\n".join(applied) if applied else "The database is up to date.")
    if moved:
        console.print(
            f"{moved.rows} readings of {moved.pieces} partitions moved." if moved.pieces else "Nothing to move."
        )


def _moved(settings: Settings, quiet: bool) -> "Moved":
    from device_gateway.store.hypertable import to_hypertable

    with Progress(console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("Moving readings", total=None)
        return to_hypertable(
            settings.owner_url,
            timedelta(hours=settings.chunk_hours),
            lambda now: bar.update(task, completed=now.rows, total=now.total),
        )
