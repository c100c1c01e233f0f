"""Simulated meters and sensors in a process of their own, which says at the end what they measured and sent."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from device_simulators.ble.cgm import Cgm, CgmOptions
from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.running import join_air
from device_simulators.ble.simulated_device import SimulatedDevice

PASSKEY = 271_828
PATIENCE_S = 60
_RECORD = {"2A18": slice(1, 3), "2AA7": slice(4, 6)}  # where a notification has the number of its (only) record

Numbers = dict[str, set[int]]  # record numbers by address


class Wanted(NamedTuple):
    """`meters` at the first addresses and `sensors` at the next ones, each with `records` and a new one every
    `interval_s` (0: none)."""

    meters: int
    sensors: int
    records: int
    interval_s: float = 0


class Running:
    """The process with the devices."""

    def __init__(self, process: Any, pipe: Connection) -> None:
        self._process = process
        self._pipe = pipe

    def stop_measuring(self) -> tuple[Numbers, int]:
        """No new values from now on; what each device has measured, and how many different records were notified.

        The devices stay on the air.
        """
        self._pipe.send("stop")
        answer: tuple[Numbers, int] = self._pipe.recv()
        return answer


@contextmanager
def devices(spec: str, wanted: Wanted) -> Iterator[Running]:
    """On the radio at `spec`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(spec, wanted, theirs), daemon=True)
    process.start()
    if not ours.poll(PATIENCE_S):
        raise RuntimeError("the devices did not start")
    ours.recv()
    yield Running(process, ours)
    process.terminate()
    process.join()


def address(number: int) -> str:
    """That of a device, meters first."""
    return f"C0:00:00:00:BE:{number:02X}"


def _serve(spec: str, wanted: Wanted, pipe: Connection) -> None:
    asyncio.run(_stay(spec, wanted, pipe))


async def _stay(spec: str, wanted: Wanted, pipe: Connection) -> None:
    meters, sensors, records, interval_s = wanted
    made: dict[str, GlucoseMeter | Cgm] = {}
    for number in range(meters):
        options = MeterOptions(
            address=address(number), passkey=PASSKEY, records=records, seed=number, interval_s=interval_s
        )
        made[options.address] = GlucoseMeter(options)
    for number in range(meters, meters + sensors):
        cgm = CgmOptions(address=address(number), passkey=PASSKEY, records=records, seed=number, interval_s=interval_s)
        made[cgm.address] = Cgm(cgm)
    sent: set[tuple[str, int]] = set()
    for where, device in made.items():
        _note_sent(device, where, sent)
        await device.start(await join_air(spec))
    living = [asyncio.create_task(device.live()) for device in made.values()]
    pipe.send("ready")
    await asyncio.to_thread(pipe.recv)
    for task in living:
        task.cancel()
    await asyncio.gather(*living, return_exceptions=True)
    measured = {where: _numbers(device) | {n for at, n in sent if at == where} for where, device in made.items()}
    pipe.send((measured, len(sent)))
    await asyncio.Event().wait()


def _note_sent(device: SimulatedDevice, where: str, sent: set[tuple[str, int]]) -> None:
    """Has each notification of a record noted."""
    notify = device.notify

    async def noted(connection: Any, characteristic: Any, value: bytes) -> None:
        await notify(connection, characteristic, value)
        place = _RECORD.get(characteristic.uuid.to_hex_str())
        if place is not None:
            sent.add((where, int.from_bytes(value[place], "little")))

    device.notify = noted  # type: ignore[method-assign]  # the device under observation stays what it is


def _numbers(device: GlucoseMeter | Cgm) -> set[int]:
    if isinstance(device, Cgm):
        return {record.seq for record in device.memory.records}
    return {record.seq for record in device.memory.records}
