"""`radio capture | replay`: sessions with Bluetooth devices as files, to look at and to read again."""

import asyncio
import getpass
import json
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from device_gateway.commands.decode import result_as_json
from device_gateway.commands.options import AsJson, console, errors, print_json
from device_gateway.errors import PartMissing
from device_gateway.logs import configure_logs
from device_gateway.settings import load_settings
from device_gateway.transports.ble.adapter import record_adapter
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import GROUP, open_radio
from device_gateway.transports.recording.capture import LISTEN_S, record_all, record_sync
from device_gateway.transports.recording.decoding import readings_in
from device_gateway.transports.recording.session_file import Recorder, read_session

REPLAY = "replay"  # the entry point of the group of radios that plays a recording on one

app = typer.Typer(no_args_is_help=True, help="Record a session with a Bluetooth device, and play it again.")


class _Beside(PairingAgent):
    """Whoever runs the command stands beside the device and has chosen it."""

    def __init__(self, digits: int | None) -> None:
        self._digits = digits

    async def passkey(self, address: str) -> int | None:
        if self._digits is not None or not sys.stdin.isatty():
            return self._digits
        text = await asyncio.to_thread(getpass.getpass, f"Passkey that {address} shows: ")
        return int(text) if text.strip().isdigit() else None

    async def confirm(self, address: str, number: int) -> bool:
        return sys.stdin.isatty() and await asyncio.to_thread(
            typer.confirm, f"Does {address} show {number:06d}?", default=False
        )

    async def just_works(self, _address: str) -> bool:
        return True


@app.command()
def capture(
    file: Annotated[Path, typer.Argument(help="New file for the recording.")],
    adapter: Annotated[
        str | None, typer.Option(help="Adapter that reads it, as ble-glucose; without it the one it matches.")
    ] = None,
    listen: Annotated[
        bool, typer.Option("--listen", help="Read and hear all that the device offers, in place of a sync.")
    ] = False,
    address: Annotated[str | None, typer.Option(help="Bluetooth address; without it the first known kind.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to hear what it sends by itself.")] = LISTEN_S,
    find: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the device.")] = 20.0,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Without address, name, serial number and system id.")
    ] = False,
    note: Annotated[str | None, typer.Option(help="Where it comes from, for the first line.")] = None,
    passkey: Annotated[
        int | None, typer.Option(min=0, max=999_999, help="What the device shows; asked for if it must be.")
    ] = None,
    bonds: Annotated[Path, typer.Option(help="Where a virtual radio keeps its bonds.")] = Path(".edge/bonds.json"),
    radio: Annotated[str, typer.Option(envvar="DEVICE_GATEWAY_RADIO", help="Virtual radio; empty: this host's.")] = "",
    as_json: AsJson = False,
) -> None:
    """Record a session: advertisement, services, and every read, write and notification."""
    configure_logs("radio", load_settings().log_level)
    asked: dict[str, Any] = {"address": address, "note": note, "find_s": find, "listen_s": seconds}

    async def record(recorder: Recorder) -> dict[str, Any]:
        if radio:
            bonds.parent.mkdir(parents=True, exist_ok=True)
        async with open_radio(radio or None, bonds, _Beside(passkey)) as opened:
            if listen:
                return {"notifications": await record_all(opened, recorder, **asked)}
            chosen = record_adapter(adapter) if adapter else None
            captured = await record_sync(opened, recorder, adapter=chosen, **asked)
            return {"readings": captured.readings, "rejected": captured.rejected}

    found: dict[str, Any] = {}
    with Recorder(file, hides=anonymous) as recorder:
        if not as_json:
            errors.print("Recording… Ctrl-C ends it and keeps what there is.")
        try:
            found = asyncio.run(record(recorder))
        except KeyboardInterrupt:
            pass
        finally:
            if not recorder.events:
                file.unlink()
    if not recorder.events:
        raise typer.Exit(130)
    if as_json:
        print_json({"file": str(file), "events": recorder.events, **found})
        return
    counted = ", ".join(f"{count} {what}" for what, count in found.items())
    console.print(f"{file}: {recorder.events} events{', ' + counted if counted else ''}.", highlight=False)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    decode: Annotated[
        bool, typer.Option("--decode", help="Print as JSON lines what the gateway would read; nothing is sent.")
    ] = False,
    adapter: Annotated[str | None, typer.Option(help="With --decode: another adapter than the recorded one.")] = None,
    radio: Annotated[
        str, typer.Option(envvar="DEVICE_GATEWAY_RADIO", help="Virtual radio on which to play the device.")
    ] = "",
    address: Annotated[str, typer.Option(help="Bluetooth address of the played device.")] = "C0:00:00:00:00:0F",
    passkey: Annotated[
        int | None, typer.Option(min=0, max=999_999, help="Bond by these six digits; without them bonding just works.")
    ] = None,
    pace: Annotated[
        float, typer.Option(min=0, help="Pauses between notifications, times those recorded; 0: none.")
    ] = 0.0,
) -> None:
    """Read a recording again, or play the device on a virtual radio until it is stopped."""
    if decode:
        for result in readings_in(read_session(file), adapter):
            typer.echo(json.dumps(result_as_json(result), ensure_ascii=False))
        return
    if not radio:
        raise typer.BadParameter("give --radio (or DEVICE_GATEWAY_RADIO) to play the device there, or --decode")
    read_session(file)  # whoever plays it is told first what is wrong with the file
    found = entry_points(group=GROUP, name=REPLAY)
    if not found:
        raise PartMissing(f"no installed package plays recordings: the entry point {GROUP}: {REPLAY} is missing")
    play: Any = next(iter(found)).load()  # Any: found by name
    play(file, radio, address=address, passkey=passkey, pace=pace)
