"""What a client's maker has: keys that sign, and certificates for TLS."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from catalogue_host import ISSUER
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Signer:
    """A private key; `assertion` and `form` are what its client sends."""

    alg: str = "ES384"
    kid: str = field(default_factory=lambda: str(uuid4()))

    def __post_init__(self) -> None:
        if self.alg.startswith("ES"):
            self.key: Any = ECKey.generate_key({"ES256": "P-256", "ES384": "P-384"}[self.alg], {"kid": self.kid})
        else:
            self.key = RSAKey.generate_key(2048, {"kid": self.kid})

    @property
    def public(self) -> dict[str, Any]:
        return dict(self.key.as_dict(private=False)) | {"kid": self.kid}

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.public]}

    @property
    def metadata(self) -> dict[str, Any]:
        return {"token_endpoint_auth_method": "private_key_jwt", "jwks": self.jwks}

    def assertion(self, client_id: str, /, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A good assertion but for what `header` and `claims` change; None leaves one out."""
        now = int(datetime.now(UTC).timestamp())
        body = {"iss": client_id, "sub": client_id, "aud": f"{ISSUER}/oauth/token", "iat": now, "exp": now + 240,
                "jti": str(uuid4())} | claims  # fmt: skip
        head = {"alg": self.alg, "kid": self.kid, "typ": "JWT"} | dict(header or {})
        return sign(head, body, self.key)

    def form(self, client_id: str, /, header: Mapping[str, Any] | None = None, **claims: Any) -> dict[str, str]:
        return {"client_assertion_type": TYPE, "client_assertion": self.assertion(client_id, header, **claims)}


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Any) -> str:
    import json

    head = {name: value for name, value in header.items() if value is not None}
    body = {name: value for name, value in claims.items() if value is not None}
    alg = str(head["alg"])
    return jws.serialize_compact(head, json.dumps(body).encode(), key, algorithms=[alg])


@dataclass(frozen=True)
class Certified:
    """A certificate that signs itself, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def header(self) -> str:
        """As RFC 9440 writes it."""
        return f":{base64.b64encode(self.der).decode()}:"

    @property
    def jwks(self) -> dict[str, Any]:
        key = ECKey.import_key(self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))  # fmt: skip
        return {"keys": [key.as_dict(private=False) | {"kid": "tls", "x5c": [base64.b64encode(self.der).decode()]}]}


def certified(
    subject: str = "CN=app.example,O=Acme\\, Inc.,C=DE", days: int = 398, *, signs_others: bool = False, **names: str
) -> Certified:
    """`names` are alternative names: dns, uri, email or ip."""
    key = ec.generate_private_key(ec.SECP256R1())
    kinds: dict[str, Any] = {
        "dns": x509.DNSName, "uri": x509.UniformResourceIdentifier, "email": x509.RFC822Name,
        "ip": lambda text: x509.IPAddress(ipaddress.ip_address(text)),
    }  # fmt: skip
    now, name = datetime.now(UTC), x509.Name.from_rfc4514_string(subject)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=days))
    )  # fmt: skip
    if signs_others:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names:
        entries = [kinds[kind](text) for kind, text in names.items()]
        builder = builder.add_extension(x509.SubjectAlternativeName(entries), critical=False)
    return Certified(builder.sign(key, hashes.SHA256()), key)
