"""Client assertions (RFC 7523 §3, SMART 2.2 "Asymmetric client authentication"): ``private_key_jwt``.

The algorithm comes from the client's profile, the key from its registration, never from the assertion alone.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from app_catalog.clients.keys import PublicKey

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE = timedelta(minutes=5)  # SMART 2.2: exp no more than five minutes ahead
SKEW = timedelta(seconds=10)  # FAPI 2.0 5.3.2.1-13: clocks of clients may be so far ahead
MAX_LENGTH = 8000  # characters; with a certificate chain in the header
MAX_JTI = 300  # characters
KINDS = {"RS384": "RSA", "PS256": "RSA", "ES384": "EC", "ES256": "EC"}


class NotProven(Exception):
    """The assertion does not prove who the client is."""


@dataclass(frozen=True)
class Assertion:
    """An assertion as read, nothing of it believed yet."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def subject(self) -> str:
        return str(self.claims.get("sub", ""))

    @property
    def alg(self) -> str:
        return str(self.header.get("alg", ""))

    @property
    def kid(self) -> str:
        return str(self.header.get("kid", ""))

    @property
    def jti(self) -> str:
        return str(self.claims.get("jti", ""))

    @property
    def expires(self) -> datetime:
        return datetime.fromtimestamp(self.claims["exp"], UTC)


def read_assertion(text: str) -> Assertion:
    """Header and claims of a compact JWS. Raises NotProven."""
    parts = text.split(".")
    if len(text) > MAX_LENGTH or len(parts) != 3:
        raise NotProven("no compact JWS")
    return Assertion(text, _object(parts[0]), _object(parts[1]))


def check_claims(
    assertion: Assertion, *, client_id: str, algs: Collection[str], audiences: Collection[str], jwks_uri: str | None,
    now: datetime,
) -> None:  # fmt: skip
    """Everything but the signature. Raises NotProven with the reason."""
    header, claims = assertion.header, assertion.claims
    if header.get("alg") not in algs:
        raise NotProven("an alg that the profile does not have")
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise NotProven("no kid")
    if str(header.get("typ", "JWT")).lower() not in {"jwt", "client-authentication+jwt"} or "crit" in header:
        raise NotProven("a header that is not understood")
    if "jku" in header and header["jku"] != jwks_uri:
        raise NotProven("a jku that is not the registered one")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise NotProven("iss and sub are not the client_id")
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in audiences:
        raise NotProven("an aud that is not this server")
    if not isinstance(claims.get("jti"), str) or not 0 < len(claims["jti"]) <= MAX_JTI:
        raise NotProven("no jti")
    _check_times(claims, now)


def _check_times(claims: dict[str, Any], now: datetime) -> None:
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if "exp" not in times or any(isinstance(at, bool) or not isinstance(at, int | float) for at in times.values()):
        raise NotProven("no exp, or a time that is no number")
    latest = (now + LIFE + SKEW).timestamp()
    if not now.timestamp() < times["exp"] <= latest:
        raise NotProven("expired, or an exp more than five minutes ahead")
    if any(times.get(name, 0) > (now + SKEW).timestamp() for name in ("nbf", "iat")):
        raise NotProven("not valid yet")


async def check_signature(assertion: Assertion, key: PublicKey) -> None:
    """In a thread: it takes as long as a dozen requests. Raises NotProven."""
    if key.alg not in {None, assertion.alg}:
        raise NotProven("a key for another alg")
    await asyncio.to_thread(_check_signature, assertion, key)


def _check_signature(assertion: Assertion, key: PublicKey) -> None:
    kind = RSAKey if key.kty == "RSA" else ECKey
    try:
        jws.deserialize_compact(assertion.text, kind.import_key(dict(key.jwk)), algorithms=[assertion.alg])
    except (JoseError, ValueError, TypeError) as error:
        raise NotProven(f"the signature is wrong ({type(error).__name__})") from error


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise NotProven("no JSON") from None
    if not isinstance(found, dict):
        raise NotProven("no object")
    # JSON can write what is no text: NUL, half a surrogate pair. The database takes neither.
    if not all(text.isprintable() for text in found.values() if isinstance(text, str)):
        raise NotProven("a text that cannot be shown")
    return found
