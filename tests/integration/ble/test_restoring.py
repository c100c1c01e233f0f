"""What an edge on a new host makes of what the gateway hands it, and forgetting without the device."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ble_world import PASSKEY, Meter, Person, until
from bleak.backends.device import BLEDevice
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from device_gateway.devices.bond_box import public_text, seal
from device_gateway.errors import UnknownModel
from device_gateway.transports.ble.consent import User
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import open_radio
from device_gateway.transports.ble.scan import find
from device_gateway.transports.edge import state as edge_state
from device_gateway.transports.edge.attending import Attendant
from device_gateway.transports.edge.bond_keeping import Secrets, keep_bind_key, keep_bond
from device_gateway.transports.edge.pairing import EdgeAgent, PairingDesk
from device_gateway.transports.edge.publisher import Publisher
from device_gateway.transports.edge.restore import CarriedDevice, Restored, restore_meters
from device_gateway.transports.edge.state import Meter as ReadMeter
from device_simulators.radio.bleak_backend import VirtualRadio

StartMeter = Callable[..., Meter]
KEY = X25519PrivateKey.generate()
NO_AIR = "unix:/nowhere"  # bonds are taken off the air
OURS, THEIRS = "F0:00:00:00:00:01", "F0:00:00:00:00:02"
KEYS = {"address_type": 1, "ltk": {"value": "00112233445566778899aabbccddeeff", "authenticated": True}}


def carried(number: int, secrets: Secrets | None, adapter: str = "ble-glucose", key: str = "") -> CarriedDevice:
    name = f"device-{number}"
    box = None if secrets is None else seal(msgspec.json.encode(secrets), key or public_text(KEY), name)
    return CarriedDevice(name, f"c0:00:00:00:ee:{number:02x}", adapter, box and b64encode(box).decode())


def bond(number: int, host: str = OURS, **changes: Any) -> bytes:
    made = {"radio": "virtual", "host": host, "device": f"C0:00:00:00:EE:{number:02X}", "keys": KEYS, **changes}
    return json.dumps(made).encode()


def configured(directory: Path) -> Path:
    edge_state.configure(
        directory, edge_id="e", mqtt_url="mqtt://127.0.0.1:1", password="any", bond_key=public_text(KEY)
    )
    return directory


async def restored(directory: Path, *devices: CarriedDevice) -> dict[str, str | None]:
    found: list[Restored] = await restore_meters(configured(directory), NO_AIR, devices, KEY)
    return {one.device_id: one.missing for one in found}


def spooled(directory: Path, event: str) -> list[Any]:
    with edge_state.opened(directory) as state:
        bodies = [json.loads(message.body) for message in state.spool.oldest(100, set())]
    return [body for body in bodies if body["event"] == event]


async def test_each_device_is_read_on_or_told_as_one_to_be_paired_again(tmp_path: Path) -> None:
    stranger = public_text(X25519PrivateKey.generate())
    devices = [
        carried(1, Secrets(bond(1), users=(User(1, 1234),))),
        carried(2, None),
        carried(3, Secrets(bond(3, THEIRS))),  # of another host than the first
        carried(4, Secrets(bond(4, radio="bluez"))),
        carried(5, Secrets(b"nonsense")),
        carried(6, Secrets(bond(6)), key=stranger),
        carried(7, Secrets(bind_key=bytes(range(16))), "ble-xiaomi-scale"),
    ]
    missing = await restored(tmp_path, *devices)
    assert list(missing.values()) == [
        None, "not_kept", "other_adapter", "other_system", "other_system", "not_kept", None,
    ]  # fmt: skip
    kept = json.loads((tmp_path / "edge" / "bonds.json").read_text())
    assert (kept["address"], list(kept["bonds"])) == (OURS, ["C0:00:00:00:EE:01"])
    with edge_state.opened(tmp_path) as state:
        assert state.consents.of("C0:00:00:00:EE:01") == [User(1, 1234)]
        assert state.broadcasts.of("C0:00:00:00:EE:07").bind_key == bytes(range(16))
        assert [(meter.device_id, meter.bond_lost) for meter in state.meters()] == [
            (name, why is not None) for name, why in missing.items()
        ]
    assert [one["device"] for one in spooled(tmp_path, "bond_lost")] == [name for name, why in missing.items() if why]
    assert await restored(tmp_path, *devices) == {}  # again: nothing that is there already is touched


async def test_a_model_that_this_edge_cannot_read_is_named_before_anything_changes(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel):
        await restored(tmp_path, carried(1, Secrets(bond(1))), carried(2, None, "ble-of-tomorrow"))
    with edge_state.opened(tmp_path) as state:
        assert state.meters() == []


def test_a_bind_key_is_told_once_and_sealed(tmp_path: Path) -> None:
    with edge_state.opened(configured(tmp_path)) as state:
        meter = ReadMeter("scale", "C0:00:00:00:EE:09", "ble-xiaomi-scale", None, None)
        state.set_meter(meter)
        assert not keep_bind_key(state, meter)
        state.broadcasts.set_key(meter.address, b"sixteen octets!!")
        assert [keep_bind_key(state, meter) for _ in range(2)] == [True, False]
        assert b"sixteen octets!!" not in state.spool.oldest(1, set())[0].body
    assert len(spooled(tmp_path, "bond")) == 1


async def test_a_bond_that_is_too_large_for_the_gateway_counts_as_one_that_is_not_given(
    air: str, start_meter: StartMeter, tmp_path: Path
) -> None:
    meter = start_meter(records=1)
    radio = Verbose(air, bonds=tmp_path / "edge" / "bonds.json", agent=Person())
    device = (await find(radio, meter.address, 10)).device
    with edge_state.opened(configured(tmp_path)) as state:
        read = ReadMeter("meter", meter.address, "ble-glucose", None, None)
        state.set_meter(read)
        assert [await keep_bond(state, radio, device, read) for _ in range(2)] == [True, False]
    [told] = spooled(tmp_path, "bond")
    assert "bond" not in told
    await radio.close()


class Verbose(VirtualRadio):
    """A radio that has more to say of a bond than any."""

    async def bond_of(self, _device: BLEDevice) -> bytes | None:
        return bytes(5000)


class Windows(VirtualRadio):
    """A radio whose system must hear a device before it forgets it."""

    async def drop_bond(self, _address: str) -> bool:
        return False


async def test_a_bond_that_only_goes_while_the_device_is_heard_goes_when_it_is_heard_again(
    air: str, start_meter: StartMeter, tmp_path: Path
) -> None:
    meter = start_meter(records=1)
    radio = Windows(air, bonds=tmp_path / "edge" / "bonds.json", agent=Person())
    async with connected(radio, (await find(radio, meter.address, 10)).device):
        pass
    with edge_state.opened(configured(tmp_path)) as state:
        state.set_meter(ReadMeter("meter", meter.address, "ble-glucose", PASSKEY, None))
        publisher = Publisher(state.edge(), state)
        attendant = Attendant(state, publisher, 60)
        desk = PairingDesk(state, publisher, attendant, EdgeAgent(state))
        await desk.forget("meter")  # no radio yet: remembered
        assert (state.meters(), state.to_forget()) == ([], [meter.address])
        desk.radio = radio
        await desk.forget_left()
        with attendant.overhearing(desk.heard):
            hearing = asyncio.create_task(attendant.attend(radio, lambda: False))
            await until(lambda: state.to_forget() == [])
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
        await desk.close()
    async with open_radio(air, tmp_path / "edge" / "bonds.json", Nobody()) as after:
        assert await after.has_bond((await find(after, meter.address, 10)).device) is False
    await radio.close()


class Nobody(PairingAgent):
    async def passkey(self, _address: str) -> int | None:
        return None
