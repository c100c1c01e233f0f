"""What the gateway finds under the entry point ``device_gateway.radios: replay``."""

import asyncio
from pathlib import Path

import typer

from device_simulators.ble.running import run_device
from device_simulators.radio.address import BadRadioAddress
from device_simulators.replay.player import Player
from device_simulators.replay.recording import BadSession, read_recording


async def run_replay(radio: str, file: Path, address: str, passkey: int | None = None, pace: float = 0.0) -> None:
    """Plays the recorded device on the radio at `radio`, until SIGTERM. Prints ``replay ready ADDRESS NAME``."""
    player = Player(read_recording(file), address=address, passkey=passkey, pace=pace)
    await run_device(radio, player.start, f"replay ready {address} {player.name}", _nothing)


async def _nothing() -> None:
    """A recorded device measures no more."""


def replay(file: Path, radio: str, *, address: str, passkey: int | None, pace: float) -> None:
    """Plays the recording in `file` until it is stopped. Exits 2 with the reason where it cannot."""
    try:
        asyncio.run(run_replay(radio, file, address, passkey, pace))
    except (BadRadioAddress, BadSession) as error:
        typer.echo(f"radio replay: {error}", err=True)
        raise typer.Exit(2) from error
