"""Certificates of devices in the registry: issued at the claim, renewed by whoever has the key of the last one.

A device proves that it has that key by a signature over its new request. So neither a password nor a copy of the
certificate is enough to get another one, and a renewal needs no broker.
"""

from base64 import b64decode
from datetime import datetime
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from psycopg import AsyncConnection, Connection

from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.authority import (
    Authority,
    BadCertificateRequest,
    Issued,
    NoCertificateOfOurs,
    check_signature,
    common_name,
    serial_of,
)
from device_gateway.errors import GatewayError
from device_gateway.journal import Actor, Event, EventName, record
from device_gateway.settings import Settings

KEPT_DAYS = 30  # of a certificate that has ended: for whoever asks why a device was refused

ADD = "SELECT gateway.device_certificate_add(%s, %s, %s)"
RENEW = "SELECT gateway.device_certificate_renew(%s, %s, %s, %s)"
FORGET = "DELETE FROM gateway.device_certificate WHERE until < now() - make_interval(days => %s)"
NAME = """SELECT h.name, d.model FROM gateway.device d JOIN gateway.device_holding h ON h.device_id = d.id
  WHERE d.id = %s AND upper_inf(h.during)"""


class WantsCertificateRequest(GatewayError):
    """This gateway's broker lets in only who shows a certificate: send a certificate request (csr) with the claim."""

    http_status = 422


def authority_of(settings: Settings) -> Authority | None:
    """Who signs certificates of devices; None where the broker asks for none."""
    if not settings.mqtt_certificate_url:
        return None
    return Authority(Path(settings.required("authority")))


async def issue(
    connection: AsyncConnection[Row], authority: Authority, device: UUID, request: str, now: datetime
) -> Issued:
    """The first certificate of a device just claimed, in that transaction and space. Raises BadCertificateRequest."""
    issued = authority.sign_request(request, device, now)
    await connection.execute(ADD, (device, issued.serial, issued.until))
    return issued


async def renew(  # noqa: PLR0917  # what a request for renewal says
    connection: AsyncConnection[Row], authority: Authority, old: str, request: str, proof: str, now: datetime
) -> Issued:
    """The next certificate for the owner of `old` (PEM).

    proof  base64: signature of the request (DER) with the key of `old`
    Raises NoCertificateOfOurs, also for one that was revoked, or BadCertificateRequest.
    """
    certificate = authority.verified(old, now)
    try:
        device, wanted = UUID(common_name(certificate)), x509.load_pem_x509_csr(request.encode())
        signature = b64decode(proof, validate=True)
    except ValueError as error:
        raise BadCertificateRequest from error
    if not check_signature(certificate.public_key(), signature, wanted.public_bytes(Encoding.DER)):
        raise NoCertificateOfOurs
    issued = authority.sign_request(request, device, now)
    async with connection.transaction():
        row = await (
            await connection.execute(RENEW, (device, serial_of(certificate), issued.serial, issued.until))
        ).fetchone()
        if row is None or row[0] is None:
            raise NoCertificateOfOurs
        async with space_scope(connection, row[0]):
            held = await (await connection.execute(NAME, (device,))).fetchone()
            name, model = (held.name, held.model) if held else ("", "")
            details = {"device": name, "model": model}
            actor, resource = Actor("device", str(device), name), f"Device/{device}"
            await record(
                connection, Event(EventName.CERTIFICATE_RENEWED, row[0], actor, resource=resource, details=details)
            )
    return issued


def expire(connection: Connection[Row]) -> None:
    """Forget what ended long ago. `connection` has the role gateway_ingest."""
    connection.execute(FORGET, (KEPT_DAYS,))
