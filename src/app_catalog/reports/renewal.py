"""A vendor asks for its agreement to be renewed; a reviewer grants it until a day, or refuses with a reason.

The owner who asks agrees with that to the text as it is, to the end that the reviewer sets.
"""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.change import LOCK_APP, add_step, event_of_app, locked_app
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.errors import NotAllowed, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.reports.given_end import given_end_of
from app_catalog.reports.words import checked_text
from app_catalog.review.agreement import agreement_of, extend_agreement
from app_catalog.vendors.role import Role, require
from app_catalog.wiring import Connection, Journal, Person, Wiring

BEFORE: Final = timedelta(
    days=180
)  # before the end at the earliest: an app is looked at again near the end of its time

UNDECIDED: Final = "SELECT id FROM catalogue.renewal WHERE app_id = %s AND decided_at IS NULL"
ADD: Final = """INSERT INTO catalogue.renewal (id, app_id, text, made_by, made_by_name, made_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""
RENEWAL: Final = "SELECT * FROM catalogue.renewal WHERE id = %s"
DECIDE: Final = """UPDATE catalogue.renewal SET granted = %s, until = %s, reason = %s, decided_by = %s,
    decided_by_name = %s, decided_at = %s
  WHERE id = %s AND decided_at IS NULL"""

GRANTED: Final = Letter(
    "{app} : la convention est renouvelée jusqu’au {day}",
    "{app}: the agreement is renewed until {day}",
    "La convention de {app} est renouvelée jusqu’au {day}.\n\n{reason}",
    "The agreement of {app} is renewed until {day}.\n\n{reason}",
)
REFUSED: Final = Letter(
    "{app} : la convention n’est pas renouvelée",
    "{app}: the agreement is not renewed",
    "La convention de {app} n’est pas renouvelée.\n\nMotif : {reason}",
    "The agreement of {app} is not renewed.\n\nReason: {reason}",
)


async def may_ask(connection: Connection, app: App, now: datetime) -> bool:
    """Whether the end of the agreement is near enough to ask, and nobody has."""
    if app.status in {Status.CANDIDATE, Status.DEREFERENCED}:
        return False
    end = await agreement_of(connection, app.id) or await given_end_of(connection, app.id)
    if end is None or end.ends_on - now.date() > BEFORE:
        return False
    return await (await connection.execute(UNDECIDED, (app.id,))).fetchone() is None


async def ask_for_renewal(
    connection: Connection, app_id: UUID, *, text: str, person: Person, journal: Journal, now: datetime
) -> None:
    """An owner of the vendor asks, and says what has changed. Raises Unknown, NotAllowed, WrongState, Unacceptable."""
    async with connection.transaction():
        await connection.execute(LOCK_APP, (app_id,))
        app = await app_by_id(connection, app_id)
        if app is None:
            raise Unknown
        await require(connection, app.vendor_id, person, Role.OWNER)
        text = checked_text("/text", text)
        if not await may_ask(connection, app, now):
            raise WrongState("A renewal can be asked for once, in the last 180 days of an agreement.")
        await connection.execute(ADD, (uuid4(), app_id, text, person.id, person.display_name, now))
        await journal.write(connection, event_of_app(EventName.RENEWAL_ASKED, person, app, text, {}))


async def decide_renewal(
    wiring: Wiring, connection: Connection, renewal_id: UUID, *, until: date | None, text: str, person: Person
) -> None:
    """Grant it `until` a day, or refuse (None). Raises Unknown, NotAllowed, WrongState or Unacceptable."""
    if person.kind != "reviewer":
        raise NotAllowed
    text, now = checked_text("/text", text, 1000), wiring.clock()
    async with connection.transaction():
        renewal = await (await connection.execute(RENEWAL, (renewal_id,))).fetchone()
        if renewal is None:
            raise Unknown
        app = await locked_app(connection, renewal.app_id, person)
        if app.status is Status.DEREFERENCED:
            raise WrongState("This app has left the catalogue.")
        values = (until is not None, until, text, person.id, person.display_name, now, renewal_id)
        if (await connection.execute(DECIDE, values)).rowcount != 1:
            raise WrongState
        if until is not None:
            await extend_agreement(
                connection, app.id, ends_on=until, person=person, reason=text, journal=wiring.journal,
                data_plane=wiring.data_plane, now=now, accepted_by=renewal.made_by,
                accepted_by_name=renewal.made_by_name, accepted_at=renewal.made_at,
            )  # fmt: skip
        else:
            await add_step(
                connection, app, Step.NOT_RENEWED, app.status, application_id=app.application_id, actor=person,
                reason=text, now=now,
            )  # fmt: skip
        details = {"until": until.isoformat()} if until else {}
        await wiring.journal.write(connection, event_of_app(EventName.RENEWAL_DECIDED, person, app, text, details))
        await tell_vendor(connection, wiring.mail, app, GRANTED if until else REFUSED, reason=text, day=until)
