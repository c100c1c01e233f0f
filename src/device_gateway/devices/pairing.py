"""Pairing: a claim code and a device become a holding."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import ExclusionViolation
from psycopg.types.json import Jsonb

from device_gateway.accounts.account import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import enter_space, space_scope
from device_gateway.devices.authority import Authority, Issued
from device_gateway.devices.certificates import WantsCertificateRequest, authority_of, issue
from device_gateway.devices.claim_codes import code_hash, make_claim_code
from device_gateway.devices.credentials import hash_password, new_password
from device_gateway.devices.holdings import DISCONNECT, NEW_JOB, holding_name
from device_gateway.devices.models import KnownModel, known_model
from device_gateway.devices.replacement import take_place
from device_gateway.errors import ClaimRefused, DeviceAlreadyClaimed, GatewayError
from device_gateway.journal import Actor, Event, EventName, record
from device_gateway.settings import Settings

REDEEM = "SELECT device_id, space_id FROM gateway.claim_redeem(%s, %s, %s, %s, %s, %s)"
SPACE_OF_CODE = "SELECT gateway.claim_space(%s)"
HELD_HUB = """SELECT d.kind FROM gateway.device d JOIN gateway.device_holding h ON h.device_id = d.id
  WHERE d.id = %s AND upper_inf(h.during) AND d.kind IN ('hub', 'edge')"""

KNOWN_BEFORE = "SELECT FROM gateway.device WHERE id = %s AND parent_id IS NULL AND created_at < now()"

BLUETOOTH_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
BARE_ADDRESS = re.compile(r"[0-9A-F]{12}")
SERIAL_NUMBER = re.compile(r"[A-Za-z0-9._:/+-]{1,64}")
MACOS_IDENTIFIER = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


class BadHardwareId(GatewayError):
    """A Bluetooth address looks like AA:BB:CC:DD:EE:FF; a serial number has up to 64 letters, digits and . _ : / + -"""

    http_status = 422


class NeedsCarrier(GatewayError):
    """This model cannot connect by itself: claim it from the hub or edge that carries it, with its hardware id."""

    http_status = 422


class CannotBeCarried(GatewayError):
    """A hub or an edge connects by itself: claim it without another one's credentials."""

    http_status = 422


class UnknownHub(GatewayError):
    """None of your hubs has this name."""

    http_status = 404


@dataclass(frozen=True)
class Paired:
    """password     what the device signs in to the broker with; None for one that a hub or an edge carries
    certificate  what it shows the broker, where that asks for one
    """

    device: UUID
    space: UUID
    known: KnownModel
    parent: UUID | None
    password: str | None
    certificate: Issued | None = None


@dataclass(frozen=True)
class CertificateRequest:
    """PKCS #10 in PEM, and who is to sign it."""

    pem: str
    authority: Authority


async def redeem(  # noqa: PLR0917  # what a claim says
    connection: AsyncConnection[Row],
    code: str,
    model: str,
    hardware_id: str | None = None,
    parent: UUID | None = None,
    request: CertificateRequest | None = None,
) -> Paired:
    """The device that now belongs to the code's space, in one transaction with its journal row.

    parent  hub or edge that carries the device, already identified by its credentials.
    Of one that its holder pairs again, what it signed in with before is dead, and its connections are ended.
    Raises UnknownModel, BadHardwareId, NeedsCarrier, CannotBeCarried, ClaimRefused (the code), WantsEdge,
    DeviceAlreadyClaimed or BadCertificateRequest.
    """
    known = known_model(model)
    if parent and known.model.kind != "device":
        raise CannotBeCarried
    if not parent and not known.stands_alone:
        raise NeedsCarrier
    if hardware_id:
        hardware_id = hardware_identity(known, hardware_id)
    elif parent:
        raise BadHardwareId("What a hub or an edge carries is told apart by its hardware id: send it.")
    password = None if parent else new_password()
    digest = code_hash(code)
    try:
        async with connection.transaction():
            device, space = await _redeem(connection, digest, known, parent, hardware_id, password)
            await take_place(connection, digest, space, device, known)
            await _end_former_connections(connection, device)
            certificate = await _certificate(connection, device, request)
            await record(connection, await _claimed(connection, space, device, known))
    except ExclusionViolation as error:
        await _tell_refusal(connection, digest, known)
        raise DeviceAlreadyClaimed from error
    return Paired(device, space, known, parent, password, certificate)


