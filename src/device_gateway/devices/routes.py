"""``POST /api/devices/claim``: a device, hub or edge exchanges a claim code for its place in the registry.

``POST /api/devices/restore``: an edge on a new host asks what it carries.
``POST /api/devices/certificate``: who has the key of a device's certificate asks for the next one.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Request
from psycopg import AsyncConnection
from starlette.responses import JSONResponse, Response

from device_gateway.database.pool import Row
from device_gateway.devices import guesses
from device_gateway.devices.authority import Issued, NoCertificateOfOurs
from device_gateway.devices.bond_box import gateway_key, gateway_public_key
from device_gateway.devices.bonds import hand_on
from device_gateway.devices.broker_address import PORTS, broker_authority, broker_of
from device_gateway.devices.carrier import BadCarrierCredentials, carrier_of
from device_gateway.devices.certificates import authority_of, renew
from device_gateway.devices.models import EDGE
from device_gateway.devices.pairing import Paired, certificate_request, redeem
from device_gateway.devices.topics import DEVICE_SENDS, HUB_SENDS, RECEIVED, hub_topic, topic_of
from device_gateway.errors import ClaimRefused, DeviceAlreadyClaimed, GatewayError
from device_gateway.journal import Actor, Event, EventName, record
from device_gateway.settings import Settings
from device_gateway.state import pool_of, settings_of

MAX_BODY = 8192  # bytes: a certificate request with a long RSA key is 2 kB, the rest is short
NOT_STORED = {"Cache-Control": "no-store"}

router = APIRouter(prefix="/api/devices", tags=["devices"])


class ClaimRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a claim. `hardware_id`: Bluetooth address or serial number, needed for what a hub or an edge carries.

    csr  certificate request, PKCS #10 in PEM; without effect where the broker asks for no certificate
    """

    claim_code: str
    model: str
    hardware_id: str | None = None
    csr: str | None = None


class RenewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a renewal: a new request, the certificate so far, both PEM, and that one's signature of the request."""

    csr: str
    certificate: str
    proof: str


class RestoreRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a restore. `key`: an X25519 public key of the edge, base64; bonds are sealed for it."""

    key: str


class BadRestore(GatewayError):
    """The body is JSON: {"key": an X25519 public key, 32 octets in base64}."""


class BadRenewal(GatewayError):
    """The body is JSON: {"csr": PEM, "certificate": PEM, "proof": signature of the request's DER, in base64}."""


class BadClaim(GatewayError):
    """The body is JSON: {"claim_code": "ABCD-EFGH", "model": "…", "hardware_id": "…" or absent}."""


OPENAPI = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["claim_code", "model"],
                    "additionalProperties": False,
                    "properties": {
                        "claim_code": {"type": "string", "examples": ["7K3M-Q9TX"]},
                        "model": {"type": "string"},
                        "hardware_id": {"type": ["string", "null"], "examples": ["C0:FF:EE:12:34:56"]},
                        "csr": {"type": ["string", "null"], "description": "PKCS #10 in PEM"},
                    },
                }
            }
        },
    }
}


@router.post(
    "/claim", status_code=201, summary="Exchange a claim code for credentials and topics", openapi_extra=OPENAPI
)
async def claim(request: Request) -> Response:
    """A device, hub or edge that the patient's claim code ties to the patient's space.

    With HTTP Basic (id and MQTT password of a hub or an edge), the new device is one that it carries: it gets no
    credentials of its own, and the topics are its carrier's.
    """
    settings = settings_of(request)
    broker = broker_of(settings)
    wanted = await _body(request)
    address = guesses.network_of(request.client.host if request.client else None)
    async with pool_of(request).connection() as connection:
        await guesses.take(connection, address)
        try:
            parent = await carrier_of(connection, request)
            signing = certificate_request(settings, wanted.csr, parent)
            paired = await redeem(connection, wanted.claim_code, wanted.model, wanted.hardware_id, parent, signing)
        except (ClaimRefused, BadCarrierCredentials) as error:
            await _tell_guess(connection, error)
            raise
        except DeviceAlreadyClaimed:
            raise  # counts as a guess: it tells that somebody holds this device
        except GatewayError:
            await guesses.give_back(connection, address)
            raise
        await guesses.give_back(connection, address)
    answer = _answer(paired, broker, settings)
    if (paired.known.model.kind == EDGE.kind or parent) and (key := gateway_public_key(settings)):
        answer["bond_key"] = key
    return JSONResponse(answer, 201, headers=NOT_STORED)


