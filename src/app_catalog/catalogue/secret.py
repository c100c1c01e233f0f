"""The secret of a confidential app: shown once to its vendor, kept as SHA-256."""

import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from app_catalog.catalogue.apps import app_by_id
from app_catalog.catalogue.status import Status
from app_catalog.errors import NotAllowed, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.oauth.profiles import PROFILES
from app_catalog.vendors.vendor import vendors_of
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person

SECRET_BYTES = 32  # of entropy: guessing is hopeless, so a plain hash suffices and costs a request nothing
SET_SECRET = "UPDATE catalogue.app SET secret_hash = %s, secret_issued_at = %s WHERE id = %s"  # noqa: S105  SQL text


async def rotate_secret(
    connection: Connection, app_id: UUID, *, person: Person, journal: Journal, now: datetime
) -> str:
    """A new secret for an approved app; the former one ends at once. Only a member of its vendor may have it.

    Raises Unknown, NotAllowed, or WrongState for a candidate or a public client.
    """
    async with connection.transaction():
        app = await app_by_id(connection, app_id)
        if app is None:
            raise Unknown
        if app.vendor_id not in await vendors_of(connection, person.id):
            raise NotAllowed
        if app.status in {Status.CANDIDATE, Status.DEREFERENCED} or not PROFILES[app.profile].has_secret:
            raise WrongState("This app has no secret.")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        await connection.execute(SET_SECRET, (hashlib.sha256(secret.encode()).digest(), now, app_id))
        await journal.write(
            connection,
            CatalogueEvent(
                EventName.SECRET_ISSUED,
                None,
                person.kind,
                person.id,
                person.display_name,
                f"app/{app_id}",
                details={"app": app.name},
            ),
        )
    return secret
