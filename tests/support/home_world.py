"""A home: a radio, a glucose meter and an edge, each a process of its own, in front of a gateway of `fault_world`."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from fault_world import PROGRAM, Stack, wait_until

from device_gateway.devices.credentials import new_password
from device_gateway.transports.edge import state as edge_state

PASSKEY = 314_159
DELAY_S = 0.01  # between two records: a transfer takes long enough to be interrupted


class Program:
    """A command of ours, run until it is stopped or killed; what it says goes into a log."""

    def __init__(self, log: Path, ready: str, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DEVICE_GATEWAY_")}
        with log.open("ab") as output:
            before = output.tell()
            self._process = subprocess.Popen(
                [PROGRAM, *arguments], stdout=output, stderr=output, env=environment, cwd=log.parent
            )
        self._log, self._before, self._ready = log, before, ready

    def wait_ready(self) -> None:
        wait_until(lambda: self._ready in self._log.read_bytes()[self._before :].decode("utf-8", "replace"))

    def kill(self) -> None:
        """kill -9"""
        self._process.kill()
        self._process.wait(20)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)


@dataclass
class Home:
    """A meter with `records`, paired with an edge; both belong to `space`."""

    stack: Stack
    space: UUID
    records: int
    directory: Path = field(init=False)

    def __post_init__(self) -> None:
        name = uuid4().hex
        self.directory = self.stack.directory / f"home-{name[:6]}"
        self.directory.mkdir()
        self._radio = f"unix:{self.directory}/air"
        self._address = ":".join(["C2", *(name[i : i + 2].upper() for i in range(0, 10, 2))])
        password = new_password()
        self.edge_id = self.stack.world.device(self.space, model="edge", kind="edge", password=password)
        self.meter_id = self.stack.world.device(
            self.space, model="ble-glucose", parent=self.edge_id, hardware_id=self._address
        )
        edge_state.configure(
            self.directory, edge_id=str(self.edge_id), mqtt_url=f"mqtt://127.0.0.1:{self.stack.mqtt_port}",
            password=password,
        )  # fmt: skip
        edge_state.add_meter(
            self.directory, device_id=str(self.meter_id), address=self._address, passkey=PASSKEY
        )  # fmt: skip
        self._programs: list[Program] = []

    def start(self) -> None:
        self._run("radio", "ready", "simulate", "radio", self._radio)
        self._run(
            "meter", "ready", "simulate", "ble-glucose", "--radio", self._radio, "--address", self._address,
            "--passkey", str(PASSKEY), "--records", str(self.records), "--delay", str(DELAY_S),
        )  # fmt: skip
        self.start_edge()

    def start_edge(self) -> None:
        self.edge = self._run(
            "edge", "ready edge", "edge", "--data-dir", str(self.directory), "--radio", self._radio,
            "--poll-interval", "0.5",
        )  # fmt: skip

    def _run(self, name: str, ready: str, *arguments: str) -> Program:
        program = Program(self.directory / f"{name}.log", ready, *arguments)
        self._programs.append(program)
        program.wait_ready()
        return program

    @property
    def position(self) -> int:
        """The number of the last record that the edge has."""
        with edge_state.opened(self.directory) as state:
            return state.meters()[0].last_seq or 0

    @property
    def spooled(self) -> int:
        """Messages that the edge keeps, for want of an outcome."""
        with edge_state.opened(self.directory) as state:
            return state.spool.messages()

    def leave(self) -> None:
        for program in reversed(self._programs):
            program.stop()
