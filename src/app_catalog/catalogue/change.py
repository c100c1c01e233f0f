"""Moving an app from one status to another. What each status does is in `catalogue.status`: every check reads it."""

from datetime import datetime
from uuid import UUID

from app_catalog.actor import Actor
from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.status import FOLLOWS, Status
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.consents.announcement import announce
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.review.dossier import EXCLUDED, OF_THE_VENDOR, interested_in
from app_catalog.vendors.vendor import vendors_of
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Mail, Person

LOCK_APP = "SELECT id FROM catalogue.app WHERE id = %s FOR UPDATE"
SET_STATUS = "UPDATE catalogue.app SET status = %s WHERE id = %s"
ADD_STEP = """INSERT INTO catalogue.app_step (app_id, application_id, step, from_status, to_status, actor, actor_name,
    reason, at, cause)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id"""
BEFORE_SUSPENSION = """SELECT from_status FROM catalogue.app_step WHERE app_id = %s AND to_status = 'SUSPENDED'
    AND from_status <> 'SUSPENDED'
  ORDER BY id DESC LIMIT 1"""
MAX_REASON = 1000  # characters

WATCHERS = frozenset({"reviewer", "operator"})  # an operator may stop an app at night, but approves none
MOVED = Letter(
    "{app} : {status}",
    "{app}: {status}",
    "Le statut de {app} est maintenant « {status} ».\n\nMotif : {reason}\n\n"
    "Vous pouvez contester cette décision pendant deux mois, sur la page de l’application dans votre compte.",
    "The status of {app} is now “{status}”.\n\nReason: {reason}\n\n"
    "You can object to this decision within two months, on the app’s page in your account.",
)


async def change_status(
    connection: Connection,
    app_id: UUID,
    status: Status,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    reason: str,
    cause: Cause | None = None,
    mail: Mail | None = None,
) -> None:
    """A reviewer or an operator moves an approved app to `status`. The vendor is told the reason, patients the cause.

    Raises Unknown, NotAllowed, WrongState, or Unacceptable without a reason.
    """
    check_reason(reason)
    if person.kind not in WATCHERS:
        raise NotAllowed
    async with connection.transaction():
        app = await locked_app(connection, app_id, person)
        await move(
            connection, app, status, actor=person, journal=journal, now=now, reason=reason, cause=cause, mail=mail
        )  # fmt: skip


async def move(
    connection: Connection,
    app: App,
    status: Status,
    *,
    actor: Actor,
    journal: Journal,
    now: datetime,
    reason: str,
    cause: Cause | None,
    mail: Mail | None,
) -> None:
    """Move `app`, which is locked, in the transaction of a caller who made sure that `actor` may. Its tokens follow at
    once; who is connected is told by `jobs`, which disconnects them from what is DEREFERENCED. Raises WrongState."""
    if app.status is Status.CANDIDATE:
        raise WrongState
    check_step(app.status, status)
    await connection.execute(SET_STATUS, (status.value, app.id))
    step_id = await add_step(
        connection, app, Step.MOVED, status, application_id=app.application_id, actor=actor, reason=reason, now=now,
        cause=cause,
    )  # fmt: skip
    await announce(connection, step_id, app.status, status)
    name = EventName.APP_SUSPENDED if status is Status.SUSPENDED else EventName.APP_STATUS_CHANGED
    details = {"from": app.status.value, "to": status.value} | ({"cause": cause.value} if cause else {})
    await journal.write(connection, event_of_app(name, actor, app, reason, details))
    if mail is not None:
        await tell_vendor(connection, mail, app, MOVED, status=status, reason=reason)


async def status_before_suspension(connection: Connection, app_id: UUID) -> Status:
    """The status to which a suspended app goes back. Raises WrongState when it never was suspended."""
    row = await (await connection.execute(BEFORE_SUSPENSION, (app_id,))).fetchone()
    if row is None:
        raise WrongState
    return Status(row.from_status)


async def locked_app(connection: Connection, app_id: UUID, person: Person) -> App:
    """The app, locked until the end of the transaction. Raises Unknown, or NotAllowed for a member of its vendor and
    for a reviewer who declared an interest in it."""
    await connection.execute(LOCK_APP, (app_id,))
    app = await app_by_id(connection, app_id)
    if app is None:
        raise Unknown
    if app.vendor_id in await vendors_of(connection, person.id):
        raise NotAllowed(OF_THE_VENDOR)
    if app.id in await interested_in(connection, person):
        raise NotAllowed(EXCLUDED)
    return app


async def add_step(
    connection: Connection,
    app: App,
    step: Step,
    status: Status,
    *,
    application_id: UUID,
    actor: Actor,
    reason: str | None,
    now: datetime,
    cause: Cause | None = None,
) -> int:
    """Write down what happened to `app`, which had its status until now and has `status` from now on; returns the
    number of the step."""
    values = (
        app.id, application_id, step.value, app.status.value, status.value, actor.id, actor.display_name, reason, now,
        cause.value if cause else None,
    )  # fmt: skip
    [row] = await (await connection.execute(ADD_STEP, values)).fetchall()
    return int(row.id)


def check_step(before: Status, after: Status) -> None:
    if after not in FOLLOWS[before]:
        raise WrongState("An app in this state cannot go to that one.")


def check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON or "\0" in reason:
        raise Unacceptable(Fault("/reason", "Give a reason: the vendor reads it."))


def check_cause(status: Status, cause: str | None) -> None:
    """Raises Unacceptable where patients would not learn why an app is stopped, or leaves."""
    if cause is None and status in {Status.SUSPENDED, Status.OFFLINE, Status.DEREFERENCED}:
        raise Unacceptable(Fault("/cause", "Choose what patients read."))


def event_of_app(
    name: EventName, actor: Actor, app: App, reason: str | None, details: dict[str, str]
) -> CatalogueEvent:
    """For the journal, concerning no patient."""
    return CatalogueEvent(
        name,
        None,
        actor.kind,
        actor.id,
        actor.display_name,
        f"app/{app.id}",
        reason=reason,
        details={"app": app.name, **details},
    )
