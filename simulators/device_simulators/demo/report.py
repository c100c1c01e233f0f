"""What the demo tells the person at the terminal."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

NOT_AN_ALARM = "Not a medical device: nothing here replaces a monitor."


def show(console: Console, content: dict[str, Any], file: Path, ready_s: float) -> None:
    """URLs and accounts. `content` is what demo.json says."""
    console.print(f"\n[bold green]Ready[/bold green] after {ready_s:.1f} s", highlight=False)
    places = Table(show_header=False, box=None)
    places.add_row("Portal", content["base_url"])
    places.add_row("FHIR", content["fhir_url"])
    places.add_row("Catalogue", f"{content['base_url']}/catalogue")
    mqtt = content["mqtt"]
    places.add_row("MQTT", f"{mqtt['host']}:{mqtt['port']}" + (f", TLS by {mqtt['ca']}" if mqtt["tls"] else ""))
    for app in content["apps"]:
        places.add_row(app["name"], app["url"])
    console.print(places)
    accounts = Table("sign in as", "user name", "password")
    for kind in ("patients", "professionals", "vendors", "reviewers", "operators"):
        for person in content[kind]:
            accounts.add_row(f"{person['display_name']} ({kind[:-1]})", person["username"], person["password"])
    console.print(accounts)
    console.print(f"All of this, with devices and claim codes: {file}", highlight=False)
    console.print(f"{NOT_AN_ALARM} Ctrl-C stops everything; the data stays.")