@router.post("/restore", summary="What an edge carries, with the bonds that are kept")
async def restore(request: Request) -> Response:
    """For an edge on a new host, with HTTP Basic (its id and MQTT password): its devices, and their bonds, sealed for
    the key that it sends. Repeating it is harmless."""
    settings = settings_of(request)
    try:
        wanted = msgspec.json.decode(await _octets(request, BadRestore), type=RestoreRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRestore from error
    address = guesses.network_of(request.client.host if request.client else None)
    async with pool_of(request).connection() as connection:
        await guesses.take(connection, address)
        edge = await carrier_of(connection, request)
        if edge is None:
            raise BadCarrierCredentials
        try:
            devices = await hand_on(connection, edge, gateway_key(settings), wanted.key)
        except ValueError as error:
            raise BadRestore from error
        finally:
            await guesses.give_back(connection, address)
    answer: dict[str, Any] = {"devices": devices}  # Any: a JSON object
    if key := gateway_public_key(settings):
        answer["bond_key"] = key
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=NOT_STORED)


@router.post("/certificate", summary="The next certificate, for who has the key of the last one")
async def next_certificate(request: Request) -> Response:
    """Before it ends: nothing else than the certificate signs this request. The old one stays good until it ends, or
    until the one after the next; so a lost answer can be asked for again."""
    settings = settings_of(request)
    try:
        wanted = msgspec.json.decode(await _octets(request, BadRenewal), type=RenewRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRenewal from error
    authority = authority_of(settings)
    if authority is None:
        raise NoCertificateOfOurs
    address = guesses.network_of(request.client.host if request.client else None)
    async with pool_of(request).connection() as connection:
        await guesses.take(connection, address)
        issued = await renew(connection, authority, wanted.certificate, wanted.csr, wanted.proof, datetime.now(UTC))
        await guesses.give_back(connection, address)
    return JSONResponse(_certificate(issued), headers=NOT_STORED)


async def _octets(request: Request, too_many: type[GatewayError]) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise too_many
    return bytes(body)


async def _body(request: Request) -> ClaimRequest:
    body = await _octets(request, BadClaim)
    try:
        wanted = msgspec.json.decode(body, type=ClaimRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadClaim(f"{BadClaim.__doc__} {error}") from error
    if any("\0" in (text or "") for text in (wanted.claim_code, wanted.model, wanted.hardware_id, wanted.csr)):
        raise BadClaim
    return wanted


def _certificate(issued: Issued) -> dict[str, Any]:  # Any: a JSON object
    return {"certificate": issued.pem, "certificate_until": issued.until.isoformat()}


def _answer(paired: Paired, broker: str, settings: Settings) -> dict[str, Any]:  # Any: a JSON object
    sender = paired.parent or paired.device
    hub = paired.known.model.kind == "hub"
    sends = [kind for kind in HUB_SENDS if "#" not in kind] if hub else DEVICE_SENDS
    topics = {kind: topic_of(sender, kind) for kind in (*sends, *RECEIVED)}
    if hub:
        topics["base"] = hub_topic(sender, paired.known.dialect)
    parts = urlsplit(settings.mqtt_certificate_url if paired.certificate else broker)
    authority = broker_authority(settings)
    more = _certificate(paired.certificate) if paired.certificate else {}
    if authority and parts.scheme == "mqtts":
        more["ca"] = authority
    return {
        "device_id": str(paired.device),
        "model": paired.known.model.key,
        "parent_id": str(paired.parent) if paired.parent else None,
        "mqtt": {
            "host": parts.hostname,
            "port": parts.port or PORTS[parts.scheme],
            "tls": parts.scheme == "mqtts",
            "username": str(paired.device),
            "password": paired.password,
            "client_id": str(paired.device),
            **more,
        }
        if paired.password
        else None,
        "topics": topics,
    }


async def _tell_guess(connection: AsyncConnection[Row], error: GatewayError) -> None:
    """A wrong code belongs to nobody: the operators' journal has it, without the code."""
    await record(
        connection,
        Event(EventName.DEVICE_CLAIMED, None, Actor("device"), outcome="deny", reason=type(error).__name__),
    )
