"""The answer to a refresh, kept for the client that never received it, in a form that only this client can open.

Only hashes of tokens are stored, and yet a repeated refresh gets the same successors: the answer is encrypted under a
key derived from the consumed refresh token. A copy of the database opens nothing, and there is no server key to keep.
"""

import hmac
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12  # NIST SP 800-38D §8.2; each key seals exactly one message
LABEL = b"successor of a refresh token"  # so that the key is not the stored hash


def seal(token: dict[str, Any], refresh_token: str, binding: str) -> bytes:
    """`token` under `refresh_token`, to be opened with the same `binding` only."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _key(refresh_token).encrypt(nonce, json.dumps(token).encode(), binding.encode())


def unseal(sealed: bytes, refresh_token: str, binding: str) -> dict[str, Any] | None:
    """What was sealed; None for another binding."""
    nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        opened = json.loads(_key(refresh_token).decrypt(nonce, text, binding.encode()))
    except InvalidTag:
        return None
    return dict(opened)


def _key(refresh_token: str) -> AESGCM:
    return AESGCM(hmac.digest(refresh_token.encode(), LABEL, "sha256"))
