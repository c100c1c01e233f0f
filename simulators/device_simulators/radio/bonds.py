"""Keys of bonded peers, as Bumble wants to find them, in an object that their owner keeps in its own file.

A bond on its way to another host is a JSON object: `radio`, our address `host`, the peer's address `device`, `keys`.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bumble.hci import Address
from bumble.keys import KeyStore, PairingKeys

KIND = "virtual"
OTHER_ADAPTER, OTHER_SYSTEM = "other_adapter", "other_system"  # why a bond cannot be taken


class Bonds(KeyStore):
    """Bonds by peer address. `kept` is changed in place, then `save` is called."""

    def __init__(self, kept: dict[str, dict[str, Any]], save: Callable[[], None]) -> None:
        self._kept = kept
        self._save = save

    async def get(self, name: str) -> PairingKeys | None:
        keys = self._kept.get(name)
        return None if keys is None else PairingKeys.from_dict(keys)

    async def get_all(self) -> list[tuple[str, PairingKeys]]:
        return [(name, PairingKeys.from_dict(keys)) for name, keys in self._kept.items()]

    async def update(self, name: str, keys: PairingKeys) -> None:
        self._kept.setdefault(name, {}).update(keys.to_dict())
        self._save()

    async def delete(self, name: str) -> None:
        """Forgets the peer. Raises KeyError where there is no bond."""
        del self._kept[name]
        self._save()


def bond_of(kept: dict[str, Any], peer: str) -> bytes | None:
    """The bond with `peer`, for another host; `kept`: {"address": ours, "bonds": {peer: keys}}."""
    keys = kept.get("bonds", {}).get(peer)
    if keys is None:
        return None
    return json.dumps({"radio": KIND, "host": kept["address"], "device": peer, "keys": keys}).encode()


def take_bond(kept: dict[str, Any], bond: bytes) -> str | None:
    """Puts a bond of another host into `kept`, together with the address that the device knows it by.

    A host that has bonds of its own keeps its address, as a real adapter does: then why the bond cannot be taken.
    """
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        found = json.loads(bond)
        if found["radio"] == KIND:
            host, device = Address(found["host"]).to_string(False), str(found["device"])
            keys = PairingKeys.from_dict(found["keys"]).to_dict()
            if kept.get("bonds") and kept["address"] != host:
                return OTHER_ADAPTER
            kept["address"] = host
            kept.setdefault("bonds", {})[device] = keys
            return None
    return OTHER_SYSTEM


def drop_bond(kept: dict[str, Any], address: str) -> bool:
    """Whether there was a bond with the peer at `address`; it is gone from `kept`."""
    bonds = kept.get("bonds", {})
    names = [name for name in bonds if name.partition("/")[0] == address]
    for name in names:
        del bonds[name]
    return bool(names)
