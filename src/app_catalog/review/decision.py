"""The decision on an application: by a reviewer without interest, who has not written the opinion that it rests on."""

from datetime import datetime
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.change import add_step, check_reason, check_step, event_of_app, locked_app
from app_catalog.catalogue.status import Status
from app_catalog.consents.reapproval import on_new_version
from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.review.dossier import Dossier, opened
from app_catalog.review.letters import APPROVED, REFUSED, tell
from app_catalog.review.opinion import QUORUM
from app_catalog.review.requirements import TO_APPROVE, TO_REFUSE, Case, Requirement, missing
from app_catalog.wiring import Connection, Journal, Mail, Person

DECIDE = """UPDATE catalogue.application SET state = %s, decided_by = %s, decided_at = %s, reason = %s
  WHERE id = %s AND state = 'admissible'"""
PUT_IN_FORCE = "UPDATE catalogue.app SET application_id = %s, status = %s WHERE id = %s"


async def approve_application(
    connection: Connection,
    application_id: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    status: Status = Status.ONLINE,
    reason: str | None = None,
    quorum: int = QUORUM,
    mail: Mail | None = None,
) -> App:
    """Put the application in force; returns the app. A candidate goes to `status` (ONLINE or PRE_SERIES), an app in
    service stays where it is.

    Raises Unknown, NotAllowed, or WrongState with the first thing that is missing. An app with a secret gets it by
    `rotate_secret`, which its vendor asks for: a reviewer never sees it.
    """
    async with connection.transaction():
        dossier = await _decided(
            connection, application_id, Step.APPROVED, TO_APPROVE, person=person, reason=reason, now=now, quorum=quorum
        )
        app = await locked_app(connection, dossier.app_id, person)
        if app.status is Status.CANDIDATE:
            check_step(app.status, status)
        elif app.status is Status.DEREFERENCED:
            raise WrongState("An app in this state cannot go to that one.")
        else:
            status = app.status
        await connection.execute(PUT_IN_FORCE, (application_id, status.value, app.id))
        if app.status is not Status.CANDIDATE:
            await on_new_version(connection, app_id=app.id, version=application_id, former=app.application_id, now=now)
        await add_step(
            connection, app, Step.APPROVED, status, application_id=application_id, actor=person, reason=reason, now=now
        )
        await journal.write(
            connection,
            event_of_app(EventName.APPLICATION_APPROVED, person, app, reason, {"status": status.value}),
        )
        await tell(connection, mail, dossier, APPROVED, text=reason or "")
        approved = await app_by_id(connection, app.id)
        if approved is None:
            raise Unknown
        return approved


async def refuse_application(
    connection: Connection,
    application_id: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    reason: str,
    quorum: int = QUORUM,
    mail: Mail | None = None,
) -> None:
    """Refuse, with a reason that the vendor reads. Raises as `approve_application`, and Unacceptable without reason."""
    check_reason(reason)
    async with connection.transaction():
        dossier = await _decided(
            connection, application_id, Step.REFUSED, TO_REFUSE, person=person, reason=reason, now=now, quorum=quorum
        )
        app = await locked_app(connection, dossier.app_id, person)
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
        await tell(connection, mail, dossier, REFUSED, text=reason)


async def _decided(
    connection: Connection,
    application_id: UUID,
    state: Step,
    requirements: tuple[Requirement, ...],
    *,
    person: Person,
    reason: str | None,
    now: datetime,
    quorum: int,
) -> Dossier:
    """The dossier, its application in `state`. Raises Unknown, NotAllowed or WrongState."""
    dossier = await opened(connection, application_id, person)
    if lacks := await missing(Case(connection, dossier, person, now, quorum), requirements):
        raise WrongState(lacks[0])
    await connection.execute(DECIDE, (state.value, person.id, now, reason, application_id))
    return dossier
