"""Keys of bonded peers, as Bumble wants to find them, in an object that their owner keeps in its own file."""

from collections.abc import Callable
from typing import Any

from bumble.keys import KeyStore, PairingKeys


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
