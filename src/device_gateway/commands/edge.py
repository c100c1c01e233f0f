"""`edge`: the process beside the devices, and how it learns who it is and what it reads."""

import asyncio
import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from device_gateway.commands.options import announce_ready, console, errors
from device_gateway.devices.claim_client import claim_device
from device_gateway.logs import configure_logs
from device_gateway.settings import load_settings
from device_gateway.transports.ble.adapter import record_adapter
from device_gateway.transports.edge.pair import pair_meter
from device_gateway.transports.edge.run import POLL_INTERVAL_S, run_edge
from device_gateway.transports.edge.state import add_meter, configure, opened

app = typer.Typer(help="Read Bluetooth devices nearby and send what they say. Without a subcommand: run.")
EdgeDir = Annotated[Path, typer.Option("--data-dir", help="Where this edge keeps its state and its spool.")]
Gateway = Annotated[str, typer.Option("--gateway", help="URL of the gateway, for instance https://space.example.")]
Code = Annotated[str, typer.Option("--code", help="Claim code from the portal, under “my devices”.")]
HERE = Path(".edge")
LOW_BATTERY_PERCENT = 15


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    data_dir: EdgeDir = HERE,
    radio: Annotated[str, typer.Option(envvar="DEVICE_GATEWAY_RADIO", help="Virtual radio; empty: this host's.")] = "",
    poll_interval: Annotated[float, typer.Option(min=0.5, help="Seconds between rounds.")] = POLL_INTERVAL_S,
) -> None:
    """Run the edge until it is told to stop."""
    if context.invoked_subcommand:
        return
    configure_logs("edge", load_settings().log_level)
    with opened(data_dir) as state:
        state.edge()  # an edge that was never claimed says so before it calls itself ready
    announce_ready("edge")
    asyncio.run(run_edge(data_dir, radio or None, poll_interval_s=poll_interval))


@app.command()
def claim(gateway: Gateway, code: Code, data_dir: EdgeDir = HERE) -> None:
    """Tie this edge to the space whose claim code this is; it gets its credentials."""
    answer = claim_device(gateway, code, "edge")
    mqtt = answer["mqtt"]
    configure(
        data_dir,
        edge_id=answer["device_id"],
        mqtt_url=f"{'mqtts' if mqtt['tls'] else 'mqtt'}://{mqtt['host']}:{mqtt['port']}",
        username=mqtt["username"],
        password=mqtt["password"],
        topic_prefix=answer["topics"]["readings"].rpartition("/")[0],
    )
    console.print(f"This edge is {answer['device_id']}.", highlight=False)


@app.command()
def pair(
    gateway: Gateway,
    code: Code,
    data_dir: EdgeDir = HERE,
    address: Annotated[str | None, typer.Option(help="Bluetooth address; without it the nearest known device.")] = None,
    passkey: Annotated[
        int | None, typer.Option(min=0, max=999_999, help="What the device shows; asked for if it must be.")
    ] = None,
    radio: Annotated[str, typer.Option(envvar="DEVICE_GATEWAY_RADIO", help="Virtual radio; empty: this host's.")] = "",
) -> None:
    """Bond with a device nearby and tie it to the space whose claim code this is; the edge reads it from then on."""

    async def ask(heard: str) -> int | None:
        if passkey is not None:
            return passkey
        if not sys.stdin.isatty():
            return None
        text = await asyncio.to_thread(getpass.getpass, f"Passkey that {heard} shows: ")
        return int(text) if text.strip().isdigit() else None

    with opened(data_dir) as state:
        edge = state.edge()
    found = asyncio.run(pair_meter(data_dir, radio or None, address=address, ask_passkey=ask))
    model: Any = record_adapter(found.adapter)  # adapters are found by entry point: their class is not known here
    answer = claim_device(
        gateway, code, model.models[0].key, hardware_id=found.address, carrier=(edge.edge_id, edge.password)
    )
    add_meter(data_dir, device_id=answer["device_id"], address=found.address, adapter=found.adapter, passkey=passkey)
    console.print(f"{found.name or found.address} is {answer['device_id']}.", highlight=False)
    if found.battery_percent is not None and found.battery_percent < LOW_BATTERY_PERCENT:
        errors.print(f"Its battery is at {found.battery_percent} %.")


@app.command()
def allow(
    device: Annotated[str, typer.Argument(help="Id of a device that this edge reads.")],
    data_dir: EdgeDir = HERE,
    set_clock: Annotated[bool, typer.Option(help="Set its clock right when it is wrong.")] = False,
    delete_sent: Annotated[
        bool, typer.Option(help="Delete records on the device once the gateway has stored all of them.")
    ] = False,
) -> None:
    """Say what the edge may change on a device. What is not named is not allowed; at first nothing is."""
    with opened(data_dir) as state:
        state.allow(device, sets_clock=set_clock, deletes_sent=delete_sent)
    allowed = [
        text for text, wanted in (("set its clock", set_clock), ("delete what is stored", delete_sent)) if wanted
    ]
    console.print(f"The edge may {' and '.join(allowed) or 'change nothing on it'}.", highlight=False)
