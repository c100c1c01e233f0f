"""`mail list | show`: what was written to people, and what became of it."""

from typing import Annotated

import typer
from rich.table import Table

from device_gateway.catalogue_key import catalogue_key
from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, errors, print_json, settings_of
from device_gateway.database.pool import connect
from device_gateway.mail import reading_back
from device_gateway.mail.outbox import text_of

app = typer.Typer(
    no_args_is_help=True,
    help="Mail to people: list it, and read what waits. It is sent where DEVICE_GATEWAY_SMTP_URL is set.",
)


@app.command("list")
def list_mails(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List mails, the newest first, without their texts."""
    with connect(settings_of(data_dir, config).required("database_url"), "gateway_app") as connection:
        rows = reading_back.listed(connection, limit)
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    table = Table("mail", "written", "state", "to", "subject", "last error")
    for row in rows:
        table.add_row(
            str(row.id)[:8], f"{row.created_at:%Y-%m-%d %H:%M}", row.state, row.recipient, row.subject,
            row.last_error or "",
        )  # fmt: skip
    console.print(table)


@app.command()
def show(
    mail: Annotated[str, typer.Argument(help="The beginning of its id, as `list` shows it.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one mail with its text, which is there until it was sent, and may hold a link that opens something."""
    settings = settings_of(data_dir, config)
    with connect(settings.required("database_url"), "gateway_app") as connection:
        row = reading_back.shown(connection, mail)
    if row is None:
        errors.print(f"There is no mail {mail}.")
        raise typer.Exit(1)
    values = {name: value for name, value in row._asdict().items() if name not in {"body", "sealed"}}
    values["text"] = text_of(row, catalogue_key(settings)) if row.body is not None else None
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        if value is not None:
            console.print(f"[bold]{name}[/bold] {value}", highlight=False, soft_wrap=True)
