"""What cannot exchange a claim code, a hub of another product or a simple device: the patient copies its settings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from device_gateway.accounts.account import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.broker_address import PORTS, broker_authority, broker_of
from device_gateway.devices.claim_codes import make_claim_code
from device_gateway.devices.credentials import hash_password, new_password
from device_gateway.devices.holdings import DISCONNECT, NEW_JOB
from device_gateway.devices.models import KnownModel, known_model
from device_gateway.devices.pairing import certificate_request, redeem
from device_gateway.devices.topics import hub_topic, topic_of
from device_gateway.errors import NotFound, UnknownModel
from device_gateway.journal import Event, EventName, record
from device_gateway.settings import Settings

RENEW = "SELECT model, name FROM gateway.device_credential_renew(%s, %s)"


@dataclass(frozen=True)
class Access:
    """What is to be entered in the device; `setup` are its own settings. The password is shown once.

    topic  where it publishes readings; of a hub the base of its topics
    ca     PEM of the authority that it must trust, where that is one of our own
    """

    device: UUID
    known: KnownModel
    scheme: str
    host: str
    port: int
    password: str
    topic: str
    ca: str | None

    @property
    def is_hub(self) -> bool:
        return self.known.model.kind == "hub"

    @property
    def setup(self) -> Sequence[tuple[str, str]]:
        values = {
            "scheme": self.scheme, "host": self.host, "port": str(self.port), "id": str(self.device),
            "password": self.password, "base": self.topic,
        }  # fmt: skip
        return [(name, _filled(template, values)) for name, template in self.known.model.setup]

    @property
    def scanned(self) -> str:
        """The same for a set-up that reads a QR code: JSON."""
        values = {
            "host": self.host, "port": self.port, "tls": self.scheme == "mqtts", "username": str(self.device),
            "client_id": str(self.device), "password": self.password, "topic": self.topic,
        }  # fmt: skip
        return json.dumps(values, separators=(",", ":"))


async def provision(
    connection: AsyncConnection[Row],
    account: Account,
    space: UUID,
    settings: Settings,
    *,
    model: str,
    name: str,
    since: datetime,
) -> Access:
    """A device or hub that `space` holds from now on, in the patient's own hands.

    Raises UnknownModel, BadDeviceName, BadSince, NoBroker, or WantsCertificateRequest where a password is not enough.
    """
    known = known_model(model)
    if not known.stands_alone:
        raise UnknownModel
    certificate_request(settings, None, None)
    broker = broker_of(settings)
    async with space_scope(connection, space):
        code = await make_claim_code(connection, space, account, name, since, minutes=1)
        paired = await redeem(connection, code, model)
    return _access(paired.device, known, paired.password or "", broker, settings)


async def provision_again(
    connection: AsyncConnection[Row], account: Account, space: UUID, settings: Settings, device: UUID
) -> tuple[Access, str]:
    """A new password for a device that was reset, and its name: its history goes on, what it had before is dead and
    its connection ended. Raises NotFound, and as `provision`."""
    certificate_request(settings, None, None)
    broker, password = broker_of(settings), new_password()
    async with space_scope(connection, space):
        row = await (await connection.execute(RENEW, (device, hash_password(password)))).fetchone()
        if row is None:
            raise NotFound
        known = known_model(row.model)
        await connection.execute(NEW_JOB, (DISCONNECT, Jsonb({"device_id": str(device)})))
        event = Event(
            EventName.CREDENTIALS_RENEWED, space, account.actor,
            resource=f"Device/{device}", details={"device": row.name},
        )  # fmt: skip
        await record(connection, event)
    return _access(device, known, password, broker, settings), row.name


def _access(device: UUID, known: KnownModel, password: str, broker: str, settings: Settings) -> Access:
    parts = urlsplit(broker)
    hub = known.model.kind == "hub"
    return Access(
        device=device,
        known=known,
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        password=password,
        topic=hub_topic(device, known.dialect) if hub else topic_of(device, "readings"),
        ca=broker_authority(settings) if parts.scheme == "mqtts" else None,
    )


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template
