"""The secret of a confidential app: shown once to its vendor, kept as SHA-256."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from app_catalog.catalogue.apps import App, app_by_id, tested_app
from app_catalog.catalogue.status import Status
from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.oauth.profiles import PROFILES
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person

SECRET_BYTES = 32  # of entropy: guessing is hopeless, so a plain hash suffices and costs a request nothing
OVERLAP = timedelta(hours=24)  # in which the former secret works too: time to change it wherever the app runs
SET_SECRET = """UPDATE catalogue.app SET secret_hash = %(hash)s, secret_issued_at = %(now)s,
    former_secret_hash = %(former)s, former_secret_until = %(until)s
  WHERE id = %(app)s"""  # noqa: S105  SQL text


async def rotate_secret(
    connection: Connection,
    app_id: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    keep_former: timedelta = OVERLAP,
) -> str:
    """A new secret for an app in service, or for a candidate that is tried in a sandbox; the former one works
    for `keep_former` more. Only owners and developers of its vendor have it.

    Raises Unknown, NotAllowed, or WrongState for an app that is neither, or a public client.
    """
    async with connection.transaction():
        app = await app_by_id(connection, app_id)
        if app is None:
            raise Unknown
        await require(connection, app.vendor_id, person, *WRITERS)
        if app.status is Status.CANDIDATE:
            app = await tested_app(connection, app_id)
        if app is None or app.status is Status.DEREFERENCED or not PROFILES[app.profile].has_secret:
            raise WrongState("This app has no secret.")
        secret = await new_secret_of(connection, app, now, keep_former=keep_former)
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


async def new_secret_of(
    connection: Connection, app: App, now: datetime, *, keep_former: timedelta = timedelta()
) -> str:
    """A new secret for `app`, in the transaction of a caller who has made sure that it may have one."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    parameters = {
        "hash": hashlib.sha256(secret.encode()).digest(),
        "now": now,
        "former": app.secret_hash if keep_former else None,
        "until": now + keep_former if app.secret_hash is not None and keep_former else None,
        "app": app.id,
    }
    await connection.execute(SET_SECRET, parameters)
    return secret
