"""`settings`: every setting there is."""

from rich.table import Table

from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, print_json, settings_of
from device_gateway.settings import shown


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
