"""Radio, meters and edges as processes of their own, and what a sync gave away."""

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from device_gateway.transports.ble.link import Link, connected
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import find
from device_gateway.transports.ble.sync import Batch, SyncReport, sync_records
from device_gateway.transports.edge.run import run_edge
from device_gateway_ble.glucose import GlucoseMeter

PASSKEY = 271_828
END_TIMEOUT_S = 10.0


# Importing the Bluetooth stack takes most of a second: children are forked from a process that has done it once.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    [
        "bluez_facade.stack",
        "device_simulators.ble.command",
        "device_simulators.radio.air",
        "device_simulators.radio.bleak_backend",
        "device_gateway.transports.edge.run",
        "device_gateway_ble.glucose",
    ]
)


class Program:
    """A process of its own that runs `target(*arguments)` and prints a line when it is ready."""

    def __init__(self, target: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        reader, writer = _forks.Pipe(duplex=False)
        self.process = _forks.Process(target=_child, args=(writer, target, arguments), daemon=True)
        self.process.start()
        writer.close()
        self._output = os.fdopen(os.dup(reader.fileno()))
        reader.close()

    def ready(self, beginning: str) -> str:
        """The line that begins like this. Fails when the program ends without it."""
        for line in self._output:
            if line.startswith(beginning):
                return line.strip()
        self.process.join(END_TIMEOUT_S)
        raise AssertionError(f"the program ended with {self.process.exitcode} before it was ready")

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """Asks the program to end. Returns its exit code."""
        self.process.terminate()
        return self._end()

    def _end(self) -> int:
        self.process.join(END_TIMEOUT_S)
        self._output.close()
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError("the program did not end when it was asked to")
        return self.process.exitcode


def _child(writer: Connection, target: Callable[..., Coroutine[Any, Any, None]], arguments: tuple[Any, ...]) -> None:
    os.dup2(writer.fileno(), 1)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    asyncio.run(target(*arguments))


async def edge_process(data_dir: Path, radio: str, limit_octets: int) -> None:
    """An edge in a hurry."""
    sys.stdout.write("edge\n")
    sys.stdout.flush()
    await run_edge(data_dir, radio, poll_interval_s=0.3, resend_after_s=0.4, spool_limit_octets=limit_octets)


@dataclass
class Meter:
    """A simulated meter, running."""

    address: str
    program: Program


@dataclass
class Person(PairingAgent):
    """Types the passkey that a meter shows."""

    digits: int | None = PASSKEY
    asked: int = 0

    async def passkey(self, _address: str) -> int | None:
        self.asked += 1
        return self.digits

    async def just_works(self, _address: str) -> bool:
        return True


@dataclass
class Kept:
    """What syncs gave away."""

    batches: list[Batch] = field(default_factory=list)

    async def keep(self, batch: Batch) -> None:
        self.batches.append(batch)

    @property
    def seqs(self) -> list[int]:
        return [reading.seq for batch in self.batches for reading in batch.readings]

    @property
    def position(self) -> int | None:
        return self.batches[-1].position if self.batches else None


async def sync(radio: Radio, address: str, kept: Kept, *, notification_timeout_s: float = 10.0) -> SyncReport:
    """One sync with the meter at `address`, going on where `kept` ends."""
    heard = await find(radio, address, 10)
    async with connected(radio, heard.device) as link:
        return await sync_link(link, kept, notification_timeout_s=notification_timeout_s)


async def sync_link(link: Link, kept: Kept, *, notification_timeout_s: float = 10.0) -> SyncReport:
    return await sync_records(
        link,
        GlucoseMeter(),
        kept.position,
        kept.keep,
        mark=kept.batches[-1].mark if kept.batches else None,
        notification_timeout_s=notification_timeout_s,
    )


async def until(condition: Callable[[], bool], timeout_s: float = 45.0) -> None:
    """Waits for something that other processes bring about."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


def process_address(number: int) -> str:
    """A Bluetooth address that no other test process uses."""
    return f"C0:00:00:{os.getpid() >> 8 & 0xFF:02X}:{os.getpid() & 0xFF:02X}:{number & 0xFF:02X}"
