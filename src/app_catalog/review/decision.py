"""A reviewer's decisions. None of them may be made by a member of the app's own vendor."""

from datetime import datetime
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.change import add_step, check_reason, check_step, event_of_app, locked_app
from app_catalog.catalogue.status import Status
from app_catalog.errors import NotAllowed, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.wiring import Connection, Journal, Person

APP_OF_APPLICATION = "SELECT app_id FROM catalogue.application WHERE id = %s"
DECIDE = """UPDATE catalogue.application SET state = %s, decided_by = %s, decided_at = %s, reason = %s
  WHERE id = %s AND state = 'submitted'"""
PUT_IN_FORCE = "UPDATE catalogue.app SET application_id = %s, status = %s WHERE id = %s"
REVIEWERS = frozenset({"reviewer"})


async def approve_application(
    connection: Connection,
    application_id: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    status: Status = Status.ONLINE,
    reason: str | None = None,
) -> App:
    """Put the application in force and its app into `status` (ONLINE or PRE_SERIES); returns the app.

    Raises Unknown, NotAllowed, or WrongState when it was decided before. An app with a secret gets it by
    `rotate_secret`, which its vendor asks for: a reviewer never sees it.
    """
    async with connection.transaction():
        app = await _decide(connection, application_id, Step.APPROVED, person=person, reason=reason, now=now)
        check_step(app.status, status)
        await connection.execute(PUT_IN_FORCE, (application_id, status.value, app.id))
        await add_step(
            connection, app, Step.APPROVED, status, application_id=application_id, actor=person, reason=reason, now=now
        )
        await journal.write(
            connection,
            event_of_app(EventName.APPLICATION_APPROVED, person, app, reason, {"status": status.value}),
        )
        approved = await app_by_id(connection, app.id)
        if approved is None:
            raise Unknown
        return approved


async def refuse_application(
    connection: Connection, application_id: UUID, *, person: Person, journal: Journal, now: datetime, reason: str
) -> None:
    """Refuse, with a reason that the vendor reads. Raises as `approve_application`, and Unacceptable without reason."""
    check_reason(reason)
    async with connection.transaction():
        app = await _decide(connection, application_id, Step.REFUSED, person=person, reason=reason, now=now)
        await add_step(
            connection,
            app,
            Step.REFUSED,
            app.status,
            application_id=application_id,
            actor=person,
            reason=reason,
            now=now,
        )
        await journal.write(connection, event_of_app(EventName.APPLICATION_REFUSED, person, app, reason, {}))


async def _decide(
    connection: Connection, application_id: UUID, state: Step, *, person: Person, reason: str | None, now: datetime
) -> App:
    if person.kind not in REVIEWERS:
        raise NotAllowed
    row = await (await connection.execute(APP_OF_APPLICATION, (application_id,))).fetchone()
    if row is None:
        raise Unknown
    app = await locked_app(connection, row.app_id, person)
    done = await connection.execute(DECIDE, (state.value, person.id, now, reason, application_id))
    if done.rowcount != 1:
        raise WrongState
    return app
