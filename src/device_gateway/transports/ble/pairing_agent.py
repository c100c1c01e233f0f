"""Who answers while a device and this host bond."""

from typing import Protocol


class PairingAgent(Protocol):
    """Answers for the person who holds the device. Whoever derives from it refuses what it does not define.

    Addresses are as a scan gives them, in upper case. The device waits 30 s at most.
    """

    async def passkey(self, address: str) -> int | None:
        """The six digits that the device at `address` shows, None to refuse the bond."""

    async def confirm(self, address: str, number: int) -> bool:  # noqa: ARG002  for those who ask
        """Whether the device shows the same six digits as `number` (numeric comparison)."""
        return False

    async def just_works(self, address: str) -> bool:  # noqa: ARG002  for those who ask
        """Whether a bond that proves nothing is wanted: whoever is near could be in between."""
        return False

    async def show(self, address: str, passkey: int) -> bool:  # noqa: ARG002  for those who ask
        """Six digits for the person to type on the device. Returns at once: whether there is a person to tell."""
        return False
