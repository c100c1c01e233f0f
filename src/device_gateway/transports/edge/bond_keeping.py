"""Telling the gateway what a device is known by, sealed for it, so that another edge can go on when this host dies.

That is the bond; of a scale that tells people apart also its users and their consent codes; and of a device that
broadcasts encrypted its bind key.
"""

from base64 import b64encode
from datetime import datetime
from hashlib import sha256

import msgspec
import structlog
from bleak.backends.device import BLEDevice

from device_gateway.devices.bond_box import LONGEST_BOX, seal
from device_gateway.transports.ble.consent import User
from device_gateway.transports.ble.radio import Radio
from device_gateway.transports.edge.messages import event_message
from device_gateway.transports.edge.state import EdgeState, Meter
from device_gateway.transports.spool import SpoolFull

NOT_GIVEN = "not given"  # in place of a fingerprint: this host's system does not give the bond away

_log = structlog.get_logger(__name__)


class Secrets(msgspec.Struct, omit_defaults=True):
    """What goes into a box. `bond`: as `Radio.bond_of` gives it; `bind_key`: 16 octets."""

    bond: bytes | None = None
    bind_key: bytes | None = None
    users: tuple[User, ...] = ()


async def keep_bond(state: EdgeState, radio: Radio, device: BLEDevice, meter: Meter) -> bool:
    """Puts the bond with a device into the spool, where the gateway was not told it yet. Whether it did.

    Nothing is told as long as the gateway has not said what to seal bonds for, and of a device without a bond.
    """
    if state.bond_key() is None:
        return False
    bond = await radio.bond_of(device)
    if bond is not None:
        return _keep(state, meter, Secrets(bond, users=tuple(state.consents.of(meter.address))))
    return await radio.has_bond(device) is not False and _keep(state, meter, None)


def keep_bind_key(state: EdgeState, meter: Meter) -> bool:
    """The same for a device that broadcasts: its bind key, where it has one."""
    key = state.broadcasts.of(meter.address).bind_key
    return key is not None and state.bond_key() is not None and _keep(state, meter, Secrets(bind_key=key))


def _keep(state: EdgeState, meter: Meter, secrets: Secrets | None) -> bool:
    """None: there is a bond, and this host's system does not give it away, or more than the gateway would take."""
    key = state.bond_key() or ""
    text = msgspec.json.encode(secrets)
    fingerprint = NOT_GIVEN if secrets is None else sha256(key.encode() + text).hexdigest()
    if fingerprint == state.bond_told(meter.device_id):
        return False
    try:
        box = None if secrets is None else seal(text, key, meter.device_id)
        if box is not None and len(box) > LONGEST_BOX:
            return _keep(state, meter, None)
        text_box = None if box is None else b64encode(box).decode()
        told = event_message("bond", datetime.now().astimezone(), device=meter.device_id, bond=text_box)
        with state.transaction():
            state.spool.put(told)
            state.note_bond_told(meter.device_id, fingerprint)
    except (ValueError, SpoolFull) as error:
        _log.warning("edge.bond_not_told", device=meter.device_id, error=type(error).__name__)
        return False
    _log.info("edge.bond_told", device=meter.device_id, given=secrets is not None)
    return True
