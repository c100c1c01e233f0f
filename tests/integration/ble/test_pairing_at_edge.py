"""Pairing that is driven from afar: commands to an edge, and what it tells back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ble_world import PASSKEY, Meter, Program, until
from edge_world import Gateway

from device_gateway.transports.edge import state as edge_state

StartMeter = Callable[..., Meter]
StartEdge = Callable[..., Program]
PAIRING = "0b6d2a53-2d7c-4c3c-9b47-6b0f5a0a1c11"


async def online(gateway: Gateway) -> None:
    await until(lambda: gateway.status[-1:] == [{"online": True}])


async def told(gateway: Gateway, event: str, address: str | None = None) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [one for one in gateway.told(event) if address in (None, one.get("address"))]

    await until(lambda: bool(found()), timeout_s=20)
    return found()[0]


async def test_scan_choose_passkey_adopt_first_reading(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    meter = start_meter(records=3, name="Kitchen\x07 meter")
    start_edge()
    await online(gateway)
    gateway.command(edge_id, {"command": "scan", "pairing": PAIRING, "seconds": 30})
    heard = await told(gateway, "heard", meter.address)
    assert (heard["pairing"], heard["adapter"], heard["model"]) == (PAIRING, "ble-glucose", "ble-glucose")
    gateway.command(edge_id, {"command": "pair", "pairing": PAIRING, "address": meter.address})
    await told(gateway, "passkey_wanted", meter.address)
    gateway.command(edge_id, {"command": "passkey", "pairing": PAIRING, "passkey": str(PASSKEY)})
    paired = await told(gateway, "paired", meter.address)
    assert paired["proof"] == "passkey"
    adopt = {"command": "adopt", "pairing": PAIRING, "device": "meter-1", "adapter": "ble-glucose"}
    gateway.command(edge_id, adopt | {"address": meter.address})
    first = await told(gateway, "first_reading")
    assert (first["pairing"], first["device"]) == (PAIRING, "meter-1")
    await until(lambda: len(gateway.readings) == 3)
    assert str(PASSKEY) not in str(gateway.events)


async def test_a_wrong_passkey_is_told_and_the_right_one_works_afterwards(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, edge_id: str
) -> None:
    meter = start_meter(records=1)
    start_edge()
    await online(gateway)
    for digits, event in ((PASSKEY + 1, "failed"), (PASSKEY, "paired")):
        wanted = len(gateway.told("passkey_wanted"))
        gateway.command(edge_id, {"command": "pair", "pairing": PAIRING, "address": meter.address})
        await until(lambda wanted=wanted: len(gateway.told("passkey_wanted")) > wanted)
        gateway.command(edge_id, {"command": "passkey", "pairing": PAIRING, "passkey": str(digits)})
        await told(gateway, event)
    assert [one["reason"] for one in gateway.told("failed")] == ["BondRefused"]


async def test_a_device_that_is_not_there_is_said_to_be_absent_and_nonsense_does_no_harm(
    start_edge: StartEdge, gateway: Gateway, edge_id: str
) -> None:
    start_edge()
    await online(gateway)
    for nonsense in ({}, {"command": "explode"}, {"command": "pair"}, {"command": "allow", "device": "no one"}):
        gateway.command(edge_id, nonsense)
    gateway.command(edge_id, {"command": "scan", "pairing": PAIRING, "seconds": 0.2})
    await told(gateway, "scanned")


async def test_a_device_that_is_to_be_forgotten_is_read_no_more(
    start_meter: StartMeter, start_edge: StartEdge, gateway: Gateway, tmp_path: Path, edge_id: str
) -> None:
    meter = start_meter(records=2)
    edge_state.add_meter(tmp_path, device_id="meter-1", address=meter.address, passkey=PASSKEY)
    start_edge()
    await until(lambda: len(gateway.readings) == 2)
    gateway.command(edge_id, {"command": "forget", "device": "meter-1"})

    def meters() -> int:
        with edge_state.opened(tmp_path) as state:
            return len(state.meters())

    await until(lambda: meters() == 0)
