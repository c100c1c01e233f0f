"""A hub of another product cannot exchange a claim code: the patient copies into it what it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.accounts.account import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.broker_address import PORTS
from device_gateway.devices.claim_codes import make_claim_code
from device_gateway.devices.models import KnownModel, known_model
from device_gateway.devices.pairing import redeem
from device_gateway.devices.topics import hub_topic
from device_gateway.errors import UnknownModel


@dataclass(frozen=True)
class HubAccess:
    """What is to be entered in the product; `setup` are its own settings. The password is shown once."""

    hub: UUID
    known: KnownModel
    scheme: str
    host: str
    port: int
    password: str
    base: str

    @property
    def setup(self) -> Sequence[tuple[str, str]]:
        values = {
            "scheme": self.scheme, "host": self.host, "port": str(self.port), "id": str(self.hub),
            "password": self.password, "base": self.base,
        }  # fmt: skip
        return [(name, _filled(template, values)) for name, template in self.known.model.setup]


async def register_hub(
    connection: AsyncConnection[Row],
    account: Account,
    space: UUID,
    *,
    model: str,
    name: str,
    since: datetime,
    broker: str,
) -> HubAccess:
    """A hub that `space` holds from now on. Raises UnknownModel, BadDeviceName or BadSince.

    broker  ``mqtt(s)://host:port`` as devices reach it
    """
    known = known_model(model)
    if known.model.kind != "hub":
        raise UnknownModel
    async with space_scope(connection, space):
        code = await make_claim_code(connection, space, account, name, since, minutes=1)
        paired = await redeem(connection, code, model)
    parts = urlsplit(broker)
    return HubAccess(
        hub=paired.device,
        known=known,
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        password=paired.password or "",
        base=hub_topic(paired.device, known.dialect),
    )


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template
