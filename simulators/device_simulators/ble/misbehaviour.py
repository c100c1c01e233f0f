"""What goes wrong with devices in real life, on demand and repeatable: the same seed makes the same trouble."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

LOW_BATTERY_PERCENT = 4
_SHUFFLED_TOGETHER = 4  # records that change places among themselves
_DAMAGED_SHARE = 0.2  # of the packets of a device with bad checksums

R = TypeVar("R")


@dataclass(frozen=True)
class Faults:
    """Which troubles a device has. `drop_link` is the chance, before each packet, that the link is dropped instead."""

    drop_link: float = 0
    duplicate: bool = False
    reorder: bool = False
    bad_crc: bool = False

    def with_bad_crc(self) -> Self:
        """The same, and some checksums are wrong."""
        return replace(self, bad_crc=True)


class Misbehaviour:
    """Decides when each fault happens."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._chance = random.Random(f"misbehaviour {seed}")

    def drops_link(self) -> bool:
        """Whether the link is dropped before the next packet."""
        return self._chance.random() < self._faults.drop_link

    def copies(self) -> int:
        """How often a packet is sent."""
        return 2 if self._faults.duplicate else 1

    def order(self, records: Sequence[R]) -> list[R]:
        """The records in the order in which they are sent: theirs, or a mixed one."""
        found = list(records)
        if not self._faults.reorder:
            return found
        for start in range(0, len(found), _SHUFFLED_TOGETHER):
            together = found[start : start + _SHUFFLED_TOGETHER]
            self._chance.shuffle(together)
            found[start : start + _SHUFFLED_TOGETHER] = together
        if found == list(records):
            found.reverse()
        return found

    def damages(self) -> bool:
        """Whether the checksum of the next packet is wrong."""
        return self._faults.bad_crc and self._chance.random() < _DAMAGED_SHARE
