"""A vendor objects to a decision about its app; another reviewer than the one who decided answers.

What is upheld takes the decision back where it still stands: the app returns to the status before it.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from app_catalog.applications.submission import Step
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.change import LOCK_APP, event_of_app, locked_app, move
from app_catalog.catalogue.status import FOLLOWS, Status
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.errors import NotAllowed, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.reports.words import checked_text
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import Connection, Journal, Person, Row, Wiring

WITHIN: Final = timedelta(days=62)  # two months, as before a French administrative court (CJA, R. 421-1)
# By a person, not by a date.
OPEN_TO_COMPLAINT: Final = frozenset({Step.REFUSED, Step.MOVED, Step.CORRECTIVE, Step.END_GIVEN, Step.NOT_RENEWED})

STEP: Final = "SELECT * FROM catalogue.app_step WHERE id = %s AND app_id = %s"
COMPLAINT_ABOUT: Final = "SELECT id FROM catalogue.complaint WHERE step_id = %s"
ADD: Final = """INSERT INTO catalogue.complaint (id, app_id, step_id, text, made_by, made_by_name, made_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s)"""
COMPLAINT: Final = """SELECT c.*, s.step, s.from_status, s.to_status, s.actor AS decided_by
  FROM catalogue.complaint c JOIN catalogue.app_step s ON s.id = c.step_id WHERE c.id = %s"""
NEWEST_MOVE: Final = """SELECT id FROM catalogue.app_step WHERE app_id = %s AND from_status IS DISTINCT FROM to_status
  ORDER BY id DESC LIMIT 1"""
ANSWER: Final = """UPDATE catalogue.complaint SET upheld = %s, answer = %s, answered_by = %s, answered_by_name = %s,
    answered_at = %s
  WHERE id = %s AND answered_at IS NULL"""

UPHELD: Final = Letter(
    "{app} : votre contestation est admise",
    "{app}: your complaint is upheld",
    "Votre contestation est admise.\n\n{reason}",
    "Your complaint is upheld.\n\n{reason}",
)
REJECTED: Final = Letter(
    "{app} : votre contestation est rejetée",
    "{app}: your complaint is rejected",
    "Votre contestation est rejetée.\n\n{reason}",
    "Your complaint is rejected.\n\n{reason}",
)


def is_open_to_complaint(step: Row, now: datetime) -> bool:
    """Whether the vendor may object to this row of `catalogue.app_step`: somebody's decision, not older than two
    months."""
    return step.step in OPEN_TO_COMPLAINT and step.actor is not None and now - step.at <= WITHIN


async def complain(
    connection: Connection, app_id: UUID, step_id: int, *, text: str, person: Person, journal: Journal, now: datetime
) -> None:
    """Object to a decision. Raises Unknown, NotAllowed, WrongState or Unacceptable."""
    async with connection.transaction():
        await connection.execute(LOCK_APP, (app_id,))
        app = await app_by_id(connection, app_id)
        if app is None:
            raise Unknown
        await require(connection, app.vendor_id, person, *WRITERS)
        text = checked_text("/text", text)
        step = await (await connection.execute(STEP, (step_id, app_id))).fetchone()
        if step is None:
            raise Unknown
        if not is_open_to_complaint(step, now):
            raise WrongState("You can object to a decision within two months.")
        if await (await connection.execute(COMPLAINT_ABOUT, (step_id,))).fetchone() is not None:
            raise WrongState("You have objected to this decision already.")
        await connection.execute(ADD, (uuid4(), app_id, step_id, text, person.id, person.display_name, now))
        event = event_of_app(EventName.COMPLAINT_MADE, person, app, text, {"decision": str(step.step)})
        await journal.write(connection, event)


async def answer_complaint(
    wiring: Wiring, connection: Connection, complaint_id: UUID, *, upheld: bool, text: str, person: Person
) -> None:
    """Answer, with a reason. Raises Unknown, NotAllowed for the reviewer who decided, WrongState or Unacceptable."""
    if person.kind != "reviewer":
        raise NotAllowed
    text, now = checked_text("/text", text, 1000), wiring.clock()
    async with connection.transaction():
        complaint = await (await connection.execute(COMPLAINT, (complaint_id,))).fetchone()
        if complaint is None:
            raise Unknown
        app = await locked_app(connection, complaint.app_id, person)
        if complaint.decided_by == person.id:
            raise NotAllowed("Another reviewer than the one who decided answers a complaint.")
        values = (upheld, text, person.id, person.display_name, now, complaint_id)
        if (await connection.execute(ANSWER, values)).rowcount != 1:
            raise WrongState
        details = {"upheld": "yes" if upheld else "no"}
        await wiring.journal.write(connection, event_of_app(EventName.COMPLAINT_ANSWERED, person, app, text, details))
        if upheld and await _still_stands(connection, complaint, app):
            await move(
                connection, app, Status(complaint.from_status), actor=person, journal=wiring.journal,
                now=now, reason=text, cause=Cause.SETTLED, mail=None,
            )  # fmt: skip
        await tell_vendor(connection, wiring.mail, app, UPHELD if upheld else REJECTED, reason=text)


async def _still_stands(connection: Connection, complaint: Row, app: App) -> bool:
    """Whether the decision complained of is the app's latest move, and one that can be taken back. A removal cannot:
    its patients were disconnected."""
    if complaint.step != Step.MOVED or Status(complaint.from_status) not in FOLLOWS[app.status]:
        return False
    row = await (await connection.execute(NEWEST_MOVE, (app.id,))).fetchone()
    return row is not None and row.id == complaint.step_id
