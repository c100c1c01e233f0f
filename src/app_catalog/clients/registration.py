"""What a vendor says about its client: by which keys it is known, and tokens to register it by a program.

Nothing that was reviewed is changed here: name, purposes, profile and redirect URIs are the application's.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.change import add_step
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.clients.credentials import Credentials
from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.oauth.profiles import PROFILES
from app_catalog.oauth.secret_text import new_secret, sha256
from app_catalog.vendors.role import WRITERS, Role, require
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Mail, Person

KEYS_CHANGED = Letter(
    "{app} : clés ou certificat changés",
    "{app}: keys or certificate changed",
    "{reason} a changé, dans votre compte, les clés ou le certificat par lesquels {app} se fait connaître.\n\n"
    "Si personne chez vous n’a voulu cela, remettez les anciens aussitôt et écrivez-nous.",
    "{reason} has changed, in your account, the keys or the certificate by which {app} is known.\n\n"
    "If nobody at your place wanted this, put the former ones back at once and write to us.",
)
INITIAL_TOKEN_LIFE = timedelta(hours=1)  # from the vendor's page into the vendor's program
SET_CREDENTIALS = "UPDATE catalogue.app SET credentials = %s, credentials_set_at = %s WHERE id = %s"
LOCK_APP = "SELECT id FROM catalogue.app WHERE id = %s FOR UPDATE"
ADD_INITIAL_TOKEN = """INSERT INTO catalogue.initial_token (hash, app_id, issued_by, issued_by_name, issued_at,
    expires_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""  # noqa: S105  SQL text
USE_INITIAL_TOKEN = """UPDATE catalogue.initial_token SET used_at = %(now)s
  WHERE hash = %(hash)s AND used_at IS NULL AND expires_at > %(now)s
  RETURNING app_id, issued_by, issued_by_name"""  # noqa: S105  SQL text


@dataclass(frozen=True)
class Registrar:
    """The candidate that an initial access token is for, and who issued the token."""

    app: App
    person_id: UUID
    person_name: str


async def app_of_vendor(connection: Connection, app_id: UUID, person: Person, *roles: Role) -> App:
    """The app, locked against changes. Raises Unknown, or NotAllowed for who is not its vendor's member with one of
    `roles`; without any, being a member is enough."""
    await connection.execute(LOCK_APP, (app_id,))
    app = await app_by_id(connection, app_id)
    if app is None:
        raise Unknown
    await require(connection, app.vendor_id, person, *roles)
    return app


async def set_credentials(
    connection: Connection,
    app_id: UUID,
    credentials: Credentials,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    mail: Mail | None = None,
) -> None:
    """From now on the client is known by `credentials`, and by nothing from before. Of an app that was approved,
    reviewers see it among its steps, and its vendor is written to. Raises as `app_of_vendor`, and WrongState for an app
    that has none or has left the catalogue."""
    async with connection.transaction():
        app = await app_of_vendor(connection, app_id, person, *WRITERS)
        if app.status is Status.DEREFERENCED or not PROFILES[app.profile].has_keys:
            raise WrongState("This app has no keys.")
        await keep_credentials(connection, app_id, credentials, now)
        await journal.write(
            connection,
            CatalogueEvent(
                EventName.CREDENTIALS_SET,
                None,
                person.kind,
                person.id,
                person.display_name,
                f"app/{app_id}",
                details={"app": app.name, "method": credentials.method},
            ),
        )
        if app.status is not Status.CANDIDATE:
            await add_step(
                connection, app, Step.KEYS, app.status, application_id=app.application_id, actor=person,
                reason=credentials.method, now=now,
            )  # fmt: skip
            if mail is not None:
                await tell_vendor(connection, mail, app, KEYS_CHANGED, reason=person.display_name)


async def keep_credentials(connection: Connection, app_id: UUID, credentials: Credentials, now: datetime) -> None:
    await connection.execute(SET_CREDENTIALS, (json.dumps(credentials.metadata), now, app_id))


async def issue_initial_token(
    connection: Connection, app_id: UUID, *, person: Person, journal: Journal, now: datetime
) -> str:
    """A token that lets a program register the client of this candidate, once. Raises as `app_of_vendor`, and
    WrongState for an app that is no candidate any more."""
    token = new_secret()
    async with connection.transaction():
        app = await app_of_vendor(connection, app_id, person, *WRITERS)
        if app.status is not Status.CANDIDATE:
            raise WrongState("Only a candidate is registered by a program.")
        ends = now + INITIAL_TOKEN_LIFE
        await connection.execute(ADD_INITIAL_TOKEN, (sha256(token), app_id, person.id, person.display_name, now, ends))
        await journal.write(
            connection,
            CatalogueEvent(
                EventName.INITIAL_TOKEN_ISSUED,
                None,
                person.kind,
                person.id,
                person.display_name,
                f"app/{app_id}",
                details={"app": app.name},
            ),
        )
    return token


async def use_initial_token(connection: Connection, token: str, now: datetime) -> Registrar | None:
    """Whom the token lets register, and it is used; None for one that is unknown, used, or over its time, and for an
    app that is no candidate any more. Inside a transaction: what fails afterwards gives the token back."""
    row = await (await connection.execute(USE_INITIAL_TOKEN, {"hash": sha256(token), "now": now})).fetchone()
    if row is None:
        return None
    await connection.execute(LOCK_APP, (row.app_id,))
    app = await app_by_id(connection, row.app_id)
    if app is None or app.status is not Status.CANDIDATE:
        return None
    return Registrar(app, row.issued_by, row.issued_by_name)
