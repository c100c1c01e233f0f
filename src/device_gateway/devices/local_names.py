"""Names that are a device's own, and names that mean something to one hub only ("scale", "alice").

The registry knows a device by model and hardware id, over all spaces. A local name is made one of a kind by its hub.
"""

import re
from typing import Final
from uuid import UUID

# A Bluetooth or Zigbee address, alone or with what its owner measures behind it.
GLOBAL: Final = re.compile(r"(?:[0-9A-F]{2}(?::[0-9A-F]{2}){5}|0x[0-9a-f]{16})(?:/.*)?", re.ASCII | re.DOTALL)
HUB_DIGITS: Final = 16  # hex digits of the hub's id: 64 bits, so that no two hubs of a nation share them by chance


def qualified(hub: UUID, name: str) -> str:
    """What the registry calls the device that `hub` calls `name`."""
    return name if GLOBAL.fullmatch(name) or name.startswith(_prefix(hub)) else _prefix(hub) + name


def local(hub: UUID, name: str) -> str:
    """What `hub` calls the device that the registry calls `name`."""
    return name.removeprefix(_prefix(hub))


def _prefix(hub: UUID) -> str:
    return f"{hub.hex[:HUB_DIGITS]}/"
