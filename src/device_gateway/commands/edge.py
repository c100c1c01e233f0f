"""`edge`: the process beside the devices, and how it learns who it is and what it reads."""

import asyncio
import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from device_gateway.commands.options import announce_ready, console, errors
from device_gateway.devices.bond_box import public_text
from device_gateway.devices.claim_client import claim_device, restore_devices
from device_gateway.errors import NotFound
from device_gateway.logs import configure_logs
from device_gateway.settings import load_settings
from device_gateway.transports.ble.consent import User
from device_gateway.transports.ble.not_taken import WORDS as NOT_TAKEN
from device_gateway.transports.edge.certificate import Request, configure_claimed
from device_gateway.transports.edge.pair import pair_meter
from device_gateway.transports.edge.restore import CarriedDevice, restore_meters
from device_gateway.transports.edge.run import POLL_INTERVAL_S, run_edge
from device_gateway.transports.edge.state import add_meter, opened

app = typer.Typer(help="Read Bluetooth devices nearby and send what they say. Without a subcommand: run.")
EdgeDir = Annotated[Path, typer.Option("--data-dir", help="Where this edge keeps its state and its spool.")]
Gateway = Annotated[str, typer.Option("--gateway", help="URL of the gateway, for instance https://space.example.")]
Code = Annotated[str, typer.Option("--code", help="Claim code from the portal, under “my devices”.")]
HERE = Path(".edge")
LOW_BATTERY_PERCENT = 15
NO_BOND = "the gateway keeps no bond of it"


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
    settings = load_settings()
    configure_logs("edge", settings.log_level)
    with opened(data_dir) as state:
        state.edge()  # an edge that was never claimed says so before it calls itself ready
    announce_ready("edge")
    bluez = settings.bluez_directory
    asyncio.run(run_edge(data_dir, radio or None, poll_interval_s=poll_interval, bluez_directory=bluez))


@app.command()
def claim(gateway: Gateway, code: Code, data_dir: EdgeDir = HERE) -> None:
    """Tie this edge to the space whose claim code this is; it gets its credentials."""
    _claim(gateway, code, data_dir)


def _claim(gateway: str, code: str, data_dir: Path) -> None:
    request = Request()
    answer = claim_device(gateway, code, "edge", csr=request.pem)
    configure_claimed(data_dir, gateway, answer, request)
    console.print(f"This edge is {answer['device_id']}.", highlight=False)


@app.command()
def restore(
    gateway: Gateway,
    code: Annotated[
        str, typer.Option(help="Claim code from “replace this edge” in the portal; none for an edge claimed already.")
    ] = "",
    data_dir: EdgeDir = HERE,
    radio: Annotated[str, typer.Option(envvar="DEVICE_GATEWAY_RADIO", help="Virtual radio; empty: this host's.")] = "",
) -> None:
    """On a new host: take the place of an edge that is gone, with its devices and their bonds."""
    bluez = load_settings().bluez_directory
    if code:
        _claim(gateway, code, data_dir)
    with opened(data_dir) as state:
        edge = state.edge()
    key = X25519PrivateKey.generate()  # for this one answer
    answer = restore_devices(gateway, (edge.edge_id, edge.password), public_text(key))
    devices = [
        CarriedDevice(device["device"], device["hardware_id"], device["adapter"], device["bond"])
        for device in answer["devices"]
    ]
    if bond_key := answer.get("bond_key"):
        with opened(data_dir) as state:
            state.learn_bond_key(bond_key)
    restored = asyncio.run(restore_meters(data_dir, radio or None, devices, key, bluez_directory=bluez))
    for one in restored:
        why = "reads on" if one.missing is None else f"pair it again: {NOT_TAKEN.get(one.missing, NO_BOND)}"
        console.print(f"{one.address} ({one.device_id}): {why}", highlight=False, markup=False, soft_wrap=True)
    if not restored:
        console.print("There is no device that this edge does not read already.")
    elif not radio and sys.platform == "linux" and any(one.missing is None for one in restored):
        console.print("Restart bluetoothd, which reads its bonds when it starts: systemctl restart bluetooth")


