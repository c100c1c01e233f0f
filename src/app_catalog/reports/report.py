"""A patient reports an app. Reviewers know the patient by a number, unless the patient gives an address.

The number is the same for each report of one patient on one app, and another one for another app. Whose it is stands in
a table that only the patient's own space can read.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.change import LOCK_APP
from app_catalog.catalogue.status import Status
from app_catalog.errors import BadForm, NotAllowed, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.reports.audit import AuditStep, Outcome, add_audit_step, audit_in_progress
from app_catalog.reports.words import checked_text
from app_catalog.sandbox.tested import is_simulated
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person
from app_catalog.words import marked

MAX_A_DAY = 5  # reports of one patient on one app: more is a mishap, or somebody who wants to drown the others
MAX_CONTACT = 200  # characters

ADD_NUMBER = "INSERT INTO catalogue.reporter (app_id, subject) VALUES (%(app)s, %(subject)s) RETURNING number"
NUMBER_OF = "SELECT number FROM catalogue.reporter WHERE app_id = %(app)s AND subject = %(subject)s"
MADE_LATELY = "SELECT count(*) AS n FROM catalogue.report WHERE reporter = %s AND at > %s"
ADD = """INSERT INTO catalogue.report (id, app_id, audit_id, reporter, category, text, contact, at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
MINE = """SELECT r.id, r.app_id, v.name AS app_name, r.category, r.text, r.at, d.state, d.outcome, d.due_on,
    d.ended_at
  FROM catalogue.report r JOIN catalogue.reporter o ON o.number = r.reporter
  JOIN catalogue.audit d ON d.id = r.audit_id
  JOIN catalogue.app a ON a.id = r.app_id JOIN catalogue.application v ON v.id = a.application_id
  ORDER BY r.at DESC, r.id LIMIT 100"""


class Category(StrEnum):
    """What a report is about. The labels are for patients, as English msgids."""

    DATA = "data"
    SECURITY = "security"
    CONTENT = "content"
    FAULT = "fault"
    ACCESS = "access"
    OTHER = "other"

    @property
    def label(self) -> str:
        return LABELS[self]


LABELS = {
    Category.DATA: marked("It uses my data in another way than it says"),
    Category.SECURITY: marked("I fear for the security of my account or my data"),
    Category.CONTENT: marked("What it says about health is wrong or misleading"),
    Category.FAULT: marked("It shows wrong values or does not work"),
    Category.ACCESS: marked("I cannot use it because of a disability"),
    Category.OTHER: marked("Something else"),
}


@dataclass(frozen=True)
class OwnReport:
    """A report as its patient sees it again. outcome: of the audit, None while it goes on; due_on: of a correction."""

    app_id: UUID
    app_name: str
    category: Category
    text: str
    at: datetime
    outcome: Outcome | None
    due_on: date | None
    ended_at: datetime | None


async def make_report(
    connection: Connection,
    app_id: UUID,
    *,
    category: str,
    text: str,
    contact: str | None,
    person: Person,
    journal: Journal,
    now: datetime,
) -> None:
    """The patient's report, into the audit of the app that is in progress, or a new one. `contact`: an address under
    which reviewers may ask back, None for none; only with one do they learn the name as well.

    Raises Unknown, NotAllowed, BadForm, Unacceptable, or WrongState for an app that has left or too many reports.
    """
    if person.subject is None:
        raise NotAllowed
    if category not in set(Category):
        raise BadForm
    text = checked_text("/text", text)
    address = checked_text("/contact", contact, MAX_CONTACT) if contact is not None else None
    async with space(connection, person.subject):
        if await is_simulated(connection, person.subject):
            raise NotAllowed("A simulated patient is no patient: it neither reports nor joins.")
        app = await _reportable(connection, app_id)
        number = await _number(connection, app_id, person.subject)
        lately = await (await connection.execute(MADE_LATELY, (number, now - timedelta(days=1)))).fetchall()
        if lately[0].n >= MAX_A_DAY:
            raise WrongState("You reported this app several times today: that is being looked at.")
        audit_id, is_new = await audit_in_progress(connection, app_id, now)
        if is_new:
            await add_audit_step(connection, audit_id, AuditStep.OPENED, None, "", now)
        await connection.execute(
            ADD,
            (
                uuid4(),
                app_id,
                audit_id,
                number,
                category,
                text,
                f"{person.display_name}, {address}" if address else None,
                now,
            ),
        )
        await journal.write(
            connection,
            CatalogueEvent(
                EventName.REPORT_MADE, person.subject, person.kind, person.id, person.display_name, f"app/{app_id}",
                details={"app": app.name, "category": category},
            ),
        )  # fmt: skip


async def reports_of(connection: Connection, subject: UUID) -> list[OwnReport]:
    """The newest hundred reports of a patient."""
    async with space(connection, subject):
        rows = await (await connection.execute(MINE)).fetchall()
    return [
        OwnReport(
            row.app_id, row.app_name, Category(row.category), row.text, row.at,
            Outcome(row.outcome) if row.outcome else None, row.due_on, row.ended_at,
        )
        for row in rows
    ]  # fmt: skip


async def _number(connection: Connection, app_id: UUID, subject: UUID) -> int:
    """The patient's number with this app, whose row is locked: it is given once."""
    who = {"app": app_id, "subject": subject}
    row = await (await connection.execute(NUMBER_OF, who)).fetchone()
    return int(row.number if row else (await (await connection.execute(ADD_NUMBER, who)).fetchall())[0].number)


async def _reportable(connection: Connection, app_id: UUID) -> App:
    """The app, locked: two reports at once find one audit."""
    await connection.execute(LOCK_APP, (app_id,))
    app = await app_by_id(connection, app_id)
    if app is None or app.status is Status.CANDIDATE:
        raise Unknown
    if app.status is Status.DEREFERENCED:
        raise WrongState("This app has left the catalogue.")
    return app
