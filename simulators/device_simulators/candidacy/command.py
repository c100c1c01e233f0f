"""``device-gateway simulate candidate``: a vendor's client, taken through all scenarios of its tests."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

FAILED, UNAVAILABLE = 1, 69  # exit codes: not every scenario was passed; as in sysexits.h


def candidate(
    tests_url: Annotated[str, typer.Argument(help="Address of the app's page “Interoperability tests”.")],
    *,
    vendor: Annotated[str, typer.Option(help="User name of somebody who may write for the vendor.")],
    password: Annotated[str, typer.Option(envvar="DEVICE_SIMULATOR_VENDOR_PASSWORD", prompt=True, hide_input=True)],
    page: Annotated[
        str | None, typer.Option(help="Where the app shows what it reads; otherwise the root of its site.")
    ] = None,
) -> None:
    """Take a candidate's client through every scenario, as two simulated patients who open it from the portal.

    The client has to run, and to take an EHR launch at its registered address. Ends with 1 where a scenario is not
    passed.
    """
    import httpx2
    from rich.console import Console
    from rich.table import Table

    from device_simulators.candidacy.browser import Unexpected
    from device_simulators.candidacy.desk import NoSuchPage
    from device_simulators.candidacy.walk import Candidate, walk

    console, parts = Console(), urlsplit(tests_url)
    try:
        base_url = f"{parts.scheme}://{parts.netloc}"
        (results,) = walk(base_url, (vendor, password), [Candidate(tests_url, page)], console.print)
    except (Unexpected, NoSuchPage, httpx2.HTTPError) as error:
        typer.echo(f"simulate candidate: {error or type(error).__name__}", err=True)
        raise typer.Exit(UNAVAILABLE) from error
    table = Table("scenario", "outcome", "what was seen")
    for result in results:
        table.add_row(result.name, result.outcome or "-", "\n".join(result.steps))
    console.print(table)
    if not all(result.passed for result in results):
        raise typer.Exit(FAILED)
