"""Bonds as BlueZ keeps them: ``DIRECTORY/ADAPTER/DEVICE/info``, an ini file that only root may read.

(BlueZ, doc/settings-storage.txt.) What is taken from one host to another are the sections that make the bond, not what
BlueZ remembers besides. A bond belongs to the address of the adapter that made it, so it can only be put where BlueZ
has an adapter with that address. `bluetoothd` reads these files when it starts, and at no other time.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from device_gateway.transports.ble.not_taken import NotTaken

KIND: Final = "bluez"
ADDRESS: Final = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2}){5}")
KEYS: Final = frozenset({"LongTermKey", "PeripheralLongTermKey", "SlaveLongTermKey"})  # the last until BlueZ 5.64
SECTIONS: Final = KEYS | {
    "General", "IdentityResolvingKey", "LocalSignatureKey", "RemoteSignatureKey", "ConnectionParameters", "DeviceID",
}  # fmt: skip
LONGEST: Final = 1600  # octets of all these sections; more is no file of BlueZ


class BluezBond(msgspec.Struct):
    """One bond: between the adapter `host` and `device`; `info` is what the file says of it."""

    radio: str
    host: str
    device: str
    info: str


class BondFiles:
    """The bonds under `directory`, as far as this process may read and write there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, device: str) -> bytes | None:
        """The newest bond with the device at this address; None where there is none or it may not be read."""
        found: list[tuple[float, bytes]] = []
        try:
            for adapter in self._adapters():
                path = adapter / device.upper() / "info"
                if not path.is_file():
                    continue
                sections = dict(_sections(path.read_text("utf-8")))
                info = "\n\n".join(text for name, text in sections.items() if name in SECTIONS)
                if KEYS & sections.keys() and len(info) <= LONGEST:
                    bond = BluezBond(KIND, adapter.name, device.upper(), info + "\n")
                    found.append((path.stat().st_mtime, msgspec.json.encode(bond)))
        except (OSError, UnicodeDecodeError):
            return None
        return max(found)[1] if found else None

    def write(self, bond: bytes) -> NotTaken | None:
        """Puts a bond where `bluetoothd` finds it when it starts again; why that cannot be, otherwise."""
        try:
            taken = msgspec.json.decode(bond, type=BluezBond)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return "other_system"
        if taken.radio != KIND or not (ADDRESS.fullmatch(taken.host) and ADDRESS.fullmatch(taken.device)):
            return "other_system"
        sections = dict(_sections(taken.info))
        if not KEYS & sections.keys() or not sections.keys() <= SECTIONS:
            return "other_system"
        try:
            if taken.host not in {adapter.name for adapter in self._adapters()}:
                return "other_adapter"
            place = self._directory / taken.host / taken.device
            place.mkdir(mode=0o700, exist_ok=True)
            part = place / "info.part"
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(taken.info)
                file.flush()
                os.fsync(file.fileno())
            part.replace(place / "info")
        except OSError:
            return "not_permitted"
        return None

    def _adapters(self) -> list[Path]:
        return [path for path in self._directory.iterdir() if ADDRESS.fullmatch(path.name)]


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """(name, whole text) of each section of an ini file, in its order."""
    for block in re.split(r"(?m)^(?=\[)", text):
        name = re.match(r"\[([^\]\n]+)\]", block)
        if name:
            yield name[1], block.strip()
