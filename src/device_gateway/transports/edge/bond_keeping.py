"""Telling the gateway each bond, sealed for it, so that another edge can go on when this host dies."""

from base64 import b64encode
from datetime import datetime
from hashlib import sha256

import structlog
from bleak.backends.device import BLEDevice

from device_gateway.devices.bond_box import seal
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.edge.messages import event_message
from device_gateway.transports.edge.state import EdgeState
from device_gateway.transports.spool import SpoolFull

NOT_GIVEN = "not given"  # in place of a fingerprint: this host's system does not give the bond away

_log = structlog.get_logger(__name__)


async def keep_bond(state: EdgeState, radio: Radio, device: BLEDevice, device_id: str) -> bool:
    """Puts the bond with a device into the spool, where the gateway was not told it yet. Whether it did.

    Nothing is told as long as the gateway has not said what to seal bonds for, and of a device without a bond.
    """
    key = state.bond_key()
    if key is None:
        return False
    bond = await radio.bond_of(device)
    if bond is None and await radio.has_bond(device) is False:
        return False
    fingerprint = NOT_GIVEN if bond is None else sha256(key.encode() + bond).hexdigest()
    if fingerprint == state.bond_told(device_id):
        return False
    try:
        box = None if bond is None else b64encode(seal(bond, key, device_id)).decode()
        with state.transaction():
            state.spool.put(event_message("bond", datetime.now().astimezone(), device=device_id, bond=box))
            state.note_bond_told(device_id, fingerprint)
    except (ValueError, SpoolFull) as error:
        _log.warning("edge.bond_not_told", device=device_id, error=type(error).__name__)
        return False
    _log.info("edge.bond_told", device=device_id, given=bond is not None)
    return True
