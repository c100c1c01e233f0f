"""What the gateway may ask of an edge: payloads of ``…/command``.

{"command": "scan", "pairing": id, "seconds"?: 20}            tell which devices are heard
{"command": "pair", "pairing": id, "address": "C0:…"}         bond with one
{"command": "passkey", "pairing": id, "passkey": "271828"}    what the device shows
{"command": "key", "pairing": id, "key": "00112233…"}         bind key of a device that broadcasts: 32 digits
{"command": "user", "pairing": id, "user_index": 2, "code": 1001}   of a scale that tells people apart: shown by it
{"command": "confirm", "pairing": id, "accept": true}         the number is the same; or: a bond without proof will do
{"command": "adopt", "pairing": id, "device": id, "address": "C0:…", "adapter": "ble-glucose", "bond_key"?: base64}
{"command": "forget", "device": id}                           read it no more, remove the bond
{"command": "sync", "device"?: id}                            read it (or all) as soon as it is heard
{"command": "start_session", "device": id}                    of a sensor that waits for it, the next time it is heard
{"command": "allow", "device": id, "set_clock": false, "delete_sent": false}

Each may have `at`, when it was given. The broker keeps commands for an edge that is away: those of a pairing that
nobody waits for any more are passed over.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec


class Scan(msgspec.Struct, tag_field="command", tag="scan"):
    pairing: str
    seconds: float = 20.0
    at: datetime | None = None


class Pair(msgspec.Struct, tag_field="command", tag="pair"):
    pairing: str
    address: str
    at: datetime | None = None


class Passkey(msgspec.Struct, tag_field="command", tag="passkey"):
    pairing: str
    passkey: str
    at: datetime | None = None


class Key(msgspec.Struct, tag_field="command", tag="key"):
    pairing: str
    key: str
    at: datetime | None = None


class NamedUser(msgspec.Struct, tag_field="command", tag="user"):
    pairing: str
    user_index: int
    code: int
    at: datetime | None = None


class Confirm(msgspec.Struct, tag_field="command", tag="confirm"):
    pairing: str
    accept: bool
    at: datetime | None = None


class Adopt(msgspec.Struct, tag_field="command", tag="adopt"):
    pairing: str
    device: str
    address: str
    adapter: str
    bond_key: str | None = None


class Forget(msgspec.Struct, tag_field="command", tag="forget"):
    device: str


class Sync(msgspec.Struct, tag_field="command", tag="sync"):
    device: str | None = None


class StartSession(msgspec.Struct, tag_field="command", tag="start_session"):
    device: str
    at: datetime | None = None


class Allow(msgspec.Struct, tag_field="command", tag="allow"):
    device: str
    set_clock: bool
    delete_sent: bool


PAIRING_COMMANDS = Scan | Pair | Passkey | Key | NamedUser | Confirm
PAIRING_PATIENCE: Final = timedelta(minutes=2)
Command = Scan | Pair | Passkey | Key | NamedUser | Confirm | Adopt | Forget | Sync | Allow | StartSession
_COMMAND = msgspec.json.Decoder(Command)


def parse_command(payload: bytes) -> Command:
    """Raises msgspec.DecodeError (or UnicodeDecodeError) for what is no command of this version."""
    found: Command = _COMMAND.decode(payload)
    return found


def out_of_date(command: Command, now: datetime) -> bool:
    """Whether it belongs to a pairing that was given up by now (aware)."""
    if not isinstance(command, PAIRING_COMMANDS) or command.at is None or command.at.tzinfo is None:
        return False
    return now - command.at > PAIRING_PATIENCE
