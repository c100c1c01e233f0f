"""Radio, meters and edges as processes of their own, and what a sync gave away."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from device_gateway_ble.glucose import GlucoseMeter

from device_gateway.transports.ble.link import Link, connected
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.ble.scan import find
from device_gateway.transports.ble.sync import Batch, SyncReport, sync_records

PASSKEY = 271_828


class Program:
    """A child process that prints a line when it is ready."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)

    def ready(self, beginning: str) -> str:
        """The line that begins like this. Fails when the program ends without it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line.strip()
        raise AssertionError(f"{self.process.args} ended with {self.process.wait()} before it was ready")

    def kill(self) -> None:
        """kill -9"""
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """Asks the program to end. Returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self._wait()

    def _wait(self) -> int:
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


@dataclass
class Meter:
    """A simulated meter, running."""

    address: str
    program: Program


@dataclass
class Person:
    """Types the passkey that a meter shows."""

    digits: int | None = PASSKEY
    asked: int = 0

    async def passkey(self, address: str) -> int | None:
        self.asked += 1
        return self.digits


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
        link, GlucoseMeter(), kept.position, kept.keep, notification_timeout_s=notification_timeout_s
    )


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Waits for something that other processes bring about."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


def process_address(number: int) -> str:
    """A Bluetooth address that no other test process uses."""
    return f"C0:00:00:{os.getpid() >> 8 & 0xFF:02X}:{os.getpid() & 0xFF:02X}:{number & 0xFF:02X}"
