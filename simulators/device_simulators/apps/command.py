"""``device-gateway simulate app-agenda`` and ``app-teleconsultation``."""

from typing import Annotated

import typer

from device_simulators.apps.app_descriptions import AGENDA, TELECONSULTATION, AppDescription

UNAVAILABLE = 69  # exit code of sysexits.h

BaseUrl = Annotated[str, typer.Option(help="URL of the gateway, without a path.")]
ClientId = Annotated[str, typer.Option(help="What the catalogue gave the app when it was approved.")]
ClientSecret = Annotated[str, typer.Option(envvar="DEVICE_SIMULATOR_CLIENT_SECRET", help="Its secret.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on; its redirect URI has it.")]


def app_agenda(*, base_url: BaseUrl, client_id: ClientId, port: Port) -> None:
    """A sample app: prepares a consultation from weight and blood pressure. A public client (PKCE)."""
    _run(AGENDA, base_url, client_id, None, port)


def app_teleconsultation(*, base_url: BaseUrl, client_id: ClientId, client_secret: ClientSecret, port: Port) -> None:
    """A sample app: shows a doctor blood glucose, and weight if the patient wants. A client with a secret."""
    _run(TELECONSULTATION, base_url, client_id, client_secret, port)


def _run(app: AppDescription, base_url: str, client_id: str, client_secret: str | None, port: int) -> None:
    from device_simulators.apps.running import run_app

    try:
        run_app(app, base_url.rstrip("/"), client_id, client_secret, port)
    except OSError as error:
        typer.echo(f"simulate {app.command}: port {port} is in use; choose another one with --port", err=True)
        raise typer.Exit(UNAVAILABLE) from error
