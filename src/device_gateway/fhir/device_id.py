"""The id of a device outside: ``d.`` and the UUID of the registry."""

from typing import Final
from uuid import UUID

from device_gateway.errors import NotFound

DEVICE: Final = "d."


def device_id(device: UUID) -> str:
    return f"{DEVICE}{device}"


def device_reference(device: UUID) -> str:
    return f"Device/{DEVICE}{device}"


def parse_device_id(text: str) -> UUID:
    """Raises NotFound for anything that `device_id` would not have written."""
    try:
        device = UUID(text.removeprefix(DEVICE))
    except ValueError:
        raise NotFound from None
    if device_id(device) != text:
        raise NotFound
    return device
