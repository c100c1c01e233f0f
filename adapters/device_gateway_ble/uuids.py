"""Bluetooth SIG identifiers, in the 128-bit form that every operating system reports."""

from functools import lru_cache

BASE_SUFFIX = "-0000-1000-8000-00805f9b34fb"  # Bluetooth Core 5.4, vol. 3, part B, 2.5.1: the Bluetooth Base UUID


def assigned(number: int) -> str:
    """The 128-bit UUID of a 16-bit assigned number, in lower case."""
    return f"{number:08x}{BASE_SUFFIX}"


@lru_cache(maxsize=256)  # a device has some dozen; bounded, since they come from outside
def short(uuid: str) -> str:
    """``2A18`` of an assigned number in either form; any other UUID in lower case as it is."""
    lowered = uuid.lower()
    if lowered.endswith(BASE_SUFFIX) and lowered.startswith("0000"):
        lowered = lowered[4:8]
    return lowered.upper() if len(lowered) == 4 else lowered
