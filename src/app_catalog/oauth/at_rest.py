"""Secrets of the catalogue as they lie in the database: AES-256-GCM under keys derived from the installation's own.

That key is with the processes only, in a file: a copy of the database opens nothing.
"""

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32  # of the installation's key
NONCE_BYTES = 12  # NIST SP 800-38D §8.2; random, and a label's key seals some hundreds of secrets in its life


class Closed(Exception):
    """What is sealed was sealed with another key, or as something else."""


def seal(secret: bytes, key: bytes, label: str, binding: str) -> bytes:
    """`secret` under what `label` makes of `key`, to be opened with the same `binding` only."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher(key, label).encrypt(nonce, secret, binding.encode())


def unseal(sealed: bytes, key: bytes, label: str, binding: str) -> bytes:
    """Raises Closed."""
    try:
        return _cipher(key, label).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], binding.encode())
    except InvalidTag:
        raise Closed from None


def _cipher(key: bytes, label: str) -> AESGCM:
    return AESGCM(hmac.digest(key, label.encode(), "sha256"))
