"""By what a client is known: the part of its metadata (RFC 7591 §2, RFC 8705 §2.1.2) that is about authentication."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography import x509

from app_catalog.clients.authority import is_authority
from app_catalog.clients.fetch import fault_of_jwks_uri
from app_catalog.clients.keys import PublicKey, PublicKeys, UnusableKeys, read_keys
from app_catalog.errors import Fault, Unacceptable
from app_catalog.oauth.profiles import ASSERTION, TLS_NAME, TLS_SELF_SIGNED, Profile
from app_catalog.words import marked

SUBJECT_DN = "tls_client_auth_subject_dn"
SAN_DNS, SAN_URI, SAN_IP = "tls_client_auth_san_dns", "tls_client_auth_san_uri", "tls_client_auth_san_ip"
SAN_EMAIL = "tls_client_auth_san_email"
NAMES = (SUBJECT_DN, SAN_DNS, SAN_URI, SAN_IP, SAN_EMAIL)
METHOD, BOUND = "token_endpoint_auth_method", "tls_client_certificate_bound_access_tokens"
MAX_NAME = 500  # characters of a distinguished or alternative name


@dataclass(frozen=True)
class Credentials:
    """Exactly one of `jwks`, `jwks_uri` and `name` is there. `name` is (kind, text), its kind one of NAMES."""

    method: str
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    name: tuple[str, str] | None = None
    binds_tokens: bool = False

    @cached_property
    def inline_keys(self) -> PublicKeys | None:
        return read_keys(self.jwks) if self.jwks is not None else None

    @property
    def metadata(self) -> dict[str, Any]:
        """In the words of the RFCs, as it is stored and answered."""
        known = {"jwks": self.jwks, "jwks_uri": self.jwks_uri} | ({self.name[0]: self.name[1]} if self.name else {})
        return {METHOD: self.method, BOUND: self.binds_tokens} | {key: value for key, value in known.items() if value}


def stored_credentials(metadata: Mapping[str, Any] | None) -> Credentials | None:
    """What `Credentials.metadata` gave."""
    if metadata is None:
        return None
    name = next(((kind, metadata[kind]) for kind in NAMES if kind in metadata), None)
    return Credentials(metadata[METHOD], metadata.get("jwks"), metadata.get("jwks_uri"), name, metadata[BOUND])


def credentials_from(metadata: Mapping[str, Any], profile: Profile) -> Credentials:
    """What a vendor says about its client, checked. Raises Unacceptable with everything that has to change."""
    method, bound = metadata.get(METHOD), metadata.get(BOUND, False)
    jwks, jwks_uri = metadata.get("jwks"), metadata.get("jwks_uri")
    names = [(kind, metadata[kind]) for kind in NAMES if metadata.get(kind) is not None]
    if faults := list(_faults(method, bound, jwks, jwks_uri, names, profile)):
        raise Unacceptable(*faults)
    clean = read_keys(jwks).document if jwks is not None else None
    return Credentials(
        str(method), clean, jwks_uri, (names[0][0], names[0][1].strip()) if names else None, binds_tokens=bool(bound)
    )


def jwks_from_text(text: str) -> object:
    """A pasted JWK Set. Raises Unacceptable for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Unacceptable(Fault("/jwks", "This is no JSON.")) from None


def _faults(  # noqa: PLR0917  the metadata, one by one
    method: object, bound: object, jwks: object, jwks_uri: object, names: list[tuple[str, object]], profile: Profile
) -> Iterator[Fault]:
    if not isinstance(method, str) or method not in profile.auth_methods:
        yield Fault(f"/{METHOD}", "The profile of the app does not have this way to authenticate.")
        return
    if not isinstance(bound, bool):
        yield Fault(f"/{BOUND}", "This is either true or false.")
    if [jwks is not None, jwks_uri is not None, bool(names)].count(True) != 1 or len(names) > 1:
        yield Fault("/jwks", "Give exactly one of: keys, the URI of keys, the name in a certificate.")
        return
    if (method == TLS_NAME) != bool(names):
        yield Fault(f"/{METHOD}", "A name goes with tls_client_auth, keys with the other methods.")
    elif names:
        yield from _name(*names[0])
    elif jwks_uri is not None and (not isinstance(jwks_uri, str) or fault_of_jwks_uri(jwks_uri)):
        yield Fault("/jwks_uri", "Keys are published under an https URI, without user name or fragment.")
    elif jwks is not None:
        yield from _keys(jwks, method, profile)


def _keys(jwks: object, method: str, profile: Profile) -> Iterator[Fault]:
    try:
        keys = read_keys(jwks).keys
    except UnusableKeys as error:
        yield Fault("/jwks", str(error))
        return
    if len({(key.kid, key.kty) for key in keys}) < len(keys):
        yield Fault("/jwks", marked("Two keys of the same kind have the same kid."))
    if method == TLS_SELF_SIGNED:
        yield from _certificates(keys)
    if method == ASSERTION and any(key.alg is not None and key.alg not in profile.assertion_algs for key in keys):
        yield Fault("/jwks", marked("A key has an alg that the profile of the app does not use."))


def _certificates(keys: Iterable[PublicKey]) -> Iterator[Fault]:
    for key in keys:
        try:
            signs = is_authority(x509.load_der_x509_certificate(key.der))
        except ValueError:
            yield Fault("/jwks", marked("Each key of a self-signed certificate needs the certificate as x5c."))
            return
        if signs:
            yield Fault("/jwks", marked("A self-signed certificate may not sign others: make it with CA:FALSE."))
            return


def _name(kind: str, text: object) -> Iterator[Fault]:
    if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_NAME or not text.isprintable():
        yield Fault(f"/{kind}", "This is too long, or has characters that cannot be shown.")
    elif kind == SUBJECT_DN:
        try:
            x509.Name.from_rfc4514_string(text.strip())
        except ValueError:
            yield Fault(f"/{kind}", "This is not a distinguished name as RFC 4514 writes it.")
