"""The audit of an app in service: opened by reports or by a reviewer, worked on by one reviewer, ended with a reason.

Plan ▸ the vendor's answer ▸ findings ▸ outcome. A corrective action keeps it open until another outcome follows.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from app_catalog.actor import SYSTEM, Actor
from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.change import add_step, event_of_app, locked_app, move
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.reports.words import checked_text
from app_catalog.space import space
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Mail, Person, Row, Wiring
from app_catalog.words import marked

REVIEWERS: Final = frozenset({"reviewer"})
MAX_DAYS: Final = 366  # for a corrective action: what takes longer than a year is not corrected, but tolerated

IN_PROGRESS: Final = "SELECT id FROM catalogue.audit WHERE app_id = %s AND state <> 'closed'"
OPEN: Final = "INSERT INTO catalogue.audit (id, app_id, state, opened_at) VALUES (%s, %s, 'open', %s)"
AUDIT: Final = "SELECT * FROM catalogue.audit WHERE id = %s"
ASSIGN: Final = "UPDATE catalogue.audit SET assigned_to = %s, assigned_name = %s WHERE id = %s"
DECIDE: Final = "UPDATE catalogue.audit SET state = %s, outcome = %s, due_on = %s, ended_at = %s WHERE id = %s"
ADD_AUDIT_STEP: Final = """INSERT INTO catalogue.audit_step (audit_id, step, actor_kind, actor, actor_name, text,
    outcome, at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
PLAN_SENT: Final = (
    "SELECT EXISTS (SELECT FROM catalogue.audit_step WHERE audit_id = %s AND step = 'plan sent') AS found"
)
REPORTERS: Final = "SELECT subject FROM catalogue.reporters_of_audit(%s) AS subject"


class AuditStep(StrEnum):
    """What can happen in an audit, as it is written down and, as an English msgid, shown."""

    OPENED = marked("audit opened")
    ASSIGNED = marked("taken over")
    PLAN = marked("plan sent")
    ANSWERED = marked("answer of the vendor")
    FINDING = marked("finding")
    DECIDED = marked("outcome")
    REMINDED = marked("reminder of the correction")


class Outcome(StrEnum):
    """How an audit ends. The labels are for reviewers, vendors and the patients who reported."""

    CLOSED = "closed"
    CORRECTIVE = "corrective"
    SUSPENSION = "suspension"
    REMOVAL = "removal"

    @property
    def label(self) -> str:
        return LABELS[self]


LABELS: Final = {
    Outcome.CLOSED: marked("The app may go on as it is."),
    Outcome.CORRECTIVE: marked("Its maker has to correct something."),
    Outcome.SUSPENSION: marked("The app is suspended."),
    Outcome.REMOVAL: marked("The app was removed from the catalogue."),
}
MOVES: Final = {Outcome.SUSPENSION: Status.SUSPENDED, Outcome.REMOVAL: Status.DEREFERENCED}

PLAN_LETTER: Final = Letter(
    "Contrôle de {app}",
    "Audit of {app}",
    "{app} fait l’objet d’un contrôle. Plan du contrôle :\n\n{reason}\n\n"
    "Répondez sur la page de l’application dans votre compte.",
    "{app} is being audited. The plan:\n\n{reason}\n\nAnswer on the app’s page in your account.",
)
OUTCOME_LETTER: Final = Letter(
    "Contrôle de {app} : conclusion",
    "Audit of {app}: outcome",
    "Le contrôle de {app} a une conclusion.\n\n{reason}\n\n"
    "Le détail est sur la page de l’application dans votre compte.",
    "The audit of {app} has an outcome.\n\n{reason}\n\nThe details are on the app’s page in your account.",
)
CORRECTIVE_LETTER: Final = Letter(
    "Contrôle de {app} : à corriger avant le {day}",
    "Audit of {app}: to be corrected by {day}",
    "À corriger avant le {day} :\n\n{reason}",
    "To be corrected by {day}:\n\n{reason}",
)


async def audit_in_progress(connection: Connection, app_id: UUID, now: datetime) -> tuple[UUID, bool]:
    """The audit of an app, whose row is locked, and whether it was opened just now."""
    row = await (await connection.execute(IN_PROGRESS, (app_id,))).fetchone()
    if row is not None:
        return row.id, False
    audit_id = uuid4()
    await connection.execute(OPEN, (audit_id, app_id, now))
    return audit_id, True


async def open_audit(
    connection: Connection, app_id: UUID, *, text: str, person: Person, journal: Journal, now: datetime
) -> UUID:
    """A reviewer opens one without a report, with a reason. Raises Unknown, NotAllowed, WrongState or Unacceptable."""
    text = checked_text("/text", text)
    _only_reviewers(person)
    async with connection.transaction():
        app = await locked_app(connection, app_id, person)
        if app.status in {Status.CANDIDATE, Status.DEREFERENCED}:
            raise WrongState("Only apps in service are audited.")
        audit_id, is_new = await audit_in_progress(connection, app_id, now)
        if not is_new:
            raise WrongState("An audit of this app is in progress.")
        await connection.execute(ASSIGN, (person.id, person.display_name, audit_id))
        await add_audit_step(connection, audit_id, AuditStep.OPENED, person, text, now)
        await journal.write(connection, event_of_app(EventName.AUDIT_OPENED, person, app, text, {}))
    return audit_id


async def take_over(connection: Connection, audit_id: UUID, *, person: Person, journal: Journal, now: datetime) -> None:
    """`person` works on the audit from now on. Raises Unknown, NotAllowed or WrongState."""
    async with connection.transaction():
        app, audit = await _worked_on(connection, audit_id, person)
        if audit.assigned_to == person.id:
            return
        await connection.execute(ASSIGN, (person.id, person.display_name, audit_id))
        await _go_on(connection, audit_id, AuditStep.ASSIGNED, app, person, "", journal, now)


async def send_plan(
    connection: Connection, audit_id: UUID, *, text: str, person: Person, journal: Journal, mail: Mail, now: datetime
) -> None:
    """Tell the vendor what will be looked at and asked. From then on the vendor sees the audit."""
    text = checked_text("/text", text)
    async with connection.transaction():
        app, _ = await _worked_on(connection, audit_id, person, mine=True)
        await _go_on(connection, audit_id, AuditStep.PLAN, app, person, text, journal, now)
        await tell_vendor(connection, mail, app, PLAN_LETTER, reason=text)


async def add_finding(
    connection: Connection, audit_id: UUID, *, text: str, person: Person, journal: Journal, now: datetime
) -> None:
    text = checked_text("/text", text)
    async with connection.transaction():
        app, _ = await _worked_on(connection, audit_id, person, mine=True)
        await _go_on(connection, audit_id, AuditStep.FINDING, app, person, text, journal, now)


async def answer_audit(
    connection: Connection, audit_id: UUID, *, text: str, person: Person, journal: Journal, now: datetime
) -> UUID:
    """The vendor answers the plan or a finding; returns the app's id. Raises Unknown, NotAllowed or WrongState."""
    async with connection.transaction():
        app, audit = await _found(connection, audit_id)
        await require(connection, app.vendor_id, person, *WRITERS)
        text = checked_text("/text", text)
        sent = await (await connection.execute(PLAN_SENT, (audit_id,))).fetchone()
        if sent is None or not sent.found:
            raise Unknown
        if audit.state == "closed":
            raise WrongState("This audit has ended.")
        await _go_on(connection, audit_id, AuditStep.ANSWERED, app, person, text, journal, now)
    return app.id


async def decide_audit(
    wiring: Wiring,
    connection: Connection,
    audit_id: UUID,
    outcome: Outcome,
    *,
    text: str,
    person: Person,
    due_on: date | None = None,
    cause: Cause | None = None,
) -> None:
    """End the audit, or ask for a correction by `due_on`. Suspension and removal take effect in the same transaction;
    the vendor is told by mail, whoever reported in their journal.

    Raises Unknown, NotAllowed, WrongState or Unacceptable.
    """
    now, journal = wiring.clock(), wiring.journal
    text = checked_text("/text", text, 1000)
    if outcome is not Outcome.CORRECTIVE:
        due_on = None
    elif due_on is None or not 0 < (due_on - now.date()).days <= MAX_DAYS:
        raise Unacceptable(Fault("/due_on", "Give a day within a year."))
    async with connection.transaction():
        app, _ = await _worked_on(connection, audit_id, person, mine=True)
        state = "corrective" if outcome is Outcome.CORRECTIVE else "closed"
        values = (state, outcome.value, due_on, now if state == "closed" else None, audit_id)
        await connection.execute(DECIDE, values)
        await add_audit_step(connection, audit_id, AuditStep.DECIDED, person, text, now, outcome)
        details = {"outcome": outcome.value} | ({"due_on": due_on.isoformat()} if due_on else {})
        await journal.write(connection, event_of_app(EventName.AUDIT_DECIDED, person, app, text, details))
        if outcome in MOVES:
            await move(
                connection, app, MOVES[outcome], actor=person, journal=journal, now=now, reason=text,
                cause=cause, mail=None,
            )  # fmt: skip
        elif outcome is Outcome.CORRECTIVE:
            await add_step(
                connection, app, Step.CORRECTIVE, app.status, application_id=app.application_id, actor=person,
                reason=text, now=now,
            )  # fmt: skip
        letter = CORRECTIVE_LETTER if outcome is Outcome.CORRECTIVE else OUTCOME_LETTER
        await tell_vendor(connection, wiring.mail, app, letter, reason=text, day=due_on)
        await _tell_reporters(connection, journal, audit_id, app, details)


async def add_audit_step(  # noqa: PLR0917  one call per step
    connection: Connection,
    audit_id: UUID,
    step: AuditStep,
    actor: Actor | None,
    text: str,
    now: datetime,
    outcome: Outcome | None = None,
) -> None:
    """`actor` is None for the report of a patient, of whom nothing is written down here."""
    who = (actor.kind, actor.id, actor.display_name) if actor else ("patient", None, "")
    await connection.execute(
        ADD_AUDIT_STEP, (audit_id, step.value, *who, text, outcome.value if outcome else None, now)
    )


async def _go_on(  # noqa: PLR0917  one call per step
    connection: Connection,
    audit_id: UUID,
    step: AuditStep,
    app: App,
    person: Person,
    text: str,
    journal: Journal,
    now: datetime,
) -> None:
    await add_audit_step(connection, audit_id, step, person, text, now)
    event = event_of_app(EventName.AUDIT_CONTINUED, person, app, text or None, {"step": step.value})
    await journal.write(connection, event)


async def _tell_reporters(
    connection: Connection, journal: Journal, audit_id: UUID, app: App, details: dict[str, str]
) -> None:
    """Who of the reviewers decided is not for the journals of patients."""
    for row in await (await connection.execute(REPORTERS, (audit_id,))).fetchall():
        async with space(connection, row.subject):
            await journal.write(
                connection,
                CatalogueEvent(
                    EventName.REPORT_ANSWERED, row.subject, SYSTEM.kind, SYSTEM.id, SYSTEM.display_name,
                    f"app/{app.id}", details={"app": app.name, **details},
                ),
            )  # fmt: skip


async def _worked_on(connection: Connection, audit_id: UUID, person: Person, *, mine: bool = False) -> tuple[App, Row]:
    """The app, locked, and its audit, for a reviewer who may work on it; `mine`: who has taken it over."""
    _only_reviewers(person)
    app, _ = await _found(connection, audit_id)
    app = await locked_app(connection, app.id, person)
    audit = (await (await connection.execute(AUDIT, (audit_id,))).fetchall())[0]
    if audit.state == "closed":
        raise WrongState("This audit has ended.")
    if mine and audit.assigned_to != person.id:
        raise WrongState("Take the audit over first.")
    return app, audit


async def _found(connection: Connection, audit_id: UUID) -> tuple[App, Row]:
    audit = await (await connection.execute(AUDIT, (audit_id,))).fetchone()
    app = await app_by_id(connection, audit.app_id) if audit else None
    if audit is None or app is None:
        raise Unknown
    return app, audit


def _only_reviewers(person: Person) -> None:
    if person.kind not in REVIEWERS:
        raise NotAllowed
