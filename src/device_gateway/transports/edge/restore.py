"""An edge on a new host: the devices that it carries, and their bonds, so that it reads on without pairing them again.

Where a meter was read up to, nobody tells it. The gateway knows what arrived, not what died with the old host on its
way; so what a meter still holds is read once more, and the gateway recognises what it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from device_gateway.devices.bond_box import BoxClosed, box_of, unseal
from device_gateway.transports.ble.adapter import broadcast_adapters, check_adapter
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import BLUEZ_DIRECTORY, Radio, open_radio
from device_gateway.transports.edge.bond_keeping import Secrets
from device_gateway.transports.edge.messages import event_message
from device_gateway.transports.edge.pair import RADIO_TURN_WAIT_S
from device_gateway.transports.edge.state import BONDS_FILE, EdgeState, Meter, edge_directory, opened
from device_gateway.transports.edge.turn import turn

NOT_KEPT = "not_kept"  # beside the names of `not_taken`: the gateway has no bond of the device, or it cannot be opened


@dataclass(frozen=True, slots=True)
class CarriedDevice:
    """What the gateway says of a device. `bond`: a sealed box in base64, where it keeps one."""

    device_id: str
    address: str
    adapter: str
    bond: str | None


@dataclass(frozen=True, slots=True)
class Restored:
    """A device that is read from now on. `missing`: why its bond could not be taken: it must be paired again."""

    address: str
    device_id: str
    missing: str | None


class _Nobody(PairingAgent):
    async def passkey(self, _address: str) -> int | None:
        return None


async def restore_meters(
    data_dir: Path,
    radio_spec: str | None,
    devices: Sequence[CarriedDevice],
    key: X25519PrivateKey,
    *,
    bluez_directory: Path = BLUEZ_DIRECTORY,
) -> list[Restored]:
    """Has the edge read `devices`; those that it reads already stay as they are. `key` opens their bonds.

    A device whose bond cannot be taken is told as one whose bond is lost, for its holder to pair it again. Raises
    UnknownModel for an adapter that is not installed, Occupied, or PartMissing.
    """
    for device in devices:
        check_adapter(device.adapter)
    bonds = edge_directory(data_dir) / BONDS_FILE
    async with (
        turn(data_dir, "pairing", RADIO_TURN_WAIT_S),  # an edge that runs gives the radio away when this is taken
        turn(data_dir, "radio", RADIO_TURN_WAIT_S),
        open_radio(radio_spec, bonds, _Nobody(), bluez_directory) as radio,
    ):
        with opened(data_dir) as state:
            known = {meter.device_id for meter in state.meters()}
            return [await _restore(state, radio, device, key) for device in devices if device.device_id not in known]


async def _restore(state: EdgeState, radio: Radio, device: CarriedDevice, key: X25519PrivateKey) -> Restored:
    address, secrets = device.address.upper(), _secrets(device, key)
    if device.adapter in broadcast_adapters():
        missing = None
        state.broadcasts.set_key(address, secrets.bind_key)
    else:
        missing = NOT_KEPT if secrets.bond is None else await radio.take_bond(secrets.bond)
    for user in secrets.users:
        state.consents.add(address, user)
    state.set_meter(Meter(device.device_id, address, device.adapter, None, None))
    if missing is not None:
        with state.transaction():
            state.note_bond_lost(device.device_id)
            state.spool.put(event_message("bond_lost", datetime.now().astimezone(), device=device.device_id))
    return Restored(address, device.device_id, missing)


def _secrets(device: CarriedDevice, key: X25519PrivateKey) -> Secrets:
    """None of them where nothing is kept, or what is kept is nothing that we understand."""
    if device.bond is None:
        return Secrets()
    try:
        return msgspec.json.decode(unseal(box_of(device.bond), key, device.device_id), type=Secrets)
    except (ValueError, msgspec.MsgspecError, BoxClosed):
        return Secrets()
