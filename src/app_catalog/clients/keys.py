"""Public keys of a client: a JWK Set (RFC 7517), read once and strictly."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app_catalog.words import marked

MAX_KEYS = 20  # in a set: a few generations of a few kinds
MAX_KEY_ID = 200  # characters
RSA_BITS = range(2048, 8193)  # RFC 7518 §3.3 wants 2048; beyond 8192 a check costs more than it proves
COORDINATE_BYTES = {"P-256": 32, "P-384": 48}
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
PARTS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}


class UnusableKeys(ValueError):
    """These are not keys that a client can be known by. The message is an English msgid."""


@dataclass(frozen=True)
class PublicKey:
    """A key as published. `jwk` is what a signature is checked with, `x5c` its certificate in BASE64, None without."""

    kid: str
    kty: str
    alg: str | None
    jwk: Mapping[str, str]
    x5c: str | None = None

    @property
    def der(self) -> bytes:
        """Its certificate; empty without one."""
        return base64.b64decode(self.x5c or "")

    @property
    def thumbprint(self) -> bytes | None:
        """SHA-256 of the certificate."""
        return hashlib.sha256(self.der).digest() if self.x5c is not None else None

    @property
    def document(self) -> dict[str, Any]:
        """The key with what we use of it, and nothing else that its owner wrote beside."""
        named = {**self.jwk, "kid": self.kid, "use": "sig"} | ({"alg": self.alg} if self.alg else {})
        return named | ({"x5c": [self.x5c]} if self.x5c else {})


@dataclass(frozen=True)
class PublicKeys:
    keys: tuple[PublicKey, ...]

    def one(self, kid: str, kty: str) -> PublicKey | None:
        """The key that both name (SMART 2.2 @336: exactly one has to match)."""
        found = [key for key in self.keys if key.kid == kid and key.kty == kty]
        return found[0] if len(found) == 1 else None

    def has_certificate(self, thumbprint: bytes) -> bool:
        return any(key.thumbprint == thumbprint for key in self.keys)

    @property
    def document(self) -> dict[str, Any]:
        return {"keys": [key.document for key in self.keys]}


def read_keys(document: object) -> PublicKeys:
    """The keys of a JWK Set; those of kinds that we do not use are left out (RFC 7517 §5).

    Raises UnusableKeys for what is no JWK Set, for private or weak keys, and where no key is left.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise UnusableKeys(marked("This is not a JWK Set: an object with a list named keys, 20 at most."))
    keys = PublicKeys(tuple(_read(listed)))
    if not keys.keys:
        raise UnusableKeys(marked("There is no key of a kind that is used here: RSA, or EC on P-256 or P-384."))
    return keys


def _read(listed: list[object]) -> Iterator[PublicKey]:
    for jwk in listed:
        if not isinstance(jwk, dict):
            raise UnusableKeys(marked("A key is not an object."))
        if PRIVATE & jwk.keys():
            raise UnusableKeys(marked("A key is private or shared: publish its public part only, and change it now."))
        kty, kid, alg = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
        if not isinstance(kty, str) or kty not in PARTS or jwk.get("use", "sig") != "sig":
            continue
        if kty == "EC" and jwk.get("crv") not in tuple(COORDINATE_BYTES):
            continue
        if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_ID or not kid.isprintable():
            raise UnusableKeys(marked("A key has no kid, or one of more than 200 characters."))
        if not _is_sound(jwk, kty) or not (alg is None or (isinstance(alg, str) and alg.isprintable())):
            raise UnusableKeys(marked("A key is malformed, or an RSA key of fewer than 2048 bits."))
        parts = {name: jwk[name] for name in ("kty", *PARTS[kty])}
        yield PublicKey(kid, kty, alg, parts, _certificate(jwk.get("x5c")))


def _is_sound(jwk: Mapping[str, Any], kty: str) -> bool:
    if kty == "RSA":
        modulus, exponent = _octets(jwk.get("n")), _octets(jwk.get("e"))
        return int.from_bytes(modulus).bit_length() in RSA_BITS and 0 < len(exponent) <= 4 and exponent[-1] % 2 == 1
    size = COORDINATE_BYTES[jwk["crv"]]
    return len(_octets(jwk.get("x"))) == len(_octets(jwk.get("y"))) == size


def _octets(text: object) -> bytes:
    """BASE64URL without padding; empty for anything else."""
    if not isinstance(text, str) or len(text) > 2000:
        return b""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _certificate(chain: object) -> str | None:
    if not isinstance(chain, list) or not chain:
        return None
    try:
        base64.b64decode(chain[0], validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise UnusableKeys(marked("The x5c of a key is not a list of certificates in BASE64.")) from None
    return str(chain[0])