def certificate_request(settings: Settings, csr: str | None, parent: UUID | None) -> CertificateRequest | None:
    """What a claim with `csr` asks to be signed; None where the broker asks for no certificate.

    Raises WantsCertificateRequest when there is none, and the broker would not let the device in without it.
    """
    authority = None if parent else authority_of(settings)
    if authority is None:
        return None
    if csr is None:
        if settings.mqtt_certificate_url == (settings.mqtt_public_url or settings.mqtt_url):
            raise WantsCertificateRequest
        return None
    return CertificateRequest(csr, authority)


async def attach(
    connection: AsyncConnection[Row],
    account: Account,
    space: UUID,
    *,
    hub: UUID,
    model: str,
    hardware_id: str,
    name: str,
    since: datetime,
) -> UUID:
    """A device that a hub of the same space carries, made known by the patient; its id.

    Raises as `redeem`, and UnknownHub, BadDeviceName, BadSince.
    """
    known = known_model(model)
    if known.model.kind != "device":
        raise CannotBeCarried
    hardware_id = hardware_identity(known, hardware_id)
    try:
        async with space_scope(connection, space):
            if await (await connection.execute(HELD_HUB, (hub,))).fetchone() is None:
                raise UnknownHub
            code = await make_claim_code(connection, space, account, name, since, minutes=1)
            device, _ = await _redeem(connection, code_hash(code), known, hub, hardware_id, None)
            await record(connection, await _claimed(connection, space, device, known, account.actor))
    except ExclusionViolation as error:
        raise DeviceAlreadyClaimed from error
    return device


def hardware_identity(known: KnownModel, text: str) -> str:
    """The one spelling of a hardware id, so that the same thing is never two devices. Raises BadHardwareId.

    Bluetooth addresses are upper case with colons (macOS gives a UUID in their place); serial numbers stay as they are.
    """
    text = text.strip()
    upper = text.upper().replace("-", ":") if len(text) == 17 else text.upper()  # AA-BB-CC-DD-EE-FF
    if BARE_ADDRESS.fullmatch(upper) and not known.stands_alone:
        upper = ":".join(upper[i : i + 2] for i in range(0, 12, 2))
    if BLUETOOTH_ADDRESS.fullmatch(upper) or MACOS_IDENTIFIER.fullmatch(upper):
        return upper
    if known.transport == "ble" or not SERIAL_NUMBER.fullmatch(text):
        raise BadHardwareId
    return text


async def _redeem(  # noqa: PLR0917  # the arguments of the query
    connection: AsyncConnection[Row],
    digest: bytes,
    known: KnownModel,
    parent: UUID | None,
    hardware_id: str | None,
    password: str | None,
) -> tuple[UUID, UUID]:
    credential = hash_password(password) if password else None
    row = await (
        await connection.execute(REDEEM, (digest, known.model.key, known.model.kind, parent, hardware_id, credential))
    ).fetchone()
    if row is None:
        raise ClaimRefused
    await enter_space(connection, row.space_id)
    return row.device_id, row.space_id


async def _end_former_connections(connection: AsyncConnection[Row], device: UUID) -> None:
    if await (await connection.execute(KNOWN_BEFORE, (device,))).fetchone() is not None:
        await connection.execute(NEW_JOB, (DISCONNECT, Jsonb({"device_id": str(device)})))


async def _certificate(
    connection: AsyncConnection[Row], device: UUID, request: CertificateRequest | None
) -> Issued | None:
    if request is None:
        return None
    return await issue(connection, request.authority, device, request.pem, datetime.now(UTC))


async def _tell_refusal(connection: AsyncConnection[Row], digest: bytes, known: KnownModel) -> None:
    """The patient whose code it was reads in the journal why nothing came of it. The code stays valid."""
    row = await (await connection.execute(SPACE_OF_CODE, (digest,))).fetchone()
    if row is not None and row[0] is not None:
        async with space_scope(connection, row[0]):
            await record(
                connection,
                Event(
                    EventName.DEVICE_CLAIMED, row[0], Actor("device", None, known.model.name),
                    outcome="deny", reason="held by someone else", details={"model": known.model.key},
                ),
            )  # fmt: skip


async def _claimed(
    connection: AsyncConnection[Row], space: UUID, device: UUID, known: KnownModel, actor: Actor | None = None
) -> Event:
    return Event(
        EventName.DEVICE_CLAIMED,
        space,
        actor or Actor("device", str(device), known.model.name),
        resource=f"Device/{device}",
        details={"model": known.model.key, "device": await holding_name(connection, device) or ""},
    )
