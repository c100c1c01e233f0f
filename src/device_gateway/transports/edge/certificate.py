"""The certificate with which an edge signs in at the broker. Its key is made here and never leaves this host."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from device_gateway.broker.keys import write_private
from device_gateway.devices.authority import is_due, private_pem
from device_gateway.devices.claim_client import renew_certificate
from device_gateway.errors import GatewayError
from device_gateway.transports.edge.state import configure, edge_directory

FILE = "certificate.pem"  # the key, then the certificate
CA_FILE = "broker-ca.pem"
LOOK_EVERY_S = 3600.0  # a third of the certificate's life is left when the first try is made

_log = structlog.get_logger(__name__)


class Request:
    """A new key, and the request for a certificate of it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        unnamed = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        self._request = unnamed.sign(self._key, SHA256())

    @property
    def pem(self) -> str:
        return self._request.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self._request.public_bytes(Encoding.DER)

    def keep(self, data_dir: Path, certificate: str) -> Path:
        """What was signed, with its key, in the place of the one before; its file."""
        file = edge_directory(data_dir) / FILE
        write_private(file, private_pem(self._key) + certificate.encode())
        return file


def configure_claimed(data_dir: Path, gateway: str, answer: Mapping[str, Any], request: Request) -> None:
    """Tells an edge who it is: its pairing `answer`, which may hold what `request` asked for. Any: a JSON object."""
    mqtt = answer["mqtt"]
    certificate, ca = mqtt.get("certificate"), mqtt.get("ca")
    edge_directory(data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    if ca is not None:
        write_private(edge_directory(data_dir) / CA_FILE, ca.encode())
    configure(
        data_dir,
        edge_id=answer["device_id"],
        mqtt_url=f"{'mqtts' if mqtt['tls'] else 'mqtt'}://{mqtt['host']}:{mqtt['port']}",
        username=mqtt["username"],
        password=mqtt["password"],
        topic_prefix=answer["topics"]["readings"].rpartition("/")[0],
        ca=edge_directory(data_dir) / CA_FILE if ca else None,
        bond_key=answer.get("bond_key"),
        certificate=request.keep(data_dir, certificate) if certificate else None,
        gateway=gateway,
    )


def renew_if_due(data_dir: Path, gateway: str, now: datetime | None = None) -> bool:
    """Whether there is a new certificate. Raises GatewayError when the gateway does not give one."""
    file = edge_directory(data_dir) / FILE
    held = file.read_bytes()
    certificate = x509.load_pem_x509_certificate(held)
    if not is_due(certificate, now or datetime.now(UTC)):
        return False
    key = load_pem_private_key(held, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101  # made by `Request`
    request = Request()
    proof = b64encode(key.sign(request.der, ec.ECDSA(SHA256()))).decode()
    answer = renew_certificate(gateway, request.pem, certificate.public_bytes(Encoding.PEM).decode(), proof)
    request.keep(data_dir, answer["certificate"])
    return True


async def keep_certificate(data_dir: Path, gateway: str | None) -> None:
    """Until cancelled: renews the certificate before it ends. The next connection shows it."""
    while gateway and (edge_directory(data_dir) / FILE).exists():
        try:
            if await asyncio.to_thread(renew_if_due, data_dir, gateway):
                _log.info("edge.certificate_renewed")
        except GatewayError as error:
            _log.warning("edge.certificate_not_renewed", why=error.message)
        await asyncio.sleep(LOOK_EVERY_S)
    await asyncio.Event().wait()
