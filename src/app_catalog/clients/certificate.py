"""The certificate with which a client connected (RFC 8705), as our server or the TLS proxy in front of it tells.

Our own server says it outside of the request (ASGI's TLS extension), where no client can write. A header proves
something only where nobody but the proxy can send it: it is read from the addresses that the operator names, and from
nobody else. The proxy has to remove what clients send under that name (RFC 9440 §3).
"""

import base64
import binascii
import hashlib
import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from starlette.requests import Request

from app_catalog.clients.credentials import SAN_DNS, SAN_EMAIL, SAN_URI, SUBJECT_DN

HEADER = "Client-Cert"  # RFC 9440 §2.2
MAX_HEADER = 16 * 1024  # characters; a chain belongs into Client-Cert-Chain, which nobody here reads

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Certificate:
    der: bytes

    @cached_property
    def x509(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @cached_property
    def thumbprint(self) -> bytes:
        """SHA-256 of the DER: ``x5t#S256`` before its BASE64URL."""
        return hashlib.sha256(self.der).digest()

    def is_valid(self, now: datetime) -> bool:
        return self.x509.not_valid_before_utc <= now <= self.x509.not_valid_after_utc

    def bears(self, kind: str, name: str) -> bool:
        """Whether the certificate has this name, of a kind of `credentials.NAMES`; compared as names, not as texts."""
        if kind == SUBJECT_DN:
            return self.x509.subject == x509.Name.from_rfc4514_string(name)
        try:
            names = self.x509.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        except (x509.ExtensionNotFound, ValueError):
            return False
        if not isinstance(names, x509.SubjectAlternativeName):
            return False
        if kind == SAN_DNS:
            return name.lower() in (dns.lower() for dns in names.get_values_for_type(x509.DNSName))
        if kind == SAN_URI:
            return name in names.get_values_for_type(x509.UniformResourceIdentifier)
        if kind == SAN_EMAIL:
            return name in names.get_values_for_type(x509.RFC822Name)
        return name in (str(ip) for ip in names.get_values_for_type(x509.IPAddress))


class BadCertificate(ValueError):
    """The proxy passed on something that is no certificate."""


@dataclass(frozen=True)
class CertificateHeader:
    """Where a certificate comes from: `header` of a request whose connection is from one of `proxies`; () is nobody.

    direct  whether the server that runs us asks clients for one by itself, and checks it
    """

    proxies: tuple[Network, ...] = ()
    header: str = HEADER
    direct: bool = False

    @property
    def is_used(self) -> bool:
        return bool(self.proxies) or self.direct

    def of(self, request: Request) -> Certificate | None:
        """The certificate of whoever sent `request`. Raises BadCertificate."""
        if self.direct and (pem := _shown(request)) is not None:
            return Certificate(ssl.PEM_cert_to_DER_cert(pem))
        if not self.proxies or request.client is None:
            return None
        values = request.headers.getlist(self.header)
        if not values or not values[0] or not self._is_proxy(request.client.host):
            return None
        if len(values) > 1 or len(values[0]) > MAX_HEADER:
            raise BadCertificate
        certificate = Certificate(_der(values[0]))
        try:
            certificate.x509  # noqa: B018  parsed now, so that nothing fails later
        except ValueError:
            raise BadCertificate from None
        return certificate

    def _is_proxy(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.proxies)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks (CIDR). Raises ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def _shown(request: Request) -> str | None:
    """The certificate of the connection (ASGI's TLS extension), as PEM."""
    chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    return next(iter(chain), None)


def _der(value: str) -> bytes:
    """From a byte sequence of RFC 9440 (``:…:``), or PEM in percent-encoding as nginx and others send it."""
    try:
        if value.startswith(":") and value.endswith(":"):
            return base64.b64decode(value[1:-1], validate=True)
        pem = unquote_to_bytes(value)
        begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
        if pem.count(begin) != 1 or not pem.startswith(begin) or not pem.strip().endswith(end):
            raise BadCertificate
        return base64.b64decode(b"".join(pem.strip()[len(begin) : -len(end)].split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadCertificate from None
