"""A client as a token that it presents shows it: who it is, and the secret that it is known by."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app_catalog.catalogue.status import EFFECTS, Effect, Status
from app_catalog.wiring import Row


@dataclass(frozen=True)
class RegisteredClient:
    """What of an `App` answers a program. `secret_hash` is None for a client that has no secret."""

    id: UUID
    client_id: str
    status: Status
    profile: str
    secret_hash: bytes | None
    former_secret_hash: bytes | None
    former_secret_until: datetime | None

    @property
    def effect(self) -> Effect:
        return EFFECTS[self.status]


def registered_client(row: Row, client_id: str) -> RegisteredClient | None:
    """The client of a row with the secrets of one, if it is `client_id` and the token a real patient's.

    None as well where the row does not say enough: what is tried in a sandbox is described by another application.
    """
    if row is None or row.client_id != client_id or row.in_sandbox:
        return None
    return RegisteredClient(
        id=row.app_id,
        client_id=row.client_id,
        status=Status(row.app_status),
        profile=row.profile,
        secret_hash=row.secret_hash,
        former_secret_hash=row.former_secret_hash,
        former_secret_until=row.former_secret_until,
    )
