"""Why a host cannot go on with a bond that another one made."""

from collections.abc import Mapping
from typing import Literal

NotTaken = Literal["other_adapter", "other_system", "not_permitted"]

WORDS: Mapping[str, str] = {
    "other_adapter": "its bond belongs to the address of another Bluetooth adapter",
    "other_system": "its bond was made by another kind of Bluetooth system, or this one takes none",
    "not_permitted": "this process may not write the bonds of this system",
}