@app.command()
def pair(
    gateway: Gateway,
    code: Code,
    data_dir: EdgeDir = HERE,
    address: Annotated[str | None, typer.Option(help="Bluetooth address; without it the nearest known device.")] = None,
    passkey: Annotated[
        int | None, typer.Option(min=0, max=999_999, help="What the device shows; asked for if it must be.")
    ] = None,
    bind_key: Annotated[
        str, typer.Option(help="Of a scale that broadcasts encrypted, from its maker's app; asked for if it must be.")
    ] = "",
    radio: Annotated[str, typer.Option(envvar="DEVICE_GATEWAY_RADIO", help="Virtual radio; empty: this host's.")] = "",
) -> None:
    """Pair with a device nearby and tie it to the space whose claim code this is; the edge reads it from then on."""

    async def ask(heard: str) -> int | None:
        if passkey is not None:
            return passkey
        if not sys.stdin.isatty():
            return None
        text = await asyncio.to_thread(getpass.getpass, f"Passkey that {heard} shows: ")
        return int(text) if text.strip().isdigit() else None

    async def ask_key(heard: str) -> str | None:
        if bind_key or not sys.stdin.isatty():
            return bind_key
        return await asyncio.to_thread(getpass.getpass, f"Bind key of {heard}, 32 digits: ")

    def ask_to_measure() -> None:
        errors.print("Step on the scale now, and off again.")

    with opened(data_dir) as state:
        edge = state.edge()
    pairing = pair_meter(
        data_dir, radio or None, address=address,
        ask_passkey=ask, ask_bind_key=ask_key, ask_to_measure=ask_to_measure,
    )  # fmt: skip
    found = asyncio.run(pairing)
    answer = claim_device(
        gateway, code, found.model_key, hardware_id=found.address, carrier=(edge.edge_id, edge.password)
    )
    add_meter(data_dir, device_id=answer["device_id"], address=found.address, adapter=found.adapter, passkey=passkey)
    if bond_key := answer.get("bond_key"):
        with opened(data_dir) as state:
            state.learn_bond_key(bond_key)
    console.print(f"{found.name or found.address} is {answer['device_id']}.", highlight=False)
    if found.battery_percent is not None and found.battery_percent < LOW_BATTERY_PERCENT:
        errors.print(f"Its battery is at {found.battery_percent} %.")


@app.command("start-session")
def start_session(
    device: Annotated[str, typer.Argument(help="Id of a glucose sensor that this edge reads.")],
    data_dir: EdgeDir = HERE,
) -> None:
    """Have the session of a new sensor started, the next time that it is heard and if it waits for that."""
    with opened(data_dir) as state:
        if state.meter(device) is None:
            raise NotFound(f"this edge reads no device {device}")
        state.sessions.want_start(device, datetime.now(UTC))
    console.print("The edge starts its session as soon as it hears it.", highlight=False)


@app.command()
def consent(
    device: Annotated[str, typer.Argument(help="Id of a scale that this edge reads and that tells people apart.")],
    user: Annotated[int, typer.Option(min=0, max=254, help="Number of the user on the scale.")],
    code: Annotated[int, typer.Option(min=0, max=9999, help="Consent code that the scale shows for this user.")],
    data_dir: EdgeDir = HERE,
) -> None:
    """Say that a user of a scale consents; the edge fetches what this user measures from then on."""
    with opened(data_dir) as state:
        meter = state.meter(device)
        if meter is None:
            raise NotFound(f"this edge reads no device {device}")
        state.consents.add(meter.address, User(user, code))
        state.set_meter(meter)  # anew: it gets another chance at once
    console.print(f"The edge reads what user {user} measures.", highlight=False)


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
