"""The circle of a pre-series: patients whom its vendor invited by a link, and who joined.

A pre-series is approved and works, but is tried by few before it is in the list. Each link has a number of places and
an end; whoever follows it and is a patient takes one. A place is not given back: the circle is for a time.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.change import LOCK_APP
from app_catalog.catalogue.status import Status
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.sandbox.tested import is_simulated
from app_catalog.space import space
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person
from app_catalog.words import marked

PLACES = 100  # of an app over all its links: as many first users as a vendor can listen to; more is for the list
LIFE = timedelta(days=30)  # of a link
SECRET_BYTES = 24
ENDED = marked("This invitation has ended.")
MAX_LABEL = 80  # characters

# Links that are over hold the places that were taken, the others all that they have.
PLACES_GIVEN = """SELECT
    coalesce(sum(CASE WHEN ended_at IS NULL AND expires_at > %(now)s THEN places ELSE taken END), 0) AS given
  FROM catalogue.invitation WHERE app_id = %(app)s"""
ADD = """INSERT INTO catalogue.invitation (hash, app_id, label, places, created_by, created_by_name,
    created_at, expires_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
END = "UPDATE catalogue.invitation SET ended_at = %s WHERE hash = %s AND app_id = %s AND ended_at IS NULL"
INVITATIONS = """SELECT hash, label, places, taken, created_by_name, created_at, expires_at, ended_at
  FROM catalogue.invitation WHERE app_id = %s ORDER BY created_at DESC, hash LIMIT 50"""
OPEN = """SELECT app_id, taken < places AS has_place FROM catalogue.invitation
  WHERE hash = %s AND ended_at IS NULL AND expires_at > %s"""
TAKE_PLACE = """UPDATE catalogue.invitation SET taken = taken + 1
  WHERE hash = %s AND ended_at IS NULL AND expires_at > %s AND taken < places RETURNING app_id"""
IN_CIRCLE = "SELECT EXISTS (SELECT FROM catalogue.circle WHERE app_id = %s AND subject = %s) AS found"
JOIN = "INSERT INTO catalogue.circle (app_id, subject, invitation, joined_at) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True)
class Invitation:
    """A link as its vendor sees it: it names the link, and does not open it."""

    name: str
    label: str
    places: int
    taken: int
    created_by_name: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        return self.ended_at is None and self.expires_at > now


async def is_in_circle(connection: Connection, app_id: UUID, subject: UUID) -> bool:
    """Inside `space` of the patient."""
    row = await (await connection.execute(IN_CIRCLE, (app_id, subject))).fetchone()
    return row is not None and bool(row.found)


async def invite(
    connection: Connection, app_id: UUID, *, label: str, places: int, person: Person, journal: Journal, now: datetime
) -> str:
    """The secret of a new link, which is shown once. Raises Unknown, NotAllowed, WrongState or Unacceptable."""
    label = label.strip()
    async with connection.transaction():
        await connection.execute(LOCK_APP, (app_id,))
        app = await _own_app(connection, app_id, person)
        if app.status is not Status.PRE_SERIES:
            raise WrongState("Only a pre-series has a circle.")
        row = await (await connection.execute(PLACES_GIVEN, {"app": app_id, "now": now})).fetchone()
        left = PLACES - (int(row.given) if row else 0)
        faults = []
        if not label or len(label) > MAX_LABEL or not label.isprintable():
            faults.append(Fault("/label", "Say whom the link is for, in 80 characters at most."))
        if not 1 <= places <= left:
            faults.append(Fault("/places", "A pre-series has 100 places over all its links."))
        if faults:
            raise Unacceptable(*faults)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        values = (_hash(secret), app_id, label, places, person.id, person.display_name, now, now + LIFE)
        await connection.execute(ADD, values)
        await journal.write(connection, _event(EventName.CIRCLE_INVITED, app, person, None, places=places))
    return secret


async def end_invitation(
    connection: Connection, app_id: UUID, name: str, *, person: Person, journal: Journal, now: datetime
) -> None:
    """Nobody joins by this link any more; who did, stays. Raises Unknown or NotAllowed."""
    async with connection.transaction():
        app = await _own_app(connection, app_id, person)
        try:
            hashed = bytes.fromhex(name)
        except ValueError:
            raise Unknown from None
        if (await connection.execute(END, (now, hashed, app_id))).rowcount != 1:
            raise Unknown
        await journal.write(connection, _event(EventName.CIRCLE_CLOSED, app, person, None))


async def invitations_of(connection: Connection, app_id: UUID) -> list[Invitation]:
    """The newest fifty links of an app."""
    rows = await (await connection.execute(INVITATIONS, (app_id,))).fetchall()
    return [
        Invitation(
            bytes(row.hash).hex(), row.label, row.places, row.taken, row.created_by_name, row.created_at,
            row.expires_at, row.ended_at,
        )
        for row in rows
    ]  # fmt: skip


async def invited_app(connection: Connection, secret: str, now: datetime) -> tuple[App, bool]:
    """The app that a link leads to, and whether a place is left. Raises Unknown for a link that is over."""
    row = await (await connection.execute(OPEN, (_hash(secret), now))).fetchone()
    app = await app_by_id(connection, row.app_id) if row else None
    if row is None or app is None or app.status is not Status.PRE_SERIES:
        raise Unknown(ENDED)
    return app, bool(row.has_place)


async def join(connection: Connection, secret: str, *, person: Person, journal: Journal, now: datetime) -> UUID:
    """The patient takes a place; returns the app's id. Whoever is in the circle already takes none.

    Raises Unknown, NotAllowed for who has no space, or WrongState when all places are taken.
    """
    if person.subject is None:
        raise NotAllowed
    app, _ = await invited_app(connection, secret, now)
    async with space(connection, person.subject):
        if await is_in_circle(connection, app.id, person.subject):
            return app.id
        if await is_simulated(connection, person.subject):
            raise NotAllowed("A simulated patient is no patient: it neither reports nor joins.")
        taken = await (await connection.execute(TAKE_PLACE, (_hash(secret), now))).fetchone()
        if taken is None:
            raise WrongState("All places of this invitation are taken.")
        await connection.execute(JOIN, (app.id, person.subject, _hash(secret), now))
        await journal.write(connection, _event(EventName.CIRCLE_JOINED, app, person, person.subject))
    return app.id


async def _own_app(connection: Connection, app_id: UUID, person: Person) -> App:
    app = await app_by_id(connection, app_id)
    if app is None:
        raise Unknown
    await require(connection, app.vendor_id, person, *WRITERS)
    return app


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _event(name: EventName, app: App, person: Person, subject: UUID | None, **details: int) -> CatalogueEvent:
    return CatalogueEvent(
        name,
        subject,
        person.kind,
        person.id,
        person.display_name,
        f"app/{app.id}",
        details={"app": app.name, **details},
    )
