"""A reviewer's decisions. None of them may be made by a member of the app's own vendor."""

from datetime import datetime
from uuid import UUID

from app_catalog.applications.submission import ADD_STEP, Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.status import FOLLOWS, Status
from app_catalog.consents.revocation import end_pairings_of_app
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.vendors.vendor import vendors_of
from app_catalog.wiring import CatalogueEvent, Connection, DataPlane, Journal, Person

LOCK_APP = "SELECT id FROM catalogue.app WHERE id = %s FOR UPDATE"
APP_OF_APPLICATION = "SELECT app_id FROM catalogue.application WHERE id = %s"
DECIDE = """UPDATE catalogue.application SET state = %s, decided_by = %s, decided_at = %s, reason = %s
  WHERE id = %s AND state = 'submitted'"""
PUT_IN_FORCE = "UPDATE catalogue.app SET application_id = %s, status = %s WHERE id = %s"
SET_STATUS = "UPDATE catalogue.app SET status = %s WHERE id = %s"
BEFORE_SUSPENSION = """SELECT from_status FROM catalogue.app_step WHERE app_id = %s AND to_status = 'SUSPENDED'
  ORDER BY id DESC LIMIT 1"""

REVIEWERS = frozenset({"reviewer"})
WATCHERS = frozenset({"reviewer", "operator"})  # an operator may stop an app at night, but approves none


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
        _check_step(app.status, status)
        await connection.execute(PUT_IN_FORCE, (application_id, status.value, app.id))
        await _add_step(
            connection, app, Step.APPROVED, status, application_id=application_id, person=person, reason=reason, now=now
        )
        await journal.write(
            connection,
            _event(EventName.APPLICATION_APPROVED, person, app, reason, {"status": status.value}),
        )
        approved = await app_by_id(connection, app.id)
        if approved is None:
            raise Unknown
        return approved


async def refuse_application(
    connection: Connection, application_id: UUID, *, person: Person, journal: Journal, now: datetime, reason: str
) -> None:
    """Refuse, with a reason that the vendor reads. Raises as `approve_application`, and Unacceptable without reason."""
    _check_reason(reason)
    async with connection.transaction():
        app = await _decide(connection, application_id, Step.REFUSED, person=person, reason=reason, now=now)
        await _add_step(
            connection,
            app,
            Step.REFUSED,
            app.status,
            application_id=application_id,
            person=person,
            reason=reason,
            now=now,
        )
        await journal.write(connection, _event(EventName.APPLICATION_REFUSED, person, app, reason, {}))


async def change_status(
    connection: Connection,
    app_id: UUID,
    status: Status,
    *,
    person: Person,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime,
    reason: str,
) -> None:
    """Move an approved app to `status`. Its tokens follow at once: every check reads the status.

    DEREFERENCED disconnects every patient. Raises Unknown, NotAllowed, WrongState, or Unacceptable without a reason.
    """
    _check_reason(reason)
    if person.kind not in WATCHERS:
        raise NotAllowed
    async with connection.transaction():
        app = await _locked(connection, app_id, person)
        if app.status is Status.CANDIDATE:
            raise WrongState
        _check_step(app.status, status)
        await connection.execute(SET_STATUS, (status.value, app_id))
        await _add_step(
            connection,
            app,
            Step.MOVED,
            status,
            application_id=app.application_id,
            person=person,
            reason=reason,
            now=now,
        )
        name = EventName.APP_SUSPENDED if status is Status.SUSPENDED else EventName.APP_STATUS_CHANGED
        details = {"from": app.status.value, "to": status.value}
        await journal.write(connection, _event(name, person, app, reason, details))
        if status is Status.DEREFERENCED:
            await end_pairings_of_app(connection, app, person=person, journal=journal, data_plane=data_plane, now=now)


async def status_before_suspension(connection: Connection, app_id: UUID) -> Status:
    """The status to which a suspended app goes back. Raises WrongState when it never was suspended."""
    row = await (await connection.execute(BEFORE_SUSPENSION, (app_id,))).fetchone()
    if row is None:
        raise WrongState
    return Status(row.from_status)


async def _decide(
    connection: Connection, application_id: UUID, state: Step, *, person: Person, reason: str | None, now: datetime
) -> App:
    if person.kind not in REVIEWERS:
        raise NotAllowed
    row = await (await connection.execute(APP_OF_APPLICATION, (application_id,))).fetchone()
    if row is None:
        raise Unknown
    app = await _locked(connection, row.app_id, person)
    done = await connection.execute(DECIDE, (state.value, person.id, now, reason, application_id))
    if done.rowcount != 1:
        raise WrongState
    return app


async def _locked(connection: Connection, app_id: UUID, person: Person) -> App:
    await connection.execute(LOCK_APP, (app_id,))
    app = await app_by_id(connection, app_id)
    if app is None:
        raise Unknown
    if app.vendor_id in await vendors_of(connection, person.id):
        raise NotAllowed("A member of the vendor does not decide about its apps.")
    return app


async def _add_step(
    connection: Connection,
    app: App,
    step: Step,
    status: Status,
    *,
    application_id: UUID,
    person: Person,
    reason: str | None,
    now: datetime,
) -> None:
    await connection.execute(
        ADD_STEP,
        (
            app.id,
            application_id,
            step.value,
            app.status.value,
            status.value,
            person.id,
            person.display_name,
            reason,
            now,
        ),
    )


def _check_step(before: Status, after: Status) -> None:
    if after not in FOLLOWS[before]:
        raise WrongState("An app in this state cannot go to that one.")


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > 1000 or "\0" in reason:
        raise Unacceptable(Fault("/reason", "Give a reason: the vendor reads it."))


def _event(name: EventName, person: Person, app: App, reason: str | None, details: dict[str, str]) -> CatalogueEvent:
    return CatalogueEvent(
        name,
        None,
        person.kind,
        person.id,
        person.display_name,
        f"app/{app.id}",
        reason=reason,
        details={"app": app.name, **details},
    )
