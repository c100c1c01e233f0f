"""Codes and tokens: random words that only their holder knows, looked up by their hash."""

import base64
import hashlib
import secrets

BYTES = 32  # of entropy; OAuth 2.1 wants a guess to succeed with at most 2^-128


def new_secret() -> str:
    return secrets.token_urlsafe(BYTES)


def base64url(octets: bytes) -> str:
    """Without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def sha256(text: str) -> bytes:
    """What is stored and looked up. No salt and no slow hash: there are no two chances to guess 256 bits."""
    return hashlib.sha256(text.encode()).digest()
