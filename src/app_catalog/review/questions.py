"""Questions of reviewers to the vendor, and the vendor's answers, both dated."""

from datetime import datetime
from uuid import UUID, uuid4

from app_catalog.applications.submission import Step
from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.review.dossier import checked_text, dossier_of, opened, written_down
from app_catalog.review.letters import QUESTION, tell
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import Connection, Journal, Mail, Person, Row

ASK = """INSERT INTO catalogue.question (id, application_id, text, asked_by, asked_by_name, asked_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""
ANSWER = """UPDATE catalogue.question SET answer = %s, answered_by = %s, answered_by_name = %s, answered_at = %s
  WHERE id = %s AND answered_at IS NULL"""
APPLICATION_OF = "SELECT application_id FROM catalogue.question WHERE id = %s"
QUESTIONS = """SELECT id, text, asked_by_name, asked_at AT TIME ZONE 'UTC' AS asked_at, answer, answered_by_name,
    answered_at AT TIME ZONE 'UTC' AS answered_at
  FROM catalogue.question WHERE application_id = %s ORDER BY asked_at, id"""


async def ask_vendor(
    connection: Connection,
    application_id: UUID,
    text: str,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    mail: Mail | None = None,
) -> UUID:
    """Ask; returns the question's id. Raises Unknown, NotAllowed, WrongState or Unacceptable."""
    text = checked_text("/question", text)
    question_id = uuid4()
    async with connection.transaction():
        dossier = await opened(connection, application_id, person)
        await connection.execute(ASK, (question_id, dossier.id, text, person.id, person.display_name, now))
        await written_down(
            connection, dossier, Step.ASKED, EventName.QUESTION_ASKED, person=person, journal=journal, now=now,
            reason=text,
        )  # fmt: skip
        await tell(connection, mail, dossier, QUESTION, text=text)
    return question_id


async def answer_question(
    connection: Connection, question_id: UUID, text: str, *, person: Person, journal: Journal, now: datetime
) -> None:
    """A member of the vendor who may write answers, once. Raises Unknown, NotAllowed, WrongState or Unacceptable."""
    text = checked_text("/answer", text)
    async with connection.transaction():
        row = await (await connection.execute(APPLICATION_OF, (question_id,))).fetchone()
        if row is None:
            raise Unknown
        dossier = await dossier_of(connection, row.application_id, lock=True)
        await require(connection, dossier.vendor_id, person, *WRITERS)
        if not dossier.is_undecided:
            raise WrongState
        done = await connection.execute(ANSWER, (text, person.id, person.display_name, now, question_id))
        if done.rowcount != 1:
            raise WrongState("This question was answered.")
        await written_down(
            connection, dossier, Step.ANSWERED, EventName.QUESTION_ANSWERED, person=person, journal=journal, now=now,
            reason=text,
        )  # fmt: skip


async def questions_of(connection: Connection, application_id: UUID) -> list[Row]:
    """Questions with their answers, in the order in which they were asked."""
    return await (await connection.execute(QUESTIONS, (application_id,))).fetchall()
