"""`serve`, `ingest`, `jobs`, `migrate`: the processes of an installation. None of them starts a server of its own."""

import asyncio
from functools import partial
from typing import Annotated

import typer

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


def migrate(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Bring the database to this version."""
    from device_gateway.database.migrate import migrate as run_migrations

    applied = run_migrations(settings_of(data_dir, config).owner_url)
    if as_json:
        print_json({"applied": applied})
    else:
        console.print("\n".join(applied) if applied else "The database is up to date.")
