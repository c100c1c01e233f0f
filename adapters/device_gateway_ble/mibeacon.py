"""MiBeacon: what Xiaomi's devices broadcast in service data of 0xFE95, encrypted since version 4.

Frame: control (2), product (2), counter (1), [address (6)], [capability (1), [I/O (1)]], then the objects; encrypted
ones are followed by the upper octets of the counter (3) and the tag (4). AES-128-CCM with the bind key that the Xiaomi
account keeps; nonce: address as it stands in a frame, product, counter, its upper octets; associated data 0x11.
Facts: Bluetooth-Devices/xiaomi-ble ``parser.py`` and custom-components/ble_monitor ``xiaomi.py``.
"""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from device_gateway_ble.octets import Octets, RefusedField

SERVICE: Final = "FE95"

ENCRYPTED, HAS_ADDRESS, HAS_CAPABILITY, HAS_OBJECTS = 0x0008, 0x0010, 0x0020, 0x0040
MESH: Final = 0x0080
_HAS_IO: Final = 0x20  # of the capability octet
_OLDEST_ENCRYPTED: Final = 4
_ASSOCIATED: Final = b"\x11"
_TAG_OCTETS: Final = 4
_COUNTER_OCTETS: Final = 3
KEY_OCTETS: Final = 16
ADDRESS_OCTETS: Final = 6


@dataclass(frozen=True, slots=True)
class Frame:
    """One broadcast. `objects` (type ▸ value) are empty where it announces none."""

    product: int
    counter: int
    objects: dict[int, bytes]


def product_of(data: bytes) -> int | None:
    """The product number, whatever follows it; None where the frame is too short."""
    return int.from_bytes(data[2:4], "little") if len(data) >= 5 else None


def parse_frame(data: bytes, bind_key: bytes | None, address: str | None) -> Frame:
    """A broadcast, decrypted. `address` is the sender's, for frames that do not repeat it. Raises RefusedField."""
    octets = Octets(data)
    control = octets.unsigned(2, "/frame-control")
    product = octets.unsigned(2, "/product")
    counter = octets.unsigned(1, "/frame-counter")
    if control & MESH:
        raise RefusedField("/frame-control", "a frame of a Bluetooth mesh")
    sender = octets.take(ADDRESS_OCTETS, "/address") if control & HAS_ADDRESS else _octets_of(address)
    if control & HAS_CAPABILITY and octets.unsigned(1, "/capability") & _HAS_IO:
        octets.take(1, "/capability")
    if not control & HAS_OBJECTS:
        return Frame(product, counter, {})
    content = octets.take(octets.left, "/objects")
    if control & ENCRYPTED:
        if control >> 12 < _OLDEST_ENCRYPTED:
            raise RefusedField("/frame-control", "encryption of a version before 4")
        content = _decrypted(content, bind_key, sender, data[2:5])
    return Frame(product, counter, _objects(content))


def _octets_of(address: str | None) -> bytes | None:
    """An address as it stands in a frame, last octet first; None for anything else, as the identifiers of macOS are."""
    try:
        octets = bytes.fromhex((address or "").replace(":", ""))
    except ValueError:
        return None
    return octets[::-1] if len(octets) == ADDRESS_OCTETS else None


def _decrypted(content: bytes, bind_key: bytes | None, sender: bytes | None, head: bytes) -> bytes:
    if bind_key is None:
        raise RefusedField("/objects", "the frame is encrypted and the bind key is not known")
    if len(bind_key) != KEY_OCTETS:
        raise RefusedField("/objects", f"a bind key has {KEY_OCTETS} octets")
    if sender is None:
        raise RefusedField("/address", "the frame is encrypted and the sender's address is not known")
    tail = _COUNTER_OCTETS + _TAG_OCTETS
    if len(content) <= tail:
        raise RefusedField("/objects", "the frame is too short to be encrypted")
    nonce = sender + head + content[-tail:-_TAG_OCTETS]
    try:
        return AESCCM(bind_key, tag_length=_TAG_OCTETS).decrypt(
            nonce, content[:-tail] + content[-_TAG_OCTETS:], _ASSOCIATED
        )
    except InvalidTag as error:
        raise RefusedField("/objects", "it does not decrypt: another bind key, or damaged on its way") from error


def _objects(content: bytes) -> dict[int, bytes]:
    octets = Octets(content)
    objects: dict[int, bytes] = {}
    while octets.left:
        kind = octets.unsigned(2, "/objects")
        objects[kind] = octets.take(octets.unsigned(1, "/objects"), "/objects")
    return objects
