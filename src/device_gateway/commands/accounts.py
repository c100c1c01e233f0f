"""`account create`: people who may sign in."""

from typing import Annotated

import typer

from device_gateway.accounts.account import Kind, Language
from device_gateway.accounts.creation import create_account
from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, print_json, settings_of
from device_gateway.database.pool import connect

app = typer.Typer(no_args_is_help=True, help="People who may sign in.")


@app.command()
def create(
    username: Annotated[str, typer.Argument(help="What they sign in with.")],
    kind: Annotated[Kind, typer.Option(help="What they are here.")],
    display_name: Annotated[str, typer.Option("--name", help="What they are called on pages and in journals.")],
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="DEVICE_GATEWAY_NEW_PASSWORD")
    ],
    language: Annotated[Language, typer.Option(help="Language of their pages.")] = "fr",
    zone: Annotated[str, typer.Option(help="IANA time zone of a patient, for instance Europe/Paris.")] = "Europe/Paris",
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create an account; a patient gets a health space. The password is asked for, or taken from the environment."""
    with connect(settings_of(data_dir, config).owner_url, "gateway_owner") as connection:
        account = create_account(connection, username, kind, password, display_name, language, zone)
    if as_json:
        print_json({"id": account.id, "username": username, "kind": kind, "space_id": account.subject})
    else:
        console.print(f"Account {username} ({kind}) created.")
