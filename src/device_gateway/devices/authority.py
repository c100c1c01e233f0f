"""A certificate authority of one installation: it signs the broker's certificate and those of its devices.

A directory with ``ca.pem`` and ``ca.key``. What it signs says by its extended key usage which side it may speak for, so
no device can pass for the broker. Keys are P-256 (RFC 5480): the smallest microcontrollers verify it.
"""

import ipaddress
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from device_gateway.errors import BadSetting, GatewayError

CA_FILE, KEY_FILE = "ca.pem", "ca.key"
AUTHORITY_LIFE = timedelta(days=20 * 365)  # longer than a device is in use: it learns the authority once, at its claim
SERVER_LIFE = timedelta(days=90)
DEVICE_LIFE = timedelta(days=365)
RENEWED_AT = 2 / 3  # of its life: the last third is for a broker or a device that was switched off
SKEW: Final = timedelta(hours=1)  # certificates begin so much earlier: clocks of devices are not exact
RSA_BITS = range(2048, 4097)
CURVES = ("secp256r1", "secp384r1", "secp521r1")

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class BadCertificateRequest(GatewayError):
    """The certificate request is PKCS #10 in PEM, signed with its own key: P-256 or a longer curve, Ed25519 or RSA."""

    http_status = 422


class NoCertificateOfOurs(GatewayError):
    """This certificate is not one that this gateway signed, or its time is over."""

    http_status = 401


@dataclass(frozen=True)
class Issued:
    """A certificate in PEM, its serial number in hexadecimal digits, and when it ends."""

    pem: str
    serial: str
    until: datetime


class Authority:
    """The one in `directory`, made there at the first use. Raises BadSetting when it cannot be read or made."""

    def __init__(self, directory: Path) -> None:
        self.ca_file = directory / CA_FILE
        if not self.ca_file.exists():
            _make(directory)
        try:
            self.certificate = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            key = load_pem_private_key((directory / KEY_FILE).read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BadSetting(f"DEVICE_GATEWAY_AUTHORITY: {directory} cannot be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BadSetting(f"DEVICE_GATEWAY_AUTHORITY: {directory / KEY_FILE} is no key of an elliptic curve")
        self._key = key

    @property
    def pem(self) -> str:
        """What a device must know to trust the broker."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign_request(self, request: str, device: UUID, now: datetime) -> Issued:
        """A certificate for `device` and the key of the request; the names in the request do not matter.

        Raises BadCertificateRequest.
        """
        try:
            wanted = x509.load_pem_x509_csr(request.encode())
            fits = wanted.is_signature_valid and _strong(wanted.public_key())
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BadCertificateRequest from error
        if not fits:
            raise BadCertificateRequest
        return self.sign_client(wanted.public_key(), str(device), now)

    def sign_client(self, key: object, name: str, now: datetime, life: timedelta = DEVICE_LIFE) -> Issued:
        """A certificate with which the owner of the public `key` is `name` to the broker."""
        return self._sign(key, name, ExtendedKeyUsageOID.CLIENT_AUTH, [], now, life)

    def sign_server(self, key: object, names: Sequence[str], now: datetime, life: timedelta = SERVER_LIFE) -> Issued:
        """A certificate for the broker, which clients reach under `names`: host names and IP addresses."""
        return self._sign(key, names[0], ExtendedKeyUsageOID.SERVER_AUTH, [_name(name) for name in names], now, life)

    def verified(self, pem: str, now: datetime) -> x509.Certificate:
        """A client's certificate that we signed and that is valid at `now`. Raises NoCertificateOfOurs."""
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise NoCertificateOfOurs from error
        if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc or not _is_client(certificate):
            raise NoCertificateOfOurs
        return certificate

    def revocations(self, serials: Sequence[tuple[str, datetime]], now: datetime) -> bytes:
        """A list (CRL, RFC 5280 §5) of `serials` that ended at those moments, in PEM, for brokers that read one."""
        made = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        made = made.last_update(now - SKEW).next_update(now + SERVER_LIFE)
        for serial, ended in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(ended)
            made = made.add_revoked_certificate(revoked.build())
        return made.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def _sign(  # noqa: PLR0917  # the parts of a certificate
        self,
        key: object,
        name: str,
        usage: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName],
        now: datetime,
        life: timedelta,
    ) -> Issued:
        assert isinstance(key, PublicKey)  # noqa: S101  # `_strong` said so, or we made it
        until = min(now + life, self.certificate.not_valid_after_utc).replace(microsecond=0)
        made = (
            x509.CertificateBuilder()
            .subject_name(_called(name))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = made.sign(self._key, SHA256())
        return Issued(signed.public_bytes(Encoding.PEM).decode(), serial_of(signed), until)


def serial_of(certificate: x509.Certificate) -> str:
    """As the registry has it."""
    return f"{certificate.serial_number:x}"


def common_name(certificate: x509.Certificate) -> str:
    """Who its owner is to the broker; empty for a certificate that does not say so."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether it is time for the next one."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= begin + (end - begin) * RENEWED_AT


def check_signature(key: object, signature: bytes, data: bytes) -> bool:
    """Whether the owner of the public `key` signed `data`: with SHA-256, for RSA PKCS #1 v1.5."""
    with suppress(InvalidSignature):
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, data, ec.ECDSA(SHA256()))
            case rsa.RSAPublicKey():
                key.verify(signature, data, padding.PKCS1v15(), SHA256())
            case ed25519.Ed25519PublicKey():
                key.verify(signature, data)
            case _:
                return False
        return True
    return False


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _make(directory: Path) -> None:
    """Whole or not at all, and by one of several processes that start together: whoever links the key first."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _link(directory / KEY_FILE, private_pem(key))
        key = _key_in(directory / KEY_FILE)
        name = _called(f"Device Gateway {secrets.token_hex(4)}")
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        _link(directory / CA_FILE, certificate.public_bytes(Encoding.PEM))
    except OSError as error:
        raise BadSetting(f"DEVICE_GATEWAY_AUTHORITY: {directory} cannot be made: {error}") from error


def _key_in(path: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101  # written by `_make`
    return key


def _link(path: Path, content: bytes) -> None:
    """A file of mode 0600 that is there whole; the first one stays."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _strong(key: object) -> bool:
    match key:
        case ec.EllipticCurvePublicKey():
            return key.curve.name in CURVES
        case rsa.RSAPublicKey():
            return key.key_size in RSA_BITS
        case _:
            return isinstance(key, ed25519.Ed25519PublicKey)


def _is_client(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage
