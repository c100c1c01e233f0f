"""Bonds in a sealed box: HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM.

An edge seals a device's keys for the gateway before they leave it; what opens the box is with `serve` only. So neither
the broker nor ingestion nor a copy of the database has the keys. On the way to another edge they are sealed again, for
that edge. A box opens only together with the id of the device that it was made for.
"""

import os
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from device_gateway.errors import BadSetting, GatewayError
from device_gateway.settings import Settings

KEY_OCTETS: Final = 32  # X25519, RFC 7748 §5
LONGEST_BOX: Final = 2560  # octets: the keys of a bond are a few hundred; in base64 it still fits an event of 4096
SHORTEST_BOX: Final = KEY_OCTETS + 16  # the encapsulated key and the tag of nothing at all

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_LABEL = b"device-gateway bond "


class BoxClosed(GatewayError):
    """The kept bond cannot be opened: it was sealed for another key, or for another device."""


def seal(bond: bytes, key: str, device: str) -> bytes:
    """`bond` in a box for the owner of the public `key` (base64). Raises ValueError for a key that is none."""
    try:
        public = X25519PublicKey.from_public_bytes(b64decode(key, validate=True))
    except NoBase64 as error:
        raise ValueError("not a public key") from error
    return _SUITE.encrypt(bond, public, info=_LABEL + device.encode())


def unseal(box: bytes, key: X25519PrivateKey, device: str) -> bytes:
    """What is in the box. Raises BoxClosed."""
    try:
        return _SUITE.decrypt(box, key, info=_LABEL + device.encode())
    except InvalidTag as error:
        raise BoxClosed from error


def box_of(text: str) -> bytes:
    """The octets of a box in base64. Raises ValueError for what cannot be one."""
    try:
        box = b64decode(text, validate=True)
    except NoBase64 as error:
        raise ValueError("not base64") from error
    if not SHORTEST_BOX <= len(box) <= LONGEST_BOX:
        raise ValueError("not a box")
    return box


def public_text(key: X25519PrivateKey) -> str:
    """The public half, in base64."""
    return b64encode(key.public_key().public_bytes_raw()).decode()


def gateway_public_key(settings: Settings) -> str | None:
    """What edges seal bonds for; None where no bond is kept. Raises as `gateway_key`."""
    key = gateway_key(settings)
    return None if key is None else public_text(key)


def gateway_key(settings: Settings) -> X25519PrivateKey | None:
    """The key of this installation, made in its file at the first need; None where no file is set: then no bond is
    kept. Raises BadSetting for a file that holds another thing or cannot be read."""
    if settings.bond_key is None:
        return None
    if not settings.bond_key.exists():
        _make(settings.bond_key)
    try:
        key = load_pem_private_key(settings.bond_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSetting(f"DEVICE_GATEWAY_BOND_KEY: {settings.bond_key} cannot be read: {error}") from error
    if not isinstance(key, X25519PrivateKey):
        raise BadSetting(f"DEVICE_GATEWAY_BOND_KEY: {settings.bond_key} holds no X25519 key")
    return key


def _make(path: Path) -> None:
    """Whole or not at all, and by one of several processes that start together."""
    pem = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    except OSError as error:
        raise BadSetting(f"DEVICE_GATEWAY_BOND_KEY: {path} cannot be made: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
